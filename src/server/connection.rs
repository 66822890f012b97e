//! One client's socket: read what is there, write without waiting, wait for room under the stall
//! limit, close politely.
//!
//! Made by [`serve`](crate::serve), used by the handlers. One task reads and another one writes:
//! a task that waited for both would, with smol's reactor, make a failing system call at each wake.

mod close;

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures_lite::future::{or, yield_now};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use smol::Task;

use super::buffer::Buffer;
use super::limits::BUFFER_BYTES;
use super::peer::Peer;
use super::shared::Shared;
use super::stats::{CloseReason, Stats};
use super::stream::Stream;
use crate::driver::{Async, Timer, elapsed, now};

/// A connected client; clones are the same connection. An idle one holds no buffer.
///
/// See [`Handler`](crate::Handler) for an example.
#[derive(Clone)]
pub struct Connection(Rc<Inner>);

/// What has come through a [`Connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Time since it was accepted.
    pub connected_for: Duration,
    /// Bytes read from the client.
    pub bytes_in: u64,
    /// Bytes written to the client.
    pub bytes_out: u64,
    /// Lines that the client was too slow to get.
    pub missed: u64,
}

struct Inner {
    socket: Async<Stream>,
    shared: Rc<Shared>,
    peer: Peer,
    opened: Instant,
    name: OnceCell<Box<str>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    missed: Cell<u64>,
    /// Why the connection must end, once it must; reading says so from then on.
    closing: Cell<Option<CloseReason>>,
    /// The task that reads or awaits the end; woken by `request_close`.
    reader: Cell<Option<Waker>>,
    /// The task from `spawn_writer`; it may finish after the handler is done.
    writer: Cell<Option<Task<Result<(), CloseReason>>>>,
    /// Set once the client's FIN was read.
    input_over: Cell<bool>,
    /// Set when the last read filled its buffer: others have their turn before the next.
    greedy: Cell<bool>,
    /// Set while the kernel is known to take no more.
    full: Cell<bool>,
    /// While output waits: since when the kernel has taken no byte.
    blocked: Cell<Option<Instant>>,
}

impl Connection {
    /// Who the client is.
    pub fn peer(&self) -> Peer {
        self.0.peer
    }

    /// What has come through it so far.
    pub fn traffic(&self) -> Traffic {
        let Inner { opened, bytes_in, bytes_out, missed, .. } = &*self.0;
        Traffic {
            connected_for: elapsed(*opened),
            bytes_in: bytes_in.get(),
            bytes_out: bytes_out.get(),
            missed: missed.get(),
        }
    }

    /// Waits for bytes and returns at most 16 KiB of them; none at the client's FIN.
    ///
    /// A client that always has data ready takes turns with the others: after a full buffer its
    /// task yields. One task at a time may read.
    ///
    /// # Errors
    /// Why the connection is over: lost, or closed by [`request_close`](Self::request_close) or by
    /// the server's stop.
    pub async fn read(&self) -> Result<Buffer, CloseReason> {
        poll_fn(|cx| self.poll_read(cx, BUFFER_BYTES)).await
    }

    /// Writes what the kernel takes now; 0 when it takes nothing. Never waits.
    ///
    /// # Errors
    /// [`CloseReason::Stalled`] when the client has taken nothing for
    /// [`stall`](crate::Limits::stall), [`CloseReason::Lost`] for every other error. Either ends
    /// the connection for its reader too.
    pub fn try_write(&self, bytes: &[u8]) -> Result<usize, CloseReason> {
        let Inner { socket, shared, full, blocked, bytes_out, .. } = &*self.0;
        if full.get() {
            return Ok(0);
        }
        let n = match socket.write(bytes) {
            Ok(n) => n,
            Err(error) if is_transient(&error) => 0,
            // Over a unix socket one that wrote and closed is known to be gone before what it wrote
            // is read. It is read first, but a handler that never reads ends, too.
            Err(error) if error.kind() == ErrorKind::BrokenPipe && self.may_be_unread() => {
                let since = blocked.get().unwrap_or_else(now);
                blocked.set(Some(since));
                if elapsed(since) < shared.limits.stall {
                    return Ok(bytes.len());
                }
                return Err(self.request_close(CloseReason::Lost));
            }
            Err(_) => return Err(self.request_close(CloseReason::Lost)),
        };
        full.set(n < bytes.len());
        if n == bytes.len() {
            blocked.set(None);
        } else if n > 0 || blocked.get().is_none() {
            blocked.set(Some(now()));
        } else if blocked.get().is_some_and(|since| elapsed(since) >= shared.limits.stall) {
            return Err(self.request_close(CloseReason::Stalled));
        }
        bytes_out.set(bytes_out.get() + n as u64);
        shared.stats.bytes_out.add(n as u64);
        Ok(n)
    }

