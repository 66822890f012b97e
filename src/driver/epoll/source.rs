//! Registered sockets and what is known of their readiness.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;

use super::Driver;

/// A non-blocking socket, registered with this thread's driver until it is dropped.
pub(crate) struct Async<T: AsFd> {
    io: T,
    driver: Rc<Driver>,
    /// In the driver's sources; there are no more of them than descriptors.
    key: u32,
}

impl<T: AsFd> Async<T> {
    /// Registers a socket that is non-blocking already.
    pub(crate) fn new(io: T) -> io::Result<Async<T>> {
        let driver = Driver::current()?;
        let key = driver.sources.borrow_mut().insert();
        let interest =
            EventFlags::IN | EventFlags::OUT | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        if let Err(error) = epoll::add(&driver.epoll, &io, EventData::new_u64(key as u64), interest)
        {
            driver.sources.borrow_mut().0.remove(key);
            return Err(error.into());
        }
        Ok(Async { io, driver, key: key as u32 })
    }

    /// Ready while a read may give something. One task at a time may wait.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (ready, _dropped_here) = self.with(|it| ready_or_wait(it.readable, &mut it.reader, cx));
        ready
    }

    /// Ready while a write may take something. One task at a time may wait.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (ready, _dropped_here) = self.with(|it| ready_or_wait(it.writable, &mut it.writer, cx));
        ready
    }

    /// Tries `op` on the socket at once; [`ErrorKind::WouldBlock`] means it is readable no more.
    pub(crate) fn try_read<R>(&self, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let result = op(&self.io);
        if would_block(&result) {
            self.with(Source::drained);
        }
        result
    }

    pub(crate) fn get_ref(&self) -> &T {
        &self.io
    }

    fn with<R>(&self, use_source: impl FnOnce(&mut Source) -> R) -> R {
        use_source(&mut self.driver.sources.borrow_mut().0[self.key as usize])
    }
}

impl<T: AsFd> Async<T>
where
    for<'a> &'a T: Read + Write,
{
    /// Reads what is there. A read that does not fill the buffer has emptied the socket, and
    /// saves the one that would say so.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = (&self.io).read(buffer);
        match &result {
            Ok(n) if *n < buffer.len() => self.with(Source::read_short),
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.stands_at_urgent() => {
                self.with(Source::drained);
            }
            _ => {}
        }
        result
    }

    /// Where urgent data is next, Linux fails a read while a signal is pending, and no event
    /// would tell of that data again. Asked only after such data was reported, which may be
    /// ahead of a gap: so what counts are the bytes that can be read.
    fn stands_at_urgent(&self) -> bool {
        self.with(|source| source.urgent > 0)
            && rustix::io::ioctl_fionread(&self.io).is_ok_and(|bytes| bytes > 0)
    }

    /// Writes what the socket takes. A write that it does not take whole has filled it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let result = (&self.io).write(bytes);
        let filled = result.as_ref().is_ok_and(|n| *n < bytes.len());
        if filled || would_block(&result) {
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
        // Closing would do only if no duplicate of the descriptor were open.
        let _gone_already = epoll::delete(&self.driver.epoll, &self.io);
        let _dropped_here = self.driver.sources.borrow_mut().0.remove(self.key as usize);
    }
}

impl<T: AsFd> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Async").field("fd", &self.io.as_fd()).finish_non_exhaustive()
    }
}

/// All sockets registered on a thread. A turn delivers its events before any task runs, so none
/// ever meets a key that has passed to another socket.
#[derive(Default)]
pub(super) struct Sources(Slab<Source>);

/// Reads up to and with urgent data: the first stops short of it although more is there
/// (tcp(7)), the second begins with it.
const URGENT: u8 = 2;

#[derive(Default)]
struct Source {
    reader: Option<Waker>,
    writer: Option<Waker>,
    readable: bool,
    writable: bool,
    /// The peer's FIN or an error was reported, and is reported once: there will always be
    /// something to read.
    hung_up: bool,
    /// Reads that urgent data may still meet: [`URGENT`] once it was reported.
    urgent: u8,
}

impl Sources {
    /// The key of a new source. A new socket takes bytes as a rule.
    fn insert(&mut self) -> usize {
        self.0.insert(Source { writable: true, ..Source::default() })
    }

    /// Notes what an event says, and collects who waits for it.
    pub(super) fn deliver(&mut self, key: u64, flags: EventFlags, wakers: &mut Vec<Waker>) {
        let Some(source) = self.0.get_mut(key as usize) else { return };
        let broken = EventFlags::HUP | EventFlags::ERR;
        source.hung_up |= flags.intersects(broken | EventFlags::RDHUP);
        if flags.contains(EventFlags::PRI) {
            source.urgent = URGENT;
        }
        if source.hung_up || flags.intersects(EventFlags::IN | EventFlags::PRI) {
            source.readable = true;
            wakers.extend(source.reader.take());
        }
        if flags.intersects(broken | EventFlags::OUT) {
            source.writable = true;
            wakers.extend(source.writer.take());
        }
    }
}

impl Source {
    fn read_short(&mut self) {
        self.readable = self.hung_up || self.urgent == URGENT;
        self.urgent = self.urgent.saturating_sub(1);
    }

    fn drained(&mut self) {
        self.readable = false;
        self.urgent = 0;
    }
}

/// Ready, or `waiting` holds the task's waker. Also the waker that has no more to do, for the
/// caller to drop: a drop may run code that comes back here.
fn ready_or_wait(
    ready: bool,
    waiting: &mut Option<Waker>,
    cx: &Context<'_>,
) -> (Poll<io::Result<()>>, Option<Waker>) {
    if ready {
        return (Poll::Ready(Ok(())), None);
    }
    if waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        return (Poll::Pending, None);
    }
    (Poll::Pending, waiting.replace(cx.waker().clone()))
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
