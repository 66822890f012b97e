//! The server that runs at the moment: it must not outlive this process, however that ends.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Held while a server is started or ended, so that a signal finds either none or its number.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// Ends the running server when a signal ends this process.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let running = running();
            if let Some(pid) = running.and_then(|pid| Pid::from_raw(pid as i32)) {
                let _gone_already = kill_process(pid, Signal::KILL);
            }
            let _ends_here = emulate_default_handler(signal);
        }
    });
    Ok(())
}

pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    let mut running = running();
    let child = command.spawn()?;
    *running = Some(child.id());
    Ok(child)
}

pub(crate) fn end(child: &mut Child) {
    let mut running = running();
    let _gone_already = child.kill();
    let _gone_already = child.wait();
    *running = None;
}

fn running() -> MutexGuard<'static, Option<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