    /// Waits until another [`try_write`](Self::try_write) is worthwhile, at most until the stall
    /// limit is reached. One task at a time may write.
    ///
    /// # Errors
    /// [`CloseReason::Lost`]; it ends the connection for its reader too.
    pub fn writable(&self) -> impl Future<Output = Result<(), CloseReason>> {
        // In a box: few connections are ever blocked, and all hold this future.
        Box::pin(self.until_writable())
    }

    /// Writes all of `bytes`, giving others their turn in between.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), CloseReason> {
        while !bytes.is_empty() {
            let n = self.try_write(&bytes[..bytes.len().min(BUFFER_BYTES)])?;
            bytes = &bytes[n..];
            if n == 0 {
                self.writable().await?;
            } else if !bytes.is_empty() {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Runs `future` as a task beside the handler, to write this client's output while the handler
    /// reads, such as [`pump`](crate::pump). When the handler is done, the server lets it finish,
    /// within [`grace`](crate::Limits::grace). A second call ends the first task.
    pub fn spawn_writer(&self, future: impl Future<Output = Result<(), CloseReason>> + 'static) {
        self.0.writer.set(self.0.shared.spawn(future));
    }

    /// Asks for the connection to end: reads return the reason at once, while output may still be
    /// written until the handler is done. The first reason given stands, and is returned.
    pub fn request_close(&self, reason: CloseReason) -> CloseReason {
        if let Some(earlier) = self.0.closing.get() {
            return earlier;
        }
        self.0.closing.set(Some(reason));
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
        reason
    }

    /// Waits until [`request_close`](Self::request_close); for a handler that no longer reads.
    pub async fn closing(&self) -> CloseReason {
        poll_fn(|cx| self.poll_closing(cx)).await
    }
}

/// For the services of this crate.
impl Connection {
    /// Names the client, for the log and for the chat; the first name it is given stays.
    pub(crate) fn set_name(&self, name: String) {
        let _kept = self.0.name.set(name.into());
    }

    /// The name of the client; `-` without one.
    pub(crate) fn name(&self) -> &str {
        self.0.name.get().map_or("-", |name| name)
    }

    /// The counters of the server this client is at.
    pub(crate) fn stats(&self) -> &Stats {
        &self.0.shared.stats
    }

    /// Runs a task that outlives this connection.
    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + 'static) {
        // In a box, so that all are tasks of one type, which is compiled once.
        let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
        if let Some(task) = self.0.shared.spawn(future) {
            task.detach();
        }
    }

    /// Lends the server's buffer, to fill it with what is to be written.
    pub(crate) fn with_buffer<R>(&self, use_buffer: impl FnOnce(&mut [u8]) -> R) -> R {
        self.0.shared.pool.lend(use_buffer)
    }

    pub(crate) fn add_missed(&self, lines: u64) {
        self.0.missed.set(self.0.missed.get() + lines);
        self.0.shared.stats.missed.add(lines);
    }

    /// Why the connection must end, once it must.
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.0.closing.get()
    }

    /// True while the kernel is known to take no more for this client.
    pub(crate) fn is_full(&self) -> bool {
        self.0.full.get()
    }

