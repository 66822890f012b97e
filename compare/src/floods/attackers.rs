//! The clients of a flood.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;

use crate::Result;
use crate::flood::Flood;
use crate::socket::Socket;

/// Sends of one client before others have their turn.
const SENDS: usize = 4;

/// Bytes of one read, at most.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that who is narrow takes unread.
const NARROW: usize = 2304;

/// Wait of a crowd of whom nobody can do anything.
const IDLE: Duration = Duration::from_millis(2);

/// Connects and bytes of all clients in a second, at most: more than one thread can serve, and as
/// much as a gigabit link carries. Without a bound they would fill the core that the talker needs.
const CONNECTS: f64 = 10_000.0;
const BYTES: f64 = 125e6;

/// Clients from this many on have an address each.
const MANY: usize = 100;

struct Horde<'a> {
    flood: &'a Flood,
    address: SocketAddr,
    block: Vec<u8>,
    buffer: Vec<u8>,
    clients: Vec<Attacker>,
    /// Since it began.
    seconds: f64,
    connects: usize,
    bytes: usize,
}

struct Attacker {
    /// None while it is not there.
    socket: Option<Socket>,
    /// Before this it does not come again.
    due: Instant,
    since: Instant,
    sent: usize,
    /// It sent its FIN, and waits for the server's.
    is_leaving: bool,
}

/// A flood of so many clients until it is `over`, on a thread of its own. Returns connects and MiB of
/// a second.
pub(super) fn flood(
    flood: &Flood,
    count: usize,
    address: SocketAddr,
    over: &AtomicBool,
) -> [f64; 2] {
    // The talker has the generator's core first.
    let _equal_then = setpriority_process(None, 19);
    let (mut horde, started) = (Horde::new(flood, count, address), Instant::now());
    while !over.load(Ordering::Relaxed) {
        let (now, mut is_busy) = (Instant::now(), false);
        horde.seconds = (now - started).as_secs_f64();
        for client in 0..count {
            // One whose connection ended comes again.
            is_busy |= horde.step(client, now).unwrap_or_else(|_| horde.go_away(client));
        }
        if !is_busy {
            std::thread::sleep(IDLE);
        }
    }
    horde.clients.iter().flat_map(|it| &it.socket).for_each(Socket::reset_on_close);
    [horde.connects as f64, horde.bytes as f64 / 1_048_576.0].map(|all| all / horde.seconds)
}

impl Horde<'_> {
    fn new(flood: &Flood, count: usize, address: SocketAddr) -> Horde<'_> {
        let now = Instant::now();
        let clients = (0..count as u32).map(|client| {
            let due = now + flood.again * client / count as u32;
            Attacker { socket: None, due, since: now, sent: 0, is_leaving: false }
        });
        let (clients, block, buffer) = (clients.collect(), flood.block(), vec![0; READ_BYTES]);
        Horde { flood, address, block, buffer, clients, seconds: 0.0, connects: 0, bytes: 0 }
    }

    /// Comes, reads, sends and goes, as far as it is time to; true when it may have more to do at
    /// once. An error is the end of its connection.
    fn step(&mut self, client: usize, now: Instant) -> io::Result<bool> {
        let Attacker { socket, due, since, sent, is_leaving } = &mut self.clients[client];
        let Some(socket) = socket else {
            if now >= *due && (self.connects as f64) < CONNECTS * self.seconds {
                // Out of ports it tries again.
                let _absent_still = self.come(client, now);
            }
            return Ok(false);
        };
        let reads = self.flood.reads || *is_leaving;
        if reads && socket.read(&mut self.buffer)? == Some(0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if *is_leaving {
            return Ok(false);
        }
        if now - *since >= self.flood.stay || *sent >= self.flood.sends {
            if self.connects.is_multiple_of(self.flood.resets) {
                return Ok(self.go_away(client));
            }
            *is_leaving = true;
            socket.half_close();
            return Ok(true);
        }
        for _ in 0..SENDS {
            let rest = &self.block[*sent % self.block.len().max(1)..];
            if rest.is_empty() || self.bytes as f64 >= BYTES * self.seconds {
                return Ok(false);
            }
            let rest = &rest[..rest.len().min(self.flood.segment)];
            let Some(n) = socket.send(rest, self.flood.urgent)? else { return Ok(false) };
            *sent += n;
            self.bytes += n;
        }
        Ok(true)
    }

    fn come(&mut self, client: usize, now: Instant) -> Result<()> {
        let from = from(client, self.clients.len());
        let room = self.flood.narrow.then_some(NARROW);
        let socket = Some(Socket::connect(self.address, Some(from), room)?);
        let due = now + self.flood.again;
        self.clients[client] = Attacker { socket, due, since: now, sent: 0, is_leaving: false };
        self.connects += 1;
        Ok(())
    }

    /// With RST; there may be more to do at once.
    fn go_away(&mut self, client: usize) -> bool {
        if let Some(socket) = self.clients[client].socket.take() {
            socket.reset_on_close();
        }
        true
    }
}

/// A few clients share an address, other than the talker's; many have one each.
fn from(client: usize, count: usize) -> Ipv4Addr {
    if count < MANY {
        return Ipv4Addr::new(127, 0, 0, 2);
    }
    Ipv4Addr::new(127, 1, (client / 250) as u8, (client % 250) as u8 + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_few_share_an_address_and_many_have_one_each() {
        let all = |count| (0..count).map(|client| from(client, count)).collect::<BTreeSet<_>>();
        assert_eq!((all(20).len(), all(1000).len()), (1, 1000));
        assert!(all(1000).iter().all(|it| it.is_loopback() && *it != Ipv4Addr::LOCALHOST));
    }
}
