//! One client's socket: read a chunk, write without waiting, wait under the stall limit, close
//! politely.
//!
//! Made by [`crate::server`], used by the handlers. A handler may read in one task and write in
//! another; it never waits for both in one, since with smol's reactor each wake would cost a
//! failing system call.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures_lite::future::{or, yield_now};
use rustix::net::sockopt;
use smol::Task;

use crate::chunk::Chunk;
use crate::driver::{Async, Timer};
use crate::figures::{Figures, Reason};
use crate::limits::CHUNK_BYTES;
use crate::server::Shared;

/// Parts that the grace is waited for in.
const GRACE_PARTS: u32 = 8;

/// A connected client. An idle one holds no buffer.
pub struct Connection {
    socket: Async<TcpStream>,
    shared: Rc<Shared>,
    peer: SocketAddr,
    opened: Instant,
    label: Cell<Option<Rc<str>>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    missed: Cell<u64>,
    /// Set once the connection must end; from then on reading says so.
    ending: Cell<Option<Reason>>,
    /// The task that reads or awaits the end; woken by `end`.
    reader: Cell<Option<Waker>>,
    /// Set once the client's FIN was read.
    input_over: Cell<bool>,
    /// Set when the last read filled its chunk: others have their turn before the next.
    greedy: Cell<bool>,
    /// Set while the kernel is known to take no more: the last write was short.
    full: Cell<bool>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes over a socket that is non-blocking already.
    pub(crate) fn new(
        shared: Rc<Shared>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> io::Result<Connection> {
        Ok(Connection {
            socket: Async::new(stream)?,
            shared,
            peer,
            opened: Instant::now(),
            label: Cell::new(None),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            missed: Cell::new(0),
            ending: Cell::new(None),
            reader: Cell::new(None),
            input_over: Cell::new(false),
            greedy: Cell::new(false),
            full: Cell::new(false),
        })
    }

    /// The client's address; IPv4 mapped into IPv6 is given as IPv4.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The counters of the server this client is at.
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// The name under which the log speaks of this client.
    pub fn set_label(&self, label: Rc<str>) {
        self.label.set(Some(label));
    }

    /// Runs `future` as a task of its own beside this connection; dropping the [`Task`] ends it.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.shared.spawn(future)
    }

    /// Waits for bytes and returns at most [`CHUNK_BYTES`] of them; empty at the client's FIN.
    ///
    /// A client that always has data ready takes turns with the others: after a full chunk its
    /// task yields. One task at a time may read.
    ///
    /// # Errors
    /// Why the connection is over: lost, or [ended](Self::end) by another task or by the stop.
    pub async fn read(&self) -> Result<Chunk, Reason> {
        poll_fn(|cx| self.poll_read(cx, CHUNK_BYTES)).await
    }