    /// True when the network has reported an error, which a read tells only after all that is
    /// still queued, or when a unix socket's peer has closed it.
    pub(crate) fn is_broken(&self) -> bool {
        let mut socket = [PollFd::new(&self.0.socket, PollFlags::empty())];
        let closed = poll(&mut socket, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
        closed || !matches!(sockopt::socket_error(&self.0.socket), Ok(Ok(())))
    }

    /// True until the FIN of a unix socket's peer was read.
    fn may_be_unread(&self) -> bool {
        self.0.peer.ip().is_none() && !self.0.input_over.get()
    }

    /// As [`closing`](Self::closing), and ends the connection when its peer is found dead; for one
    /// that sent its FIN, whose death no read tells.
    pub(crate) async fn closing_or_dead(&self) -> CloseReason {
        loop {
            let look = async {
                Timer::after(self.0.shared.limits.dead / 4).await;
                self.is_broken().then(|| self.request_close(CloseReason::Lost))
            };
            if let Some(reason) = or(async { Some(self.closing().await) }, look).await {
                return reason;
            }
        }
    }

    /// [`read`](Self::read) of at most `most` bytes, for a future that every idle client holds,
    /// in 16 bytes less.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Buffer, CloseReason>> {
        match self.poll_closing(cx) {
            Poll::Ready(reason) => Poll::Ready(Err(reason)),
            Poll::Pending => self.poll_buffer(cx, most),
        }
    }
}

/// For the server.
impl Connection {
    pub(super) fn new(shared: Rc<Shared>, stream: Stream, peer: Peer) -> io::Result<Connection> {
        Ok(Connection(Rc::new(Inner {
            socket: Async::new(stream)?,
            shared,
            peer,
            opened: now(),
            name: OnceCell::default(),
            bytes_in: Cell::default(),
            bytes_out: Cell::default(),
            missed: Cell::default(),
            closing: Cell::default(),
            reader: Cell::default(),
            writer: Cell::default(),
            input_over: Cell::default(),
            greedy: Cell::default(),
            full: Cell::default(),
            blocked: Cell::default(),
        })))
    }

    /// A number that no other socket of this machine has or had.
    #[cfg(target_os = "linux")]
    pub(super) fn cookie(&self) -> Option<u64> {
        sockopt::socket_cookie(&self.0.socket).ok()
    }

    /// Waits until the socket takes bytes, or the stall limit is over: the kernel reports room
    /// only when a third of its buffer is free, so one more attempt is due then.
    async fn until_writable(&self) -> Result<(), CloseReason> {
        let Inner { socket, shared, full, blocked, .. } = &*self.0;
        let since = blocked.get().unwrap_or_else(now);
        let late = async {
            Timer::at(since + shared.limits.stall).await;
            Ok(())
        };
        let writable = or(poll_fn(|cx| socket.poll_writable(cx)), late).await;
        full.set(false);
        writable.map_err(|_| self.request_close(CloseReason::Lost))
    }

    /// Ready once the connection must end; otherwise `request_close` will wake the task.
    fn poll_closing(&self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        if let Some(reason) = self.0.closing.get() {
            return Poll::Ready(reason);
        }
        let known = self.0.reader.take().filter(|waker| waker.will_wake(cx.waker()));
        self.0.reader.set(Some(known.unwrap_or_else(|| cx.waker().clone())));
        Poll::Pending
    }

    fn poll_buffer(&self, cx: &mut Context<'_>, most: usize) -> Poll<Result<Buffer, CloseReason>> {
        let Inner { socket, shared, input_over, greedy, bytes_in, .. } = &*self.0;
        if greedy.take() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if ready!(socket.poll_readable(cx)).is_err() {
                return Poll::Ready(Err(CloseReason::Lost));
            }
            let mut buffer = shared.pool.take();
            match socket.read(&mut buffer[..most]) {
                Ok(n) => {
                    input_over.set(n == 0);
                    greedy.set(n == most);
                    bytes_in.set(bytes_in.get() + n as u64);
                    shared.stats.bytes_in.add(n as u64);
                    buffer.truncate(n);
                    return Poll::Ready(Ok(buffer));
                }
                Err(error) if is_transient(&error) => {}
                Err(_) => return Poll::Ready(Err(CloseReason::Lost)),
            }
        }
    }
}

impl PartialEq for Connection {
    /// Whether both are the same connection.
    fn eq(&self, other: &Connection) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut connection = f.debug_struct("Connection");
        connection.field("peer", &self.peer()).field("name", &self.name()).finish_non_exhaustive()
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
