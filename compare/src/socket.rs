//! A client's socket that never waits, for who sends and reads by hand. Knows no protocol.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};

use crate::Result;

pub(crate) struct Socket(pub(crate) TcpStream);

impl Socket {
    /// Begins to connect, from an address other than the usual one, and with room for so many bytes
    /// that are not read, where these are given. Until it is connected, it takes and has nothing.
    pub(crate) fn connect(
        address: SocketAddr,
        from: Option<Ipv4Addr>,
        room: Option<usize>,
    ) -> Result<Socket> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        if let Some(room) = room {
            sockopt::set_socket_recv_buffer_size(&socket, room)?;
        }
        if let Some(from) = from {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
        }
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Socket(socket.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// How many bytes the kernel took, if it takes any now; the last one may be urgent.
    pub(crate) fn send(&self, bytes: &[u8], is_urgent: bool) -> io::Result<Option<usize>> {
        let flags = if is_urgent { SendFlags::OOB } else { SendFlags::empty() };
        let sent = rustix::net::send(&self.0, bytes, flags | SendFlags::NOSIGNAL);
        unless_blocked(sent.map_err(Into::into))
    }

    /// How many bytes were read, if any are there now; 0 is the server's FIN.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_blocked((&self.0).read(buffer))
    }

    pub(crate) fn half_close(&self) {
        let _gone_already = self.0.shutdown(Shutdown::Write);
    }

    /// Dropped from now on, it resets the connection: in TIME_WAIT, all ports would be used up
    /// within a second.
    pub(crate) fn reset_on_close(&self) {
        let _lost_already = sockopt::set_socket_linger(&self.0, Some(Duration::ZERO));
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
