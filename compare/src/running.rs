//! The processes that run at the moment: none must outlive this one when a signal ends it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::place::JOURNAL;

/// Held while a process is started or ended, so that a signal finds it here or not at all.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends what runs when a signal ends this process, and tells what is kept in a `folder`.
pub(crate) fn watch(folder: Option<PathBuf>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // Until the end: a run that fails since it was killed here must not be kept.
            let running = running();
            running.iter().copied().for_each(kill);
            if let Some(folder) = folder.as_ref().filter(|it| it.join(JOURNAL).exists()) {
                let _nobody_reads_it = writeln!(
                    io::stderr(),
                    "\ncompare: the runs made until now are kept in {}; the same command with \
                     --resume goes on with them",
                    folder.display(),
                );
            }
            let _ends_here = emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// In a group of its own, which a terminal's ^C does not reach: that would look like a fault.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    let mut running = running();
    let child = command.process_group(0).spawn()?;
    running.push(child.id());
    Ok(child)
}

pub(crate) fn end(child: &mut Child) {
    let mut running = running();
    kill(child.id());
    let _gone_already = child.wait();
    running.retain(|pid| *pid != child.id());
}

/// With all that it started, which is in its group.
fn kill(pid: u32) {
    if let Some(group) = Pid::from_raw(pid as i32) {
        let _gone_already = kill_process_group(group, Signal::KILL);
    }
}

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
