//! The sockets a server accepts on: bound, with the backlog and the options that every accepted
//! connection inherits.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;

use super::limits::Limits;
use super::socket::{is_exhaustion, listen};
use super::stats::Stats;

/// Bound sockets, the limits of the server that will accept from them, and its counters.
#[derive(Debug)]
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) limits: Limits,
    pub(super) stats: Rc<Stats>,
}

impl Listener {
    /// Binds all of `addresses`, of which there should be one at least; port 0 lets the system choose. `[::]` takes IPv4 clients too,
    /// unless an IPv4 address with the same port is asked for beside it.
    ///
    /// # Errors
    /// The first address that cannot be bound, and why; none stays bound then.
    pub fn bind(addresses: &[SocketAddr], limits: Limits) -> Result<Listener, BindError> {
        let sockets = addresses
            .iter()
            .map(|&address| {
                let beside_ipv4 =
                    addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
                listen(address, beside_ipv4, &limits)
                    .map_err(|source| BindError { address, source })
            })
            .collect::<Result<_, _>>()?;
        Ok(Listener { sockets, limits, stats: Rc::default() })
    }

    /// The addresses in the order they were asked for, with the ports the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
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
            _ if is_exhaustion(&self.source) => "; raise the limit with ulimit -n",
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

/// What [`Limits::max_per_ip`] counts by: the [`subscriber`], or `None` for loopback, which is
/// exempt.
pub(crate) fn subnet(ip: IpAddr) -> Option<IpAddr> {
    (!ip.is_loopback()).then(|| subscriber(ip))
}

/// Whom an address belongs to. One subscriber has a whole IPv6 /64 (RFC 6177), but the /64 of
/// link-local addresses is everybody on the link (RFC 4291 2.5.6), and behind NAT64's prefix
/// stands each time an IPv4 address (RFC 6052 2.1).
pub(crate) fn subscriber(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Ipv4Addr::from_bits(v6.to_bits() as u32).into(),
        _ if v6.is_unicast_link_local() => ip,
        _ => IpAddr::V6((v6.to_bits() & (!0 << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin_of(ip: &str) -> Option<String> {
        subnet(ip.parse().expect("an address")).map(|ip| ip.to_string())
    }

    #[test]
    fn one_ipv6_subscriber_counts_as_one_and_loopback_not_at_all() {
        assert_eq!(origin_of("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(origin_of("192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(origin_of("fe80::1:2").as_deref(), Some("fe80::1:2"), "one of many on a link");
        assert_eq!(origin_of("64:ff9b::192.0.2.7").as_deref(), Some("192.0.2.7"), "over NAT64");
        assert_eq!(origin_of("64:ff9b:1::1").as_deref(), Some("64:ff9b:1::"));
        assert_eq!(origin_of("127.9.9.9"), None);
        assert_eq!(origin_of("::1"), None);
    }

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
    fn ipv4_and_ipv6_share_a_port() {
        let limits = Limits::default();
        let first = Listener::bind(&["0.0.0.0:0".parse().expect("an address")], limits.clone());
        let port = first.expect("a free port").addresses()[0].port();
        let both = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
        let both = both.map(|address| address.parse().expect("an address"));
        assert!(Listener::bind(&both, limits.clone()).is_ok());
        assert!(Listener::bind(&[both[0], both[0]], limits.clone()).is_err());
    }
}
