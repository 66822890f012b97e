//! Who is at the other end of a connection, and whom the limits count it as. No I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The other end of a connection. Shown as `192.0.2.1:4242`, `[2001:db8::1]:4242` or
/// `uid:1000,pid:4242`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Over TCP.
    Ip {
        /// Its address; IPv4 mapped into IPv6 is given as IPv4.
        address: IpAddr,
        /// Its port.
        port: u16,
    },
    /// Over a unix socket: who connected, as the kernel noted it then (SO_PEERCRED of unix(7)).
    /// `None` for a process in a PID namespace that this one cannot see, and on systems other than
    /// Linux.
    #[non_exhaustive]
    Unix {
        /// Its user.
        uid: Option<u32>,
        /// Its process.
        pid: Option<u32>,
    },
}

/// Whom a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subscriber {
    /// An IPv4 address, or the first one of an IPv6 /64.
    Network(IpAddr),
    /// A user of this machine, who came over a unix socket.
    User(Option<u32>),
}

impl Peer {
    /// Its IP address; `None` over a unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Peer::Ip { address, .. } => Some(*address),
            Peer::Unix { .. } => None,
        }
    }

    pub(crate) fn subscriber(&self) -> Subscriber {
        match self {
            Peer::Ip { address, .. } => Subscriber::Network(network(*address)),
            Peer::Unix { uid, .. } => Subscriber::User(*uid),
        }
    }

    /// What [`Limits::max_per_ip`](crate::Limits) counts by, or `None` for who is on this machine,
    /// who is exempt.
    pub(crate) fn subnet(&self) -> Option<IpAddr> {
        self.ip().filter(|ip| !ip.is_loopback()).map(network)
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer::Ip { address: address.ip().to_canonical(), port: address.port() }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ip { address, port } => SocketAddr::new(*address, *port).fmt(f),
            Peer::Unix { uid: Some(uid), pid: Some(pid) } => write!(f, "uid:{uid},pid:{pid}"),
            Peer::Unix { uid: Some(uid), pid: None } => write!(f, "uid:{uid}"),
            Peer::Unix { .. } => f.write_str("unix"),
        }
    }
}

/// One subscriber has a whole IPv6 /64 (RFC 6177), but the /64 of link-local addresses is
/// everybody on the link (RFC 4291 2.5.6), and behind NAT64's prefix stands each time an IPv4
/// address (RFC 6052 2.1).
fn network(ip: IpAddr) -> IpAddr {
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

    fn subnet_of(ip: &str) -> Option<String> {
        let peer = Peer::Ip { address: ip.parse().expect("an address"), port: 9 };
        peer.subnet().map(|ip| ip.to_string())
    }

    #[test]
    fn one_ipv6_subscriber_counts_as_one_and_this_machine_not_at_all() {
        assert_eq!(subnet_of("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(subnet_of("192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(subnet_of("fe80::1:2").as_deref(), Some("fe80::1:2"), "one of many on a link");
        assert_eq!(subnet_of("64:ff9b::192.0.2.7").as_deref(), Some("192.0.2.7"), "over NAT64");
        assert_eq!(subnet_of("64:ff9b:1::1").as_deref(), Some("64:ff9b:1::"));
        assert_eq!(subnet_of("127.9.9.9"), None);
        assert_eq!(subnet_of("::1"), None);
        assert_eq!(Peer::Unix { uid: Some(0), pid: Some(1) }.subnet(), None);
    }

    #[test]
    fn a_user_is_one_subscriber_whatever_its_process() {
        let of = |uid, pid| Peer::Unix { uid: Some(uid), pid: Some(pid) }.subscriber();
        assert_eq!(of(1000, 7), of(1000, 8));
        assert_ne!(of(1000, 7), of(1001, 7));
    }

    #[test]
    fn a_peer_is_shown_without_a_space() {
        let unix = |uid, pid| Peer::Unix { uid, pid }.to_string();
        assert_eq!(unix(Some(1000), Some(7)), "uid:1000,pid:7");
        assert_eq!(unix(Some(0), None), "uid:0");
        assert_eq!(unix(None, None), "unix");
        let peer = Peer::Ip { address: Ipv4Addr::new(192, 0, 2, 1).into(), port: 4242 };
        assert_eq!(peer.to_string(), "192.0.2.1:4242");
    }
}
