//! The generator's clients: any number of sockets on one epoll, each registered once and
//! edge-triggered. Knows no protocol.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::Result;

/// Bytes one read asks for.
const READ_BYTES: usize = 64 * 1024;

/// What the timer is called among the clients.
const TIMER: u64 = u64::MAX;

/// Closed with RST when dropped, so that no port is left in TIME_WAIT.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    /// Ends a wait at the nanosecond; a timeout of epoll would at the millisecond.
    timer: OwnedFd,
    armed: Option<Instant>,
    clients: Vec<Option<Client>>,
    /// Connected, but never read from.
    deaf: Vec<TcpStream>,
    reads: bool,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// Not known to be connected.
    connecting: bool,
    /// The kernel is not known to take nothing.
    has_room: bool,
    unsent: Vec<u8>,
}

/// What is new with a client.
pub(crate) enum News<'a> {
    /// Its connection stands, or failed.
    Connected(bool),
    Bytes(&'a [u8]),
    Closed,
}

impl<'a> News<'a> {
    /// Those that came, if any.
    ///
    /// # Errors
    /// When the connection ended.
    pub(crate) fn bytes(self, client: usize) -> Result<&'a [u8]> {
        match self {
            News::Connected(_) => Ok(&[]),
            News::Bytes(bytes) => Ok(bytes),
            News::Closed => Err(format!("client {client} was dropped").into()),
        }
    }
}

