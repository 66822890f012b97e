//! The kernel's table of TCP sockets, as bytes: how to ask for it, and its rows. No I/O.
//!
//! Numbers and offsets are those of the headers linux/netlink.h, linux/sock_diag.h,
//! linux/inet_diag.h and linux/tcp.h, to which the kernel only ever appends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The state of a listening socket, as one of a set.
pub(super) const LISTENING: u32 = 1 << 10;

/// The states of a socket that may have output: established; with the peer's FIN read; and with
/// both, as long as ours is not acknowledged.
pub(super) const CONNECTED: u32 = 1 << 1 | 1 << 8 | 1 << 9 | 1 << 11;

/// What the kernel says of one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its other end; IPv4 mapped into IPv6 is given as IPv4.
    pub(crate) peer: SocketAddr,
    /// No other socket of this machine has or had it.
    pub(crate) cookie: u64,
    /// Bytes written that the peer has not acknowledged.
    pub(crate) waiting: u32,
    /// Bytes the peer has acknowledged so far.
    pub(crate) acked: u64,
    /// Time since the peer acknowledged anything, be it that it can take no more.
    pub(crate) silent: Duration,
}

const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;

/// SOCK_DIAG_BY_FAMILY, of the request and of each row.
const BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST and NLM_F_DUMP.
const ALL: u16 = 0x301;
/// NLMSG_ERROR and NLMSG_DONE.
const LAST: [u16; 2] = [2, 3];

/// INET_DIAG_INFO: the attribute that holds a `tcp_info`.
const INFO: u8 = 2;

const IPV4: u8 = 2;
const IPV6: u8 = 10;

/// Asks for all TCP sockets in one of these states whose own port and family are those of
/// `local`.
pub(super) fn request(local: SocketAddr, states: u32) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(REQUEST as u32).to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &ALL.to_ne_bytes());
    let tcp = 6;
    let family = if local.is_ipv4() { IPV4 } else { IPV6 };
    put(HEADER, &[family, tcp, 1 << (INFO - 1)]);
    put(HEADER + 4, &states.to_ne_bytes());
    put(HEADER + 8, &local.port().to_be_bytes());
    request
}

/// The rows in the kernel's answer, or in a part of it.
pub(super) fn rows(answer: &[u8]) -> Rows<'_> {
    Rows { rest: answer, last: false }
}

pub(super) struct Rows<'a> {
    rest: &'a [u8],
    last: bool,
}

impl Rows<'_> {
    /// True when the answer ends with these; known once they were walked through.
    pub(super) fn is_last(&self) -> bool {
        self.last
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let len = u32::from_ne_bytes(field(self.rest, 0)?) as usize;
            let kind = u16::from_ne_bytes(field(self.rest, 4)?);
            let message = self.rest.get(HEADER..len)?;
            self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
            self.last |= LAST.contains(&kind);
            if let Some(row) = row(message).filter(|_| kind == BY_FAMILY) {
                return Some(row);
            }
        }
    }
}

/// An `inet_diag_msg` and its attributes.
fn row(message: &[u8]) -> Option<Row> {
    let ip = match message.first()? {
        &IPV4 => IpAddr::from(Ipv4Addr::from(field::<4>(message, 24)?)),
        _ => Ipv6Addr::from(field::<16>(message, 24)?).to_canonical(),
    };
    let info = info(message.get(72..)?)?;
    let number = |bytes, at| field(bytes, at).map(u32::from_ne_bytes);
    let (low, high) = (number(message, 44)?, number(message, 48)?);
    let silent = number(info, 56)?;
    Some(Row {
        peer: SocketAddr::new(ip, u16::from_be_bytes(field(message, 6)?)),
        cookie: u64::from(low) | u64::from(high) << 32,
        waiting: number(message, 60)?,
        acked: u64::from_ne_bytes(field(info, 120)?),
        silent: Duration::from_millis(silent.into()),
    })
}

/// The `tcp_info` among the attributes of a row.
fn info(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let len = usize::from(u16::from_ne_bytes(field(attributes, 0)?));
        let kind = u16::from_ne_bytes(field(attributes, 2)?);
        let value = attributes.get(4..len)?;
        if kind == u16::from(INFO) {
            return Some(value);
        }
        attributes = attributes.get(aligned(len)..)?;
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Messages and attributes begin at multiples of four bytes.
fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}
