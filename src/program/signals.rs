//! The signals that a program handles: each is a pipe, and so an event of the driver.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use async_channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use super::log::ASKED_FOR;
use crate::driver::Async;
use crate::server::stats::{CloseReason, Stats};

/// The signals, by number, and their pipes.
pub(super) struct Signals(Vec<(i32, Async<UnixStream>)>);

impl Signals {
    /// Takes over SIGINT, SIGTERM and SIGUSR1 for this process. SIGHUP too, but not where the
    /// process was started with it ignored, as nohup(1) does, or may have been.
    pub(super) fn new() -> io::Result<Signals> {
        let mut signals = vec![SIGINT, SIGTERM, SIGUSR1];
        if is_ignored(SIGHUP) == Some(false) {
            signals.push(SIGHUP);
        }
        let mut pipes = Vec::new();
        for signal in signals {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            pipe::register(signal, writer)?;
            pipes.push((signal, Async::new(reader)?));
        }
        Ok(Signals(pipes))
    }

    /// Ends the server politely at the first signal, and at once at a second SIGINT or SIGTERM.
    /// A SIGHUP is no second one: bash and the kernel each send one when a terminal is closed.
    pub(super) async fn handle(self, stop: Sender<()>, stats: Rc<Stats>) {
        let (started, mut stopping) = (Instant::now(), false);
        loop {
            match self.next().await {
                SIGUSR1 => log_stats(&stats, started),
                SIGHUP if stopping => {}
                signal if stopping => std::process::exit(128 + signal),
                _ => {
                    stopping = true;
                    ::log::info!("going down");
                    stop.close();
                }
            }
        }
    }

    /// The next signal. Several of a kind that come at once may be one.
    async fn next(&self) -> i32 {
        poll_fn(|cx| {
            for (signal, pipe) in &self.0 {
                while pipe.poll_readable(cx).is_ready() {
                    match pipe.read(&mut [0; 64]) {
                        Ok(1..) => return Poll::Ready(*signal),
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

/// Whether this process ignores a signal, as Linux's proc(5) says it: to ask sigaction(2) takes
/// unsafe code. `None` where that file cannot be read, as on other systems.
fn is_ignored(signal: i32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let ignored = u128::from_str_radix(ignored.trim(), 16).ok()?;
    Some(ignored >> (signal - 1) & 1 == 1)
}

/// One line of all counters, even into a quiet log.
fn log_stats(stats: &Stats, started: Instant) {
    let closed = |reason| stats.closed(reason).get();
    ::log::info!(
        target: ASKED_FOR,
        clients = stats.clients.get(),
        accepted = stats.accepted.get(),
        lines_in = stats.lines_in.get(),
        lines_out = stats.lines_out.get(),
        bytes_in = stats.bytes_in.get(),
        bytes_out = stats.bytes_out.get(),
        missed = stats.missed.get(),
        refused = closed(CloseReason::Full),
        left = closed(CloseReason::Left),
        lost = closed(CloseReason::Lost),
        stalled = closed(CloseReason::Stalled),
        going_down = closed(CloseReason::GoingDown),
        wrong_protocol = closed(CloseReason::WrongProtocol),
        failed = closed(CloseReason::Failed),
        uptime_seconds = started.elapsed().as_secs();
        "stats"
    );
}
