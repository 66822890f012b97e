//! Standard error as the sink of the log: how a line is written to it so that nobody can make
//! the write wait, and so that no write ends or stops the process.
//!
//! To poll first is not enough: another process may fill the room that poll saw before the write.
//! Not waiting is a property of an open file (O_NONBLOCK), and standard error is an open file that
//! the shell and other programs use too, so its flags are left alone. The way that remains is
//! chosen once, by what standard error is:
//!
//! - A file or a disk is written as it is, which waits for nobody but the disk. One behind a
//!   network can hang, and no flag prevents that: a log file belongs on a local disk.
//! - A terminal is opened anew, without waiting, and takes the place of standard error; on Linux
//!   a pipe or another device too, by /proc/self/fd/2. (On macOS and the BSDs, /dev/fd/2 is the
//!   same open file again.) A terminal that may not be opened is opened as /dev/tty if it is the
//!   one that controls the process.
//! - A pipe that may not be opened, as one made by another user, has calls of its own on Linux:
//!   see [`Detour`].
//! - A socket, such as systemd's journal, is sent to with MSG_DONTWAIT; but macOS ignores that.
//! - Anything else is written to until clients are served, then no more: another user's terminal
//!   that does not control the process (`su -c`), a pipe on macOS and the BSDs.
//!
//! A write can raise three signals. SIGPIPE is ignored in every Rust program. SIGXFSZ would end a
//! process whose file is at the limit of `ulimit -f`: it is caught, and the write fails. SIGTTOU
//! would stop a background process at a terminal set to `tostop`. To catch it would be worse,
//! since the kernel begins such a write again, for ever; so no line is written then. Whoever holds
//! the terminal could turn the setting on between our look and the write, but they could stop the
//! process as well.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::net::SendFlags;
use rustix::stdio::{dup2_stderr, stderr};
use rustix::termios::{LocalModes, isatty, tcgetattr, tcgetpgrp, ttyname};
use signal_hook::consts::SIGXFSZ;

#[cfg(target_os = "linux")]
use super::pipe::Detour;

/// Set once clients are served.
static SERVING: AtomicBool = AtomicBool::new(false);

/// The way in which a line is written to standard error.
pub(super) enum Sink {
    /// By write(2): what standard error is does not make it wait.
    Plain,
    /// By write(2), unless that would stop the process.
    Terminal,
    Socket,
    #[cfg(target_os = "linux")]
    Pipe(Detour),
    /// By write(2), which may wait: so no line is written while clients are served.
    UntilServing,
}

impl Sink {
    /// The way that fits standard error.
    pub(super) fn open() -> Sink {
        let _never_refused = signal_hook::flag::register(SIGXFSZ, Arc::default());
        let kind = rustix::fs::fstat(stderr()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::RegularFile | FileType::BlockDevice) => Sink::Plain,
            Ok(FileType::Socket) if !cfg!(target_vendor = "apple") => Sink::Socket,
            _ if reopen(stderr()).is_some_and(|own| dup2_stderr(own).is_ok()) => {
                if isatty(stderr()) { Sink::Terminal } else { Sink::Plain }
            }
            #[cfg(target_os = "linux")]
            Ok(FileType::Fifo) => Detour::new().map_or(Sink::UntilServing, Sink::Pipe),
            _ => Sink::UntilServing,
        }
    }

    /// Writes what standard error takes of `line` now.
    pub(super) fn write(&self, line: &[u8]) -> Result<usize> {
        match self {
            Sink::Terminal if stops_writers(stderr()) => Err(Errno::AGAIN),
            Sink::Plain | Sink::Terminal => rustix::io::write(stderr(), line),
            Sink::Socket => rustix::net::send(stderr(), line, SendFlags::DONTWAIT),
            #[cfg(target_os = "linux")]
            Sink::Pipe(detour) => detour.write(line, stderr()),
            Sink::UntilServing if !SERVING.load(Ordering::Relaxed) && has_room() => {
                rustix::io::write(stderr(), line)
            }
            Sink::UntilServing => Err(Errno::AGAIN),
        }
    }
}

/// Notes that clients are served from here on: a line that could wait is no longer written.
pub(in crate::program) fn serving() {
    SERVING.store(true, Ordering::Relaxed);
}

/// What standard error is, as an open file of our own that does not wait.
fn reopen(stderr: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |path: &CStr| rustix::fs::open(path, flags, Mode::empty()).ok();
    let own = if cfg!(any(target_os = "linux", target_os = "android")) {
        open(c"/proc/self/fd/2")
    } else {
        ttyname(stderr, Vec::new()).ok().and_then(|path| open(&path))
    };
    // Only the controlling terminal tells its process group, and a process may always open the
    // terminal that controls it.
    own.or_else(|| tcgetpgrp(stderr).ok().and_then(|_| open(c"/dev/tty")))
}

/// True when a write to this terminal raises SIGTTOU.
fn stops_writers(terminal: BorrowedFd<'_>) -> bool {
    let tostop = tcgetattr(terminal).is_ok_and(|set| set.local_modes.contains(LocalModes::TOSTOP));
    tostop
        && match tcgetpgrp(terminal) {
            Ok(foreground) => foreground != rustix::process::getpgrp(),
            // Not the terminal that controls this process.
            Err(Errno::NOTTY) => false,
            Err(_) => true,
        }
}

fn has_room() -> bool {
    let stderr = stderr();
    let mut sinks = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut sinks, Some(&now)).is_ok_and(|n| n == 1)
        && sinks[0].revents().contains(PollFlags::OUT)
}
