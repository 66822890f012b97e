//! The servers that run at the moment: none must outlive this process, however that ends.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Held while a server is started or ended, so that a signal finds it here or not at all.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends the running servers when a signal ends this process.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let running = running();
            for pid in running.iter().filter_map(|pid| Pid::from_raw(*pid as i32)) {
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
    running.push(child.id());
    Ok(child)
}

pub(crate) fn end(child: &mut Child) {
    let mut running = running();
    let _gone_already = child.kill();
    let _gone_already = child.wait();
    running.retain(|pid| *pid != child.id());
}

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
