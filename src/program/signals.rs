//! The signals that the programs handle_signals, as events of the driver: a pipe for each.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::task::Poll;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use crate::driver::Async;

/// A signal that a program obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT or SIGTERM, by its number.
    End(i32),
    /// SIGHUP: the terminal is closed.
    Hangup,
    /// SIGUSR1.
    Stats,
}

/// Takes over SIGINT, SIGTERM and SIGUSR1 for this process. SIGHUP too, but not where the process
/// was started with it ignored, as nohup(1) does, or may have been.
pub(crate) struct Signals(Vec<(Signal, Async<UnixStream>)>);

impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
        let mut signals = vec![
            (Signal::End(SIGINT), listen(SIGINT)?),
            (Signal::End(SIGTERM), listen(SIGTERM)?),
            (Signal::Stats, listen(SIGUSR1)?),
        ];
        if is_ignored(SIGHUP) == Some(false) {
            signals.push((Signal::Hangup, listen(SIGHUP)?));
        }
        Ok(Signals(signals))
    }

    /// The next signal. Several of a kind that come at once may be one.
    pub(crate) async fn next(&self) -> Signal {
        poll_fn(|cx| {
            for (signal, pipe) in &self.0 {
                while pipe.poll_readable(cx).is_ready() {
                    match pipe.read(&mut [0; 64]) {
                        Ok(n) if n > 0 => return Poll::Ready(*signal),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        _ => break,
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn listen(signal: i32) -> io::Result<Async<UnixStream>> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    pipe::register(signal, writer)?;
    Async::new(reader)
}

/// Whether this process ignores a signal, by Linux's proc(5): to ask sigaction(2) takes unsafe code.
/// `None` where that file is not to be had, as on other systems.
fn is_ignored(signal: i32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let ignored = u128::from_str_radix(ignored.trim(), 16).ok()?;
    Some(ignored >> (signal - 1) & 1 == 1)
}
