//! The generator's clients: any number of sockets on one epoll, each registered once and
//! edge-triggered. Knows no protocol.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::thread::set_current_timer_slack;

use crate::Result;
use crate::rough::Rough;
use crate::socket::Socket;

/// Bytes one read asks for, at most.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Nanoseconds that a wait may take longer than it was to: the kernel's usual 50,000 would make
/// every message late.
const SLACK: Option<NonZeroU64> = NonZeroU64::new(1);

/// Closed with RST when dropped, so that no port is left in TIME_WAIT.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
    /// Connected, but never read from.
    deaf: Vec<Socket>,
    /// All of its clients send and read as this has them, from before the first one on.
    pub(crate) rough: Option<Rough>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// Not known to be connected.
    connecting: bool,
    pub(crate) unsent: VecDeque<u8>,
    /// Sends its FIN behind what is unsent.
    pub(crate) ends: bool,
}

/// What is new with a client.
pub(crate) enum News<'a> {
    /// Its connection stands, or failed.
    Connected(bool),
    Bytes(&'a [u8]),
    Closed,
}

/// Who is handed each client's news; an error ends the run.
pub(crate) type Take<'a> = &'a mut dyn FnMut(usize, News) -> Result<()>;

impl<'a> News<'a> {
    /// Those that came, if any.
    ///
    /// # Errors
    /// When the connection ended.
    pub(crate) fn bytes(self, client: usize) -> Result<&'a [u8]> {
        match self {
            News::Connected(_) => Ok(&[]),
            News::Bytes(bytes) => Ok(bytes),
            News::Closed => {
                Err(format!("the server closed the connection of client {client}").into())
            }
        }
    }
}

impl Crowd {
    /// Only the thread that calls this waits exactly.
    pub(crate) fn new() -> Result<Crowd> {
        set_current_timer_slack(SLACK)?;
        Ok(Crowd {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: Vec::new(),
            deaf: Vec::new(),
            rough: None,
            events: Vec::with_capacity(1024),
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Connects one more client, and waits until it is.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Result<()> {
        let socket = match &mut self.rough {
            Some(rough) => rough.connect(address)?,
            None => {
                let stream = TcpStream::connect(address)?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Socket(stream)
            }
        };
        self.register(self.clients.len(), socket, false)
    }

    /// Begins to connect a client, in place of one that was closed or as a new one;
    /// [`News::Connected`] tells when it is.
    pub(crate) fn begin(&mut self, client: usize, address: SocketAddr) -> Result<()> {
        let socket = Socket::connect(address, None, None)?;
        socket.0.set_nodelay(true)?;
        self.register(client, socket, true)
    }

    /// Connects one more client that never reads, and takes little before it is full.
    pub(crate) fn connect_deaf(&mut self, address: SocketAddr) -> Result<()> {
        self.deaf.push(Socket::connect(address, None, Some(4096))?);
        Ok(())
    }

    /// Closes a client with RST.
    pub(crate) fn close(&mut self, client: usize) {
        if let Some(Client { socket, .. }) = self.clients[client].take() {
            socket.reset_on_close();
        }
    }

    /// Sends now what the kernel takes, and the rest when it takes it.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) -> Result<()> {
        let Some(Client { socket, unsent, .. }) = &mut self.clients[client] else { return Ok(()) };
        let mut sent = None;
        if let Some(rough) = &mut self.rough {
            unsent.extend(rough.before());
        } else if unsent.is_empty() {
            let why = |error| format!("client {client} cannot send: {error}");
            sent = socket.send(bytes, false).map_err(why)?;
        }
        unsent.extend(&bytes[sent.unwrap_or(0)..]);
        Ok(())
    }

    /// Has a client of a rough crowd send its FIN behind what it has not sent yet.
    pub(crate) fn half_close(&mut self, client: usize) {
        self.clients[client].iter_mut().for_each(|client| client.ends = true);
    }

    /// Clients whose connection is not known to have ended.
    pub(crate) fn open(&self) -> usize {
        self.clients.iter().flatten().count()
    }

    /// Waits for news, once and at most until `deadline`, and hands it to `take`.
    pub(crate) fn pump(&mut self, deadline: Instant, take: Take) -> Result<()> {
        if let Some(rough) = &mut self.rough {
            return rough.pump(&mut self.clients, &mut self.buffer, deadline, take);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let mut events = std::mem::take(&mut self.events);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&left.try_into()?)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            let (data, flags) = (event.data, event.flags);
            let client = data.u64() as usize;
            if flags.contains(epoll::EventFlags::OUT) {
                self.writable(client, take)?;
            }
            let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            if flags.intersects(epoll::EventFlags::IN | ended) {
                self.readable(client, flags.contains(epoll::EventFlags::RDHUP), take)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Hands all news until `end` to `take`.
    pub(crate) fn pump_until(&mut self, end: Instant, take: Take) -> Result<()> {
        while Instant::now() < end {
            self.pump(end, take)?;
        }
        Ok(())
    }

    fn readable(&mut self, client: usize, has_end: bool, take: Take) -> Result<()> {
        loop {
            // A client that `take` closed meanwhile has no news.
            let Some(Client { socket, .. }) = &self.clients[client] else { return Ok(()) };
            match socket.read(&mut self.buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(0)) | Err(_) => return take(client, News::Closed),
                Ok(Some(n)) => {
                    take(client, News::Bytes(&self.buffer[..n]))?;
                    // A short read has emptied the socket: the next edge tells of more, but for a
                    // FIN that this one told of.
                    if n < self.buffer.len() && !has_end {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The first edge is the end of connecting, later ones are room for what is unsent.
    fn writable(&mut self, client: usize, take: Take) -> Result<()> {
        let Some(Client { socket, connecting, unsent, .. }) = &mut self.clients[client] else {
            return Ok(());
        };
        if std::mem::take(connecting) {
            let failed = socket.0.take_error()?.is_some();
            return take(client, News::Connected(!failed));
        }
        if unsent.is_empty() {
            return Ok(());
        }
        match socket.send(unsent.make_contiguous(), false) {
            Ok(sent) => {
                unsent.drain(..sent.unwrap_or(0));
                Ok(())
            }
            Err(_) => take(client, News::Closed),
        }
    }

    fn register(&mut self, client: usize, socket: Socket, connecting: bool) -> Result<()> {
        let ready = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        let flags = ready | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &socket.0, epoll::EventData::new_u64(client as u64), flags)?;
        self.clients.resize_with(self.clients.len().max(client + 1), || None);
        self.clients[client] =
            Some(Client { socket, connecting, unsent: VecDeque::new(), ends: false });
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let sockets = self.clients.iter().flatten().map(|client| &client.socket);
        sockets.chain(&self.deaf).for_each(Socket::reset_on_close);
    }
}
