//! The sockets a server accepts on: bound, with the backlog and the options that every accepted
//! TCP connection inherits.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;

use super::handle::ServerHandle;
use super::limits::Limits;
use super::socket::{adopt_listener, is_exhaustion, listen, local_address, local_name};
use super::stats::Stats;

/// Bound sockets, the limits of the server that will accept from them, and its counters.
#[derive(Debug)]
pub struct Listener {
    pub(super) sockets: Vec<OwnedFd>,
    pub(super) limits: Limits,
    pub(super) stats: Rc<Stats>,
    pub(super) handle: ServerHandle,
}

impl Listener {
    /// Binds all of `addresses`; port 0 lets the system choose. `[::]` takes IPv4 clients too,
    /// unless an IPv4 address with the same port is asked for beside it. There may be none, for a
    /// server that gets its sockets from [`add`](Self::add) or its connections from
    /// [`admit`](ServerHandle::admit).
    ///
    /// # Errors
    /// The first address that cannot be bound, and why; none stays bound then.
    pub fn bind(addresses: &[SocketAddr], limits: Limits) -> Result<Listener, BindError> {
        Listener::bind_all(addresses, false, limits)
    }

    /// As [`bind`](Self::bind), but shares the addresses with other servers of the same user that
    /// were bound by this function too, or with SO_REUSEPORT: socket(7). The kernel gives each client
    /// to one of them, by a hash of its address and port, so that many clients are spread evenly. The
    /// limits count for each server by itself: one that is full refuses clients while another has
    /// room. When one ends, clients that it has not accepted yet are cut off.
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind), and [`Unsupported`](io::ErrorKind::Unsupported) where the
    /// system is not Linux: others have the option, but no balance.
    pub fn bind_shared(addresses: &[SocketAddr], limits: Limits) -> Result<Listener, BindError> {
        Listener::bind_all(addresses, true, limits)
    }

    pub(crate) fn bind_all(
        addresses: &[SocketAddr],
        shares: bool,
        limits: Limits,
    ) -> Result<Listener, BindError> {
        let sockets = addresses
            .iter()
            .map(|&address| {
                let beside_ipv4 =
                    addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
                listen(address, beside_ipv4, shares, &limits)
                    .map_err(|source| BindError { address, source })
            })
            .collect::<Result<_, _>>()?;
        let (stats, handle) = (Rc::default(), ServerHandle::default());
        Ok(Listener { sockets, limits, stats, handle })
    }

    /// Takes a socket that listens already: a `TcpListener` or `UnixListener` of the standard
    /// library, or one that another process passed. It becomes non-blocking and gets the same
    /// options and backlog as those of [`bind`](Self::bind). The file of a unix socket stays its
    /// owner's, who removes it when the server has ended.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for anything but a stream socket that listens
    /// on TCP or as a unix socket; otherwise what the system says.
    pub fn add(&mut self, socket: impl Into<OwnedFd>) -> io::Result<()> {
        let socket = socket.into();
        adopt_listener(&socket, &self.limits)?;
        self.sockets.push(socket);
        Ok(())
    }

    /// The IP addresses in the order they were asked for or added, with the ports the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(local_address).collect()
    }

    /// What the log calls each socket.
    pub(crate) fn names(&self) -> Vec<String> {
        self.sockets.iter().map(local_name).collect()
    }

    /// A handle that gives the server of this listener connections that the host accepted itself.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Counters of the clients that come through this listener; they go on when the server has it.
    pub fn stats(&self) -> Rc<Stats> {
        self.stats.clone()
    }
}

/// An address that cannot be listened on.
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    /// The address, as it was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the system says.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)?;
        f.write_str(match self.kind() {
            io::ErrorKind::AddrNotAvailable => "; it is not an address of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need root, choose a higher one",
            io::ErrorKind::AddrInUse => "",
            io::ErrorKind::Unsupported => "; only Linux lets servers share a port",
            _ if is_exhaustion(&self.source) => "; raise the limit with ulimit -n",
            _ if self.source.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => {
                "; choose another address, or where a systemd unit forbids it (RestrictAddressFamilies=), \
                 restart the socket unit"
            }
            _ => "; choose another address",
        })
    }
}

/// In words as well: a `main` that returns its errors prints them with `Debug`.
impl fmt::Debug for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_returns_a_bind_error_prints_it_in_words() {
        let limits = Limits::default();
        let first = Listener::bind(&["127.0.0.1:0".parse().expect("an address")], limits.clone());
        let first = first.expect("a free port");
        let taken = first.addresses()[0];
        for (address, kind) in [
            (taken, io::ErrorKind::AddrInUse),
            (SocketAddr::from(([198, 51, 100, 1], 0)), io::ErrorKind::AddrNotAvailable),
        ] {
            let error = Listener::bind(&[address], limits.clone()).expect_err("it cannot be bound");
            assert_eq!((error.address(), error.kind()), (address, kind));
            let error: Box<dyn std::error::Error> = error.into();
            let printed = format!("{error:?}");
            assert!(printed.starts_with(&format!("cannot listen on {address}: ")), "{printed}");
            assert!(!printed.contains(['{', '\n']) && !printed.contains("--"), "{printed}");
        }
    }

    #[test]
    fn a_family_that_the_system_forbids_is_mended_by_the_socket_unit() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8002));
        let source = Errno::AFNOSUPPORT.into();
        let printed = BindError { address, source }.to_string();
        assert!(printed.ends_with(", restart the socket unit"), "{printed}");
    }

    #[test]
    fn ipv4_and_ipv6_share_a_port() {
        let limits = Limits::default();
        let first = Listener::bind(&["0.0.0.0:0".parse().expect("an address")], limits.clone());
        let port = first.expect("a free port").addresses()[0].port();
        let both = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
        let both = both.map(|address| address.parse().expect("an address"));
        assert!(Listener::bind(&both, limits.clone()).is_ok());
        assert!(Listener::bind(&[both[0], both[0]], limits.clone()).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_port_is_shared_by_those_that_ask_for_it() {
        let limits = Limits::default();
        let any = ["127.0.0.1:0".parse().expect("an address")];
        let first = Listener::bind_shared(&any, limits.clone()).expect("a free port");
        let address = first.addresses();
        let second = Listener::bind_shared(&address, limits.clone()).expect("a shared port");
        assert_eq!(second.addresses(), address);
        let error = Listener::bind(&address, limits).expect_err("it shares nothing");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
