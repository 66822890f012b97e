//! The driver that is smol's reactor.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

pub use ::smol::{Timer, block_on};

/// Descriptors that the kernel's table is widened for, at most: half a MiB.
const WIDEST_TABLE: u64 = 65_536;

/// A non-blocking socket in smol's reactor.
#[derive(Debug)]
pub(crate) struct Async<T>(::smol::Async<T>);

impl<T: AsFd> Async<T> {
    pub(crate) fn new(io: T) -> io::Result<Async<T>> {
        ::smol::Async::new_nonblocking(io).map(Async)
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    pub(crate) fn try_read<R>(&self, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        op(self.0.get_ref())
    }

    pub(crate) fn get_ref(&self) -> &T {
        self.0.get_ref()
    }
}

impl<T> Async<T>
where
    for<'a> &'a T: Read + Write,
{
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_ref().read(buffer)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_ref().write(bytes)
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Widens the kernel's table of descriptors; smol's reactor itself starts when it is first used,
/// with a thread of its own. Where two threads share that table, each doubling of it holds up an
/// accept for some 10 ms, and a crowd overflows the listen backlog meanwhile. So the table gets the
/// size that so many descriptors need, at 8 bytes each, at most [`WIDEST_TABLE`] of them.
pub(crate) fn start(descriptors: u64) -> io::Result<()> {
    let last = descriptors.min(WIDEST_TABLE).saturating_sub(1);
    if let Ok(last) = i32::try_from(last) {
        // A duplicate at the last place widens it, and any open descriptor can be duplicated; with
        // standard error closed the table stays as it is.
        let _widest = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), last);
    }
    Ok(())
}

/// Never fails: where nobody drives smol's reactor, its own thread does.
pub(crate) fn ensure_driven() -> io::Result<()> {
    Ok(())
}
