//! The signals that the programs obey, as events of the driver: a pipe for each.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::task::Poll;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use crate::driver::Async;

/// A signal that a program obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT or SIGTERM, by its number.
    End(i32),
    /// SIGUSR1.
    Figures,
}

/// Takes over SIGINT, SIGTERM and SIGUSR1 for this process.
pub(crate) struct Signals([(Signal, Async<UnixStream>); 3]);

impl Signals {
    pub(crate) fn new() -> io::Result<Signals> {
        Ok(Signals([
            (Signal::End(SIGINT), listen(SIGINT)?),
            (Signal::End(SIGTERM), listen(SIGTERM)?),
            (Signal::Figures, listen(SIGUSR1)?),
        ]))
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