    /// Writes what the kernel takes now. MUST NOT wait.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when it takes nothing; otherwise the connection is lost.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.full.get() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = self.socket.write(bytes)?;
        self.full.set(n < bytes.len());
        self.bytes_out.set(self.bytes_out.get() + n as u64);
        self.shared.figures.bytes_out.add(n as u64);
        Ok(n)
    }

    /// Makes `attempt` at once, and again each time the socket takes bytes, until it gives
    /// something other than [`ErrorKind::WouldBlock`]. One task at a time may write.
    ///
    /// # Errors
    /// [`Reason::Stalled`] when [`stall`](crate::limits::Limits::stall) went by without;
    /// [`Reason::Lost`] for every other error. Either ends the connection for its reader too.
    pub async fn write_with<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, Reason> {
        match self.unless_blocked(attempt()) {
            Some(result) => result,
            // In a box: few connections are ever blocked, and all hold this future.
            None => Box::pin(self.write_later(attempt)).await,
        }
    }

    /// Writes all of `bytes`, giving others their turn in between.
    ///
    /// # Errors
    /// As [`write_with`](Self::write_with).
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Reason> {
        while !bytes.is_empty() {
            let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
            let n = self.write_with(|| self.try_write(chunk)).await?;
            bytes = &bytes[n..];
            if !bytes.is_empty() {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Ends the connection for whichever task is reading, and returns the reason that stands:
    /// the first one given. The socket stays open for what is still to be written.
    pub fn end(&self, reason: Reason) -> Reason {
        if let Some(earlier) = self.ending.get() {
            return earlier;
        }
        self.ending.set(Some(reason));
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        reason
    }

    /// Waits until another task or the stop [ends](Self::end) the connection; for a handler
    /// that no longer reads.
    pub async fn ended(&self) -> Reason {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// Ends a handler, and returns the reason. Where the client is still there to read, what
    /// `flush` has to write goes out first, then FIN, and the client's FIN is awaited; all of it
    /// within [`grace`](crate::limits::Limits::grace). What is on its way then the client takes
    /// as slowly as any other.
    pub async fn part(
        &self,
        reason: Reason,
        flush: impl Future<Output = Result<(), Reason>>,
    ) -> Reason {
        if matches!(reason, Reason::Left | Reason::GoingDown | Reason::Stranger) {
            Box::pin(self.finish(flush)).await;
        }
        reason
    }

    /// Why the connection must end, once it must.
    pub(crate) fn ending(&self) -> Option<Reason> {
        self.ending.get()
    }

    /// True while the kernel is known to take no more for this client.
    pub(crate) fn is_full(&self) -> bool {
        self.full.get()
    }

    pub(crate) fn try_spawn(&self, future: impl Future<Output = ()> + 'static) {
        if let Some(task) = self.shared.try_spawn(future) {
            task.detach();
        }
    }

    pub(crate) fn add_missed(&self, lines: u64) {
        self.missed.set(self.missed.get() + lines);
        self.shared.figures.missed.add(lines);
    }

    /// The server's buffer, to fill it with what is to be written.
    pub(crate) fn scratch(&self) -> Chunk {
        self.shared.scratch.take()
    }

    /// As [`ended`](Self::ended), and ends the connection when its peer is found dead; for one
    /// that sent its FIN, whose death no read tells.
    pub async fn ended_or_dead(&self) -> Reason {
        let looks = self.shared.limits.dead / 4;
        loop {
            let look = async {
                Timer::after(looks).await;
                self.is_broken().then(|| self.end(Reason::Lost))
            };
            if let Some(reason) = or(async { Some(self.ended().await) }, look).await {
                return reason;
            }
        }
    }

    /// True when the network has reported an error, which a read tells only after all that is
    /// still queued.
    pub(crate) fn is_broken(&self) -> bool {
        !matches!(sockopt::socket_error(&self.socket), Ok(Ok(())))
    }

    /// Ready once the connection must end; otherwise `end` will wake the task.
    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Reason> {
        if let Some(reason) = self.ending.get() {
            return Poll::Ready(reason);
        }
        let known = self.reader.take().filter(|waker| waker.will_wake(cx.waker()));
        self.reader.set(Some(known.unwrap_or_else(|| cx.waker().clone())));
        Poll::Pending
    }

    /// A number that no other socket of this machine has or had.
    #[cfg(target_os = "linux")]
    pub(crate) fn cookie(&self) -> Option<u64> {
        sockopt::socket_cookie(&self.socket).ok()
    }

    /// Closes at once where the peer takes nothing any more, so that the kernel need not hold
    /// what it will never take; and writes the one log line of an ended connection.
    pub(crate) fn close(&self, reason: Reason) {
        if matches!(reason, Reason::Stalled | Reason::Lost | Reason::Failed) {
            self.abort_on_close();
        }
        self.shared.figures.ended(reason).add(1);
        let label = self.label.take();
        log::info!(
            peer:% = self.peer,
            name = label.as_deref().unwrap_or("-"),
            reason = reason.as_str(),
            seconds = (self.opened.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            bytes_in = self.bytes_in.get(),
            bytes_out = self.bytes_out.get(),
            missed = self.missed.get();
            "closed"
        );
    }

    /// Has the kernel drop what the peer has not taken.
    fn abort_on_close(&self) {
        let _best_effort = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Sends FIN, and reads on until the client's: closing with its bytes unread would send a
    /// RST, which takes the last lines from the client (RFC 2525 2.17).
    async fn finish(&self, flush: impl Future<Output = Result<(), Reason>>) {
        let farewell = async {
            flush.await?;
            self.socket.get_ref().shutdown(Shutdown::Write).map_err(|_| Reason::Lost)?;
            while !self.input_over.get() {
                poll_fn(|cx| self.poll_chunk(cx, CHUNK_BYTES)).await?;
            }
            Ok(())
        };
        // In parts: of a time in which this process was stopped, one of them counts.
        let late = async {
            for _ in 0..GRACE_PARTS {
                Timer::after(self.shared.limits.grace / GRACE_PARTS).await;
            }
            Err(Reason::Stalled)
        };
        match or(farewell, late).await {
            Ok(()) => self.until_taken().await,
            Err(_) => self.abort_on_close(),
        }
    }

    /// Waits until the client's machine has acknowledged all, which it may do as slowly as any:
    /// once closed, nobody would find it stuck, and what it does not take would have no place.
    async fn until_taken(&self) {
        let mut pause = Duration::from_millis(5);
        // A connection that is closed on both sides has no peer.
        while cfg!(target_os = "linux") && self.socket.get_ref().peer_addr().is_ok() {
            let waited = async {
                Timer::after(pause).await;
                None
            };
            match or(async { Some(self.ended().await) }, waited).await {
                None => pause = (2 * pause).min(Duration::from_secs(1)),
                Some(Reason::GoingDown) => return,
                Some(_) => return self.abort_on_close(),
            }
        }
    }

    /// Attempts each time the socket takes bytes, and once more at the deadline: the kernel
    /// reports room only when a third of the buffer is free.
    async fn write_later<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, Reason> {
        let deadline = Instant::now() + self.shared.limits.stall;
        loop {
            let writable = poll_fn(|cx| self.socket.poll_writable(cx));
            let result = or(writable, async {
                Timer::at(deadline).await;
                Ok(())
            })
            .await;
            self.full.set(false);
            result.map_err(|_| self.end(Reason::Lost))?;
            if let Some(result) = self.unless_blocked(attempt()) {
                return result;
            }
            if Instant::now() >= deadline {
                return Err(self.end(Reason::Stalled));
            }
        }
    }

    /// `None` when the socket takes nothing for now.
    fn unless_blocked<T>(&self, attempted: io::Result<T>) -> Option<Result<T, Reason>> {
        match attempted {
            Ok(done) => Some(Ok(done)),
            Err(error) if is_transient(&error) => None,
            Err(_) => Some(Err(self.end(Reason::Lost))),
        }
    }

    /// [`read`](Self::read) of at most so many bytes, for a future that every idle client holds,
    /// in 16 bytes less.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Chunk, Reason>> {
        match self.poll_ended(cx) {
            Poll::Ready(reason) => Poll::Ready(Err(reason)),
            Poll::Pending => self.poll_chunk(cx, most),
        }
    }

    fn poll_chunk(&self, cx: &mut Context<'_>, most: usize) -> Poll<Result<Chunk, Reason>> {
        if self.greedy.take() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if ready!(self.socket.poll_readable(cx)).is_err() {
                return Poll::Ready(Err(Reason::Lost));
            }
            let mut chunk = self.shared.scratch.take();
            match self.socket.read(&mut chunk[..most]) {
                Ok(n) => {
                    self.input_over.set(n == 0);
                    self.greedy.set(n == most);
                    self.count_in(n);
                    chunk.truncate(n);
                    return Poll::Ready(Ok(chunk));
                }
                Err(error) if is_transient(&error) => {}
                Err(_) => return Poll::Ready(Err(Reason::Lost)),
            }
        }
    }

    fn count_in(&self, n: usize) {
        self.bytes_in.set(self.bytes_in.get() + n as u64);
        self.shared.figures.bytes_in.add(n as u64);
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
