//! The system calls that make a socket to accept on, and accept from it.
//!
//! Options are set on the listening TCP socket once, never on its connections, which inherit them:
//! a set of six costs six system calls. Unix sockets inherit none.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
#[cfg(not(target_vendor = "apple"))]
use rustix::net::SocketFlags;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, getsockname, sockopt};
use rustix::process::{Resource, getrlimit};

use super::limits::{BACKLOG, Limits};
use super::peer::Peer;
use super::stream::Stream;

/// A non-blocking socket that listens on `address`; `[::]` for IPv6 alone if an IPv4 socket is
/// to have the same port. One that `shares` lets others that do so listen there too.
pub(crate) fn listen(
    address: SocketAddr,
    beside_ipv4: bool,
    shares: bool,
    limits: &Limits,
) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = open(family)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, beside_ipv4)?;
    }
    if shares {
        share_port(&socket)?;
    }
    set_options(&socket, family, limits)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Makes a socket that listens already as those of [`listen`] are.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for anything but a stream socket that listens on TCP or as a unix
/// socket.
pub(crate) fn adopt_listener(socket: &OwnedFd, limits: &Limits) -> io::Result<()> {
    // Apple has no SO_ACCEPTCONN; there the listen(2) below is what fails.
    #[cfg(not(target_vendor = "apple"))]
    if sockopt::socket_acceptconn(socket) != Ok(true) {
        return Err(ErrorKind::InvalidInput.into());
    }
    adopt(socket, limits)?;
    Ok(rustix::net::listen(socket, BACKLOG)?)
}

/// Makes a connection that somebody else accepted as those of [`accept`] are.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for anything but a stream socket over TCP or a unix socket, and
/// [`ErrorKind::NotConnected`] for one that has no peer.
pub(crate) fn adopt_stream(socket: OwnedFd, limits: &Limits) -> io::Result<(Stream, Peer)> {
    adopt(&socket, limits)?;
    let peer = peer(&socket, rustix::net::getpeername(&socket)?)?;
    // No listening socket is asked about it, see `diag`.
    #[cfg(target_os = "linux")]
    if peer.ip().is_some() {
        set_user_timeout(&socket, limits.dead)?;
    }
    Ok((Stream::from(socket), peer))
}

/// A non-blocking connection, and the address a person knows its peer by: IPv4 where it was
/// mapped into IPv6.
pub(crate) fn accept(listener: &OwnedFd, limits: &Limits) -> io::Result<(Stream, Peer)> {
    #[cfg(not(target_vendor = "apple"))]
    let (socket, address) = rustix::net::acceptfrom_with(listener, FLAGS)?;
    #[cfg(target_vendor = "apple")]
    let (socket, address) = rustix::net::acceptfrom(listener).and_then(|(socket, peer)| {
        set_flags(&socket)?;
        Ok((socket, peer))
    })?;
    let peer = peer(&socket, address)?;
    if peer.ip().is_none() {
        set_options(&socket, AddressFamily::UNIX, limits)?;
    }
    Ok((Stream::from(socket), peer))
}

/// The IP address and port of a TCP socket.
pub(crate) fn local_address(socket: &OwnedFd) -> Option<SocketAddr> {
    getsockname(socket).ok()?.try_into().ok()
}

/// The address of a socket as a person writes it: `unix:` and its path if it is a unix socket, with
/// `@` before a name that is no file's.
pub(crate) fn local_name(socket: &OwnedFd) -> String {
    if let Some(address) = local_address(socket) {
        return address.to_string();
    }
    let unix = getsockname(socket).and_then(SocketAddrUnix::try_from).ok();
    let path = unix.as_ref().and_then(|it| Some(String::from_utf8_lossy(it.path_bytes()?)));
    #[cfg(target_os = "linux")]
    if let Some(name) = unix.as_ref().and_then(SocketAddrUnix::abstract_name) {
        return format!("unix:@{}", String::from_utf8_lossy(name));
    }
    format!("unix:{}", path.unwrap_or_default())
}

fn adopt(socket: &OwnedFd, limits: &Limits) -> io::Result<()> {
    let name = getsockname(socket).map_err(|errno| match errno {
        Errno::NOTSOCK => ErrorKind::InvalidInput.into(),
        _ => io::Error::from(errno),
    })?;
    let family = name.address_family();
    let is_known = [AddressFamily::INET, AddressFamily::INET6, AddressFamily::UNIX];
    if sockopt::socket_type(socket)? != SocketType::STREAM || !is_known.contains(&family) {
        return Err(ErrorKind::InvalidInput.into());
    }
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    Ok(set_options(socket, family, limits)?)
}

