//! The system calls that make a socket to accept on, and accept from it.
//!
//! Options are set on the listening socket once, never on a connection, which inherits them: a
//! set of six costs six system calls.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
#[cfg(not(target_vendor = "apple"))]
use rustix::net::SocketFlags;
use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};
use rustix::process::{Resource, getrlimit};

use super::limits::{BACKLOG, Limits};

/// A non-blocking socket that listens on `address`; `[::]` for IPv6 alone if an IPv4 socket is
/// to have the same port.
pub(crate) fn listen(
    address: SocketAddr,
    beside_ipv4: bool,
    limits: &Limits,
) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = open(family)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, beside_ipv4)?;
    }
    sockopt::set_socket_send_buffer_size(&socket, limits.send_buffer)?;
    sockopt::set_socket_recv_buffer_size(&socket, limits.receive_buffer)?;
    // A telnet synch sends its data mark urgent; out of line it would be missing from its command.
    sockopt::set_socket_oobinline(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    set_keepalive(&socket, limits.dead)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// A non-blocking connection, and the address a person knows its peer by: IPv4 where it was
/// mapped into IPv6.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    #[cfg(not(target_vendor = "apple"))]
    let (socket, peer) = rustix::net::acceptfrom_with(listener, FLAGS)?;
    #[cfg(target_vendor = "apple")]
    let (socket, peer) = rustix::net::acceptfrom(listener).and_then(|(socket, peer)| {
        set_flags(&socket)?;
        Ok((socket, peer))
    })?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    let peer = peer.ok_or_else(|| io::Error::from(ErrorKind::ConnectionAborted))?;
    Ok((TcpStream::from(socket), SocketAddr::new(peer.ip().to_canonical(), peer.port())))
}

/// True when descriptors or memory have run out.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

/// A descriptor kept to be given up for one refusal at a time when there are none left: otherwise
/// the client at the head of the queue would wait unanswered, and its readiness would spin.
pub(crate) struct Spare(Option<OwnedFd>);

impl Spare {
    /// # Errors
    /// No descriptor is left: nobody could be served nor be refused.
    pub(crate) fn new(listener: &TcpListener) -> io::Result<Spare> {
        Ok(Spare(Some(rustix::io::fcntl_dupfd_cloexec(listener, 0)?)))
    }

    /// Hands the client at the head of the queue to `refuse`.
    ///
    /// # Errors
    /// Those of accept(2): nobody is there, or the spare was not to be had.
    pub(crate) fn accept(
        &mut self,
        listener: &TcpListener,
        refuse: impl FnOnce(TcpStream),
    ) -> io::Result<()> {
        self.0 = None;
        let refused = accept(listener).map(|(stream, _)| refuse(stream));
        self.0 = Spare::new(listener).ok().and_then(|spare| spare.0);
        refused
    }
}

/// Descriptors that this process has open, by the lowest number that is free: right but for gaps,
/// which cost a polite refusal later, and the same on every Unix.
pub(crate) fn open_descriptors(listener: &TcpListener) -> u64 {
    match rustix::io::fcntl_dupfd_cloexec(listener, 0) {
        Ok(free) => free.as_raw_fd() as u64,
        // All that the limit allows.
        Err(_) => getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

#[cfg(not(target_vendor = "apple"))]
fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(family, SocketType::STREAM, FLAGS, Some(ipproto::TCP))
}

#[cfg(target_vendor = "apple")]
fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, Some(ipproto::TCP))?;
    set_flags(&socket)?;
    Ok(socket)
}

/// Apple's socket(2) and accept(2) take no flags.
#[cfg(target_vendor = "apple")]
fn set_flags(socket: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(socket, true)
}

/// Probes start after half of `dead` and come every eighth of it, in whole seconds; the first
/// one due at `dead` finds that so many were not answered. OpenBSD has one pace for all sockets.
fn set_keepalive(socket: &OwnedFd, dead: Duration) -> io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    #[cfg(not(target_os = "openbsd"))]
    {
        let seconds = dead.as_secs().max(2);
        let (idle, interval) = (seconds / 2, (seconds / 8).max(1));
        sockopt::set_tcp_keepidle(socket, Duration::from_secs(idle))?;
        sockopt::set_tcp_keepintvl(socket, Duration::from_secs(interval))?;
        // Eight at most.
        sockopt::set_tcp_keepcnt(socket, (seconds - idle).div_ceil(interval) as u32)?;
    }
    Ok(())
}

/// Has Linux find peers dead while data is under way, where nobody else does. It looks when a
/// probe is due, so the timeout stands half a second short: the probe at `dead` must find it over.
#[cfg(target_os = "linux")]
pub(crate) fn set_user_timeout(listener: &TcpListener, dead: Duration) -> io::Result<()> {
    let timeout = dead.saturating_sub(Duration::from_millis(500)).as_millis();
    Ok(sockopt::set_tcp_user_timeout(listener, u32::try_from(timeout).unwrap_or(u32::MAX))?)
}
