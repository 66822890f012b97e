//! Any number of clients on one epoll: level-triggered, registered once. Knows no protocol.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::Result;

/// Connects made before the server must have accepted them: below its backlog.
pub(crate) const BATCH: usize = 2500;

/// Bytes one read asks for.
const READ_BYTES: usize = 64 * 1024;

/// Closed with RST when dropped, so that no port is left in TIME_WAIT.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    sockets: Vec<TcpStream>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

impl Crowd {
    pub(crate) fn new() -> Result<Crowd> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (events, buffer) = (Vec::with_capacity(1024), vec![0; READ_BYTES]);
        Ok(Crowd { epoll, sockets: Vec::new(), events, buffer })
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Connects one more client, and waits until it is.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Result<()> {
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        self.register(stream, epoll::EventFlags::IN)
    }

    /// Connects one more client that never reads, and takes little before it is full.
    pub(crate) fn connect_deaf(
        &mut self,
        address: SocketAddr,
        receive_buffer: usize,
    ) -> Result<()> {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags(false), None)?;
        sockopt::set_socket_recv_buffer_size(&socket, receive_buffer)?;
        rustix::net::connect(&socket, &address)?;
        self.sockets.push(socket.into());
        Ok(())
    }

    /// Begins to connect one more client; [`poll`](Self::poll) tells when it is.
    pub(crate) fn begin(&mut self, address: SocketAddr) -> Result<()> {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags(true), None)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        self.register(socket.into(), epoll::EventFlags::IN | epoll::EventFlags::OUT)
    }

    /// Waits for clients that [began](Self::begin), and hands them to `ready` with whether they
    /// have something to read. True from `ready` says that its connecting is known.
    pub(crate) fn poll(
        &mut self,
        timeout: Duration,
        mut ready: impl FnMut(usize, &mut TcpStream, bool) -> Result<bool>,
    ) -> Result<()> {
        let mut events = self.wait(timeout)?;
        for event in events.drain(..) {
            let client = event.data.u64() as usize;
            let flags = event.flags;
            let readable = flags.intersects(
                epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR,
            );
            if ready(client, &mut self.sockets[client], readable)? {
                let data = epoll::EventData::new_u64(client as u64);
                let flags = epoll::EventFlags::IN;
                epoll::modify(&self.epoll, &self.sockets[client], data, flags)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Waits for bytes, once, and hands them to `take` with the number of the client.
    ///
    /// # Errors
    /// Those of `take`, and a connection that ended: none should.
    pub(crate) fn pump(
        &mut self,
        timeout: Duration,
        mut take: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut events = self.wait(timeout)?;
        for event in events.drain(..) {
            let client = event.data.u64() as usize;
            match self.sockets[client].read(&mut self.buffer) {
                Ok(0) => return Err(format!("client {client} was dropped").into()),
                Ok(n) => take(client, &self.buffer[..n])?,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(format!("client {client} was dropped: {error}").into()),
            }
        }
        self.events = events;
        Ok(())
    }

    /// # Errors
    /// When the kernel does not take all of it at once.
    pub(crate) fn send(&self, client: usize, bytes: &[u8]) -> Result<()> {
        match (&self.sockets[client]).write(bytes) {
            Ok(n) if n == bytes.len() => Ok(()),
            Ok(_) => Err(format!("client {client} is not read from").into()),
            Err(error) => Err(format!("client {client} cannot send: {error}").into()),
        }
    }

    fn register(&mut self, socket: TcpStream, flags: epoll::EventFlags) -> Result<()> {
        let client = epoll::EventData::new_u64(self.sockets.len() as u64);
        epoll::add(&self.epoll, &socket, client, flags)?;
        self.sockets.push(socket);
        Ok(())
    }

    /// Sleeps whole milliseconds only; a shorter timeout is not waited for.
    fn wait(&mut self, timeout: Duration) -> Result<Vec<epoll::Event>> {
        let millis = timeout.as_millis() as i64;
        let timeout = Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 };
        let mut events = std::mem::take(&mut self.events);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(events),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for socket in &self.sockets {
            let _lost_already = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
}

fn flags(nonblocking: bool) -> SocketFlags {
    if nonblocking { SocketFlags::CLOEXEC | SocketFlags::NONBLOCK } else { SocketFlags::CLOEXEC }
}