impl Crowd {
    /// Where it does not read, nobody's bytes and FIN are news.
    pub(crate) fn new(reads: bool) -> Result<Crowd> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), flags)?;
        Ok(Crowd {
            epoll,
            timer,
            armed: None,
            clients: Vec::new(),
            deaf: Vec::new(),
            reads,
            events: Vec::with_capacity(1024),
            buffer: vec![0; READ_BYTES],
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Connects one more client, and waits until it is.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Result<()> {
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        self.clients.push(None);
        self.register(self.clients.len() - 1, stream, false)
    }

    /// Begins to connect a client, in place of one that was closed or as a new one;
    /// [`News::Connected`] tells when it is.
    pub(crate) fn begin(&mut self, client: usize, address: SocketAddr) -> Result<()> {
        self.begin_with(client, tcp(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?, address)
    }

    /// The same with a socket that is non-blocking already.
    pub(crate) fn begin_with(
        &mut self,
        client: usize,
        socket: OwnedFd,
        address: SocketAddr,
    ) -> Result<()> {
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        if self.clients.len() <= client {
            self.clients.resize_with(client + 1, || None);
        }
        self.register(client, socket.into(), true)
    }

    /// Connects one more client that never reads, and takes little before it is full.
    pub(crate) fn connect_deaf(&mut self, address: SocketAddr) -> Result<()> {
        let socket = tcp(SocketFlags::CLOEXEC)?;
        sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
        rustix::net::connect(&socket, &address)?;
        self.deaf.push(socket.into());
        Ok(())
    }

    /// Closes a client with RST: in TIME_WAIT, all ports would be used up within a second.
    pub(crate) fn close(&mut self, client: usize) {
        if let Some(Client { stream, .. }) = self.clients[client].take() {
            reset_on_close(&stream);
        }
    }

    /// Sends now what the kernel takes, and the rest when it takes it.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) -> Result<()> {
        let Some(Client { stream, unsent, .. }) = &mut self.clients[client] else { return Ok(()) };
        let mut sent = 0;
        if unsent.is_empty() {
            sent = match stream.write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(format!("client {client} cannot send: {error}").into()),
            };
        }
        unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Sends what the kernel takes at once; returns how many bytes, 0 where there is no room, or no
    /// connection any more.
    pub(crate) fn push(&mut self, client: usize, bytes: &[u8], flags: SendFlags) -> usize {
        let Some(Client { stream, connecting, has_room, .. }) = &mut self.clients[client] else {
            return 0;
        };
        if *connecting || !*has_room {
            return 0;
        }
        let sent = rustix::net::send(stream, bytes, flags | SendFlags::NOSIGNAL);
        *has_room = sent.is_ok();
        sent.unwrap_or(0)
    }

    /// Sends a client's FIN, and goes on reading.
    pub(crate) fn half_close(&mut self, client: usize) {
        if let Some(Client { stream, .. }) = &self.clients[client] {
            let _lost_already = stream.shutdown(Shutdown::Write);
        }
    }

    /// Waits for news, once and at most until `deadline`, and hands it to `take`.
    pub(crate) fn pump(
        &mut self,
        deadline: Instant,
        mut take: impl FnMut(usize, News) -> Result<()>,
    ) -> Result<()> {
        let mut events = self.wait(deadline)?;
        for event in events.drain(..) {
            let (data, flags) = (event.data, event.flags);
            if data.u64() == TIMER {
                continue;
            }
            let client = data.u64() as usize;
            if flags.contains(epoll::EventFlags::OUT) {
                self.writable(client, &mut take)?;
            }
            let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            if !self.reads {
                if flags.intersects(ended) && self.clients[client].is_some() {
                    take(client, News::Closed)?;
                }
            } else if flags.intersects(epoll::EventFlags::IN | ended) {
                self.readable(client, flags.contains(epoll::EventFlags::RDHUP), &mut take)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Hands all news until `end` to `take`.
    pub(crate) fn pump_until(
        &mut self,
        end: Instant,
        mut take: impl FnMut(usize, News) -> Result<()>,
    ) -> Result<()> {
        while Instant::now() < end {
            self.pump(end, &mut take)?;
        }
        Ok(())
    }

    fn readable(
        &mut self,
        client: usize,
        has_end: bool,
        take: &mut impl FnMut(usize, News) -> Result<()>,
    ) -> Result<()> {
        loop {
            // A client that `take` closed meanwhile has no news.
            let Some(Client { stream, .. }) = &mut self.clients[client] else { return Ok(()) };
            match stream.read(&mut self.buffer) {
                Ok(0) => return take(client, News::Closed),
                Ok(n) => {
                    take(client, News::Bytes(&self.buffer[..n]))?;
                    // A short read has emptied the socket: the next edge tells of more, but for a
                    // FIN that this one told of.
                    if n < self.buffer.len() && !has_end {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return take(client, News::Closed),
            }
        }
    }

    /// The first edge is the end of connecting, later ones are room for what is unsent.
    fn writable(
        &mut self,
        client: usize,
        take: &mut impl FnMut(usize, News) -> Result<()>,
    ) -> Result<()> {
        let Some(Client { stream, connecting, has_room, unsent }) = &mut self.clients[client]
        else {
            return Ok(());
        };
        *has_room = true;
        if std::mem::take(connecting) {
            let failed = sockopt::socket_error(&*stream)?.is_err();
            return take(client, News::Connected(!failed));
        }
        if unsent.is_empty() {
            return Ok(());
        }
        match stream.write(unsent) {
            Ok(sent) => {
                unsent.drain(..sent);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => take(client, News::Closed),
        }
    }

    fn register(&mut self, client: usize, stream: TcpStream, connecting: bool) -> Result<()> {
        stream.set_nodelay(true)?;
        let ready = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        let flags = ready | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(client as u64), flags)?;
        self.clients[client] =
            Some(Client { stream, connecting, has_room: true, unsent: Vec::new() });
        Ok(())
    }

    fn wait(&mut self, deadline: Instant) -> Result<Vec<epoll::Event>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if !left.is_zero() && self.armed != Some(deadline) {
            let it_value = timespec(left);
            let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.armed = Some(deadline);
        }
        let timeout = left.is_zero().then(|| timespec(Duration::ZERO));
        let mut events = std::mem::take(&mut self.events);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(events),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let streams = self.clients.iter().flatten().map(|client| &client.stream);
        streams.chain(&self.deaf).for_each(reset_on_close);
    }
}

/// Dropped from now on, it resets the connection.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let _lost_already = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// A socket that is not connected.
pub(crate) fn tcp(flags: SocketFlags) -> Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