fn peer(socket: &OwnedFd, address: Option<SocketAddrAny>) -> io::Result<Peer> {
    if let Some(Ok(ip)) = address.map(SocketAddr::try_from) {
        return Ok(ip.into());
    }
    if getsockname(socket)?.address_family() != AddressFamily::UNIX {
        return Err(ErrorKind::ConnectionAborted.into());
    }
    #[cfg(target_os = "linux")]
    let (uid, pid) = sockopt::socket_peercred(socket).map_or((None, None), |it| {
        (Some(it.uid.as_raw()), u32::try_from(it.pid.as_raw_nonzero().get()).ok())
    });
    #[cfg(not(target_os = "linux"))]
    let (uid, pid) = (None, None);
    Ok(Peer::Unix { uid, pid })
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
    pub(crate) fn new(listener: &OwnedFd) -> io::Result<Spare> {
        Ok(Spare(Some(rustix::io::fcntl_dupfd_cloexec(listener, 0)?)))
    }

    /// Hands the client at the head of the queue to `refuse`.
    ///
    /// # Errors
    /// Those of accept(2): nobody is there, or the spare was not to be had.
    pub(crate) fn accept(
        &mut self,
        listener: &OwnedFd,
        limits: &Limits,
        refuse: impl FnOnce(Stream),
    ) -> io::Result<()> {
        self.0 = None;
        let refused = accept(listener, limits).map(|(stream, _)| refuse(stream));
        self.0 = Spare::new(listener).ok().and_then(|spare| spare.0);
        refused
    }
}

/// Descriptors that this process has open, by the lowest number that is free: right but for gaps,
/// which cost a polite refusal later, and the same on every Unix.
pub(crate) fn open_descriptors() -> u64 {
    match rustix::pipe::pipe() {
        Ok((one, other)) => one.as_raw_fd().min(other.as_raw_fd()) as u64,
        // All that the limit allows.
        Err(Errno::MFILE | Errno::NFILE) => getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        Err(_) => 0,
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

#[cfg(not(target_vendor = "apple"))]
pub(crate) fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)
}

#[cfg(target_vendor = "apple")]
pub(crate) fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    set_flags(&socket)?;
    Ok(socket)
}

/// Apple's socket(2) and accept(2) take no flags.
#[cfg(target_vendor = "apple")]
fn set_flags(socket: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(socket, true)
}

/// Elsewhere than on Linux the last socket would get all clients.
fn share_port(socket: &OwnedFd) -> io::Result<()> {
    if cfg!(target_os = "linux") {
        return Ok(sockopt::set_socket_reuseport(socket, true)?);
    }
    Err(ErrorKind::Unsupported.into())
}

/// What the kernel holds for each client, and how it finds out that one is gone.
fn set_options(socket: &OwnedFd, family: AddressFamily, limits: &Limits) -> rustix::io::Result<()> {
    sockopt::set_socket_send_buffer_size(socket, limits.send_buffer)?;
    sockopt::set_socket_recv_buffer_size(socket, limits.receive_buffer)?;
    // A telnet synch sends its data mark urgent; out of line it would be missing from its command.
    sockopt::set_socket_oobinline(socket, true)?;
    // Nor does send(2) know MSG_NOSIGNAL there.
    #[cfg(target_vendor = "apple")]
    sockopt::set_socket_nosigpipe(socket, true)?;
    if family != AddressFamily::UNIX {
        sockopt::set_tcp_nodelay(socket, true)?;
        set_keepalive(socket, limits.dead)?;
    }
    Ok(())
}

/// Probes start after half of `dead` and come every eighth of it, in whole seconds; the first
/// one due at `dead` finds that so many were not answered. OpenBSD has one pace for all sockets.
fn set_keepalive(socket: &OwnedFd, dead: Duration) -> rustix::io::Result<()> {
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
pub(crate) fn set_user_timeout(socket: &OwnedFd, dead: Duration) -> io::Result<()> {
    let timeout = dead.saturating_sub(Duration::from_millis(500)).as_millis();
    Ok(sockopt::set_tcp_user_timeout(socket, u32::try_from(timeout).unwrap_or(u32::MAX))?)
}
