//! Registered sockets and what is known of their readiness.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::Driver;

/// A non-blocking socket, registered with this thread's driver until it is dropped.
pub(crate) struct Async<T: AsFd> {
    io: T,
    driver: Rc<Driver>,
    /// Its key among the driver's sources: 32 bits do, as for the number of a descriptor.
    key: u32,
}

impl<T: AsFd> Async<T> {
    /// Registers a socket that is non-blocking already.
    pub(crate) fn new(io: T) -> io::Result<Async<T>> {
        let driver = Driver::current()?;
        // Writable: a new socket takes bytes as a rule.
        let source = Source { writable: true, ..Source::default() };
        let key = driver.sources.borrow_mut().insert(source);
        // Whole before it is registered, so that its drop frees the key should that fail.
        let socket = Async { io, driver, key: key as u32 };
        let interest =
            EventFlags::IN | EventFlags::OUT | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&socket.driver.epoll, &socket.io, EventData::new_u64(key as u64), interest)?;
        Ok(socket)
    }

    /// Ready while a read may give something. One task at a time may wait.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready_or_wait(cx, |source| (source.readable, &mut source.reader))
    }

    /// Ready while a write may take something. One task at a time may wait.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ready_or_wait(cx, |source| (source.writable, &mut source.writer))
    }

    /// Tries `op` on the socket at once; after [`ErrorKind::WouldBlock`] it is not readable until
    /// the next event.
    pub(crate) fn try_read<R>(&self, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let result = op(&self.io);
        if result.as_ref().is_err_and(would_block) {
            self.with(Source::drained);
        }
        result
    }

    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }

    /// Ready, or the task's waker is kept: `side` picks whether a side of the socket is ready, and
    /// who waits for it.
    fn ready_or_wait(
        &self,
        cx: &Context<'_>,
        side: impl FnOnce(&mut Source) -> (bool, &mut Option<Waker>),
    ) -> Poll<io::Result<()>> {
        // Dropped without a borrow: a waker's drop may run code that comes back here.
        let (ready, _replaced) = self.with(|source| match side(source) {
            (true, _) => (true, None),
            (false, Some(waker)) if waker.will_wake(cx.waker()) => (false, None),
            (false, waiting) => (false, waiting.replace(cx.waker().clone())),
        });
        if ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn with<R>(&self, use_source: impl FnOnce(&mut Source) -> R) -> R {
        use_source(&mut self.driver.sources.borrow_mut()[self.key as usize])
    }
}

impl<T: AsFd> Async<T>
where
    for<'a> &'a T: Read + Write,
{
    /// Reads what is there. A read that does not fill the buffer has emptied the socket, so the
    /// read that would only return [`ErrorKind::WouldBlock`] is saved.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = (&self.io).read(buffer);
        match &result {
            Ok(n) if *n < buffer.len() => self.with(Source::read_short),
            Err(error) if would_block(error) && !self.stands_at_urgent() => {
                self.with(Source::drained);
            }
            _ => {}
        }
        result
    }

    /// True when a failed read says nothing of what is there: where urgent data is next, Linux
    /// fails a read while a signal is pending, and no event would tell of that data again. Asked
    /// only after such data was reported. That report may come before the bytes ahead of the
    /// urgent ones have arrived, so the bytes that can be read decide.
    fn stands_at_urgent(&self) -> bool {
        self.with(|source| source.urgent > 0)
            && rustix::io::ioctl_fionread(&self.io).is_ok_and(|bytes| bytes > 0)
    }

    /// Writes what the socket takes. A write that it does not take whole has filled it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let result = (&self.io).write(bytes);
        if result.as_ref().map_or_else(would_block, |n| *n < bytes.len()) {
            self.with(|source| source.writable = false);
        }
        result
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd> Drop for Async<T> {
    fn drop(&mut self) {
        // Closing the descriptor would do the same, but only if no duplicate of it were open.
        let _gone_already = epoll::delete(&self.driver.epoll, &self.io);
        let _dropped_here = self.driver.sources.borrow_mut().remove(self.key as usize);
    }
}

/// Reads that it takes to get past urgent data: the first stops short of it although more is
/// there (tcp(7)), the second begins with it.
const URGENT: u8 = 2;

/// A registered socket. A turn delivers its events before any task runs, so none ever meets a key
/// that has passed to another socket.
#[derive(Default)]
pub(super) struct Source {
    reader: Option<Waker>,
    writer: Option<Waker>,
    readable: bool,
    writable: bool,
    /// The peer's FIN or an error was reported. The kernel reports it once, and from then on
    /// there is always something to read: the end, or the error.
    hung_up: bool,
    /// Reads that urgent data may still cut short: [`URGENT`] when it was reported, one less with
    /// each read.
    urgent: u8,
}

impl Source {
    /// Notes what an event says, and collects who waits for it.
    pub(super) fn deliver(&mut self, flags: EventFlags, wakers: &mut Vec<Waker>) {
        let broken = EventFlags::HUP | EventFlags::ERR;
        self.hung_up |= flags.intersects(broken | EventFlags::RDHUP);
        if flags.contains(EventFlags::PRI) {
            self.urgent = URGENT;
        }
        if self.hung_up || flags.intersects(EventFlags::IN | EventFlags::PRI) {
            self.readable = true;
            wakers.extend(self.reader.take());
        }
        if flags.intersects(broken | EventFlags::OUT) {
            self.writable = true;
            wakers.extend(self.writer.take());
        }
    }

    /// A read did not fill its buffer.
    fn read_short(&mut self) {
        self.readable = self.hung_up || self.urgent == URGENT;
        self.urgent = self.urgent.saturating_sub(1);
    }

    /// A read found nothing.
    fn drained(&mut self) {
        self.readable = false;
        self.urgent = 0;
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
