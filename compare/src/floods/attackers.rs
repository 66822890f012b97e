//! The clients of a flood, on a thread of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, SocketFlags, sockopt};
use rustix::process::setpriority_process;

use crate::Result;
use crate::crowd::{Crowd, News, tcp};
use crate::flood::{Flood, Stay};

/// Sends of one client before others have their turn.
const SENDS: usize = 4;

/// Wait of a crowd of whom nobody can do anything.
const IDLE: Duration = Duration::from_millis(2);

/// Connects and bytes of all clients in a second, at most: more than one thread can serve, and as
/// much as a gigabit link carries. Without a bound they would fill the core that the talker needs.
const CONNECTS: f64 = 10_000.0;
const BYTES: f64 = 125e6;

/// Clients from this many on have an address each.
const MANY: usize = 100;

/// What a flood did in a second.
pub(super) struct Done {
    pub(super) connects: f64,
    pub(super) mib: f64,
}

struct Horde {
    flood: &'static Flood,
    address: SocketAddr,
    crowd: Crowd,
    block: Vec<u8>,
    clients: Vec<Attacker>,
    /// Since it began.
    seconds: f64,
    connects: usize,
    bytes: usize,
}

struct Attacker {
    state: State,
    /// Before this it does not come again.
    due: Instant,
    /// When its connection stood.
    since: Instant,
    sent: usize,
}

enum State {
    Absent,
    Here,
    /// For its connection to stand, or for the server's FIN after its own.
    Waiting,
}

/// Begins a flood; what is returned ends it, and tells what it did.
pub(super) fn begin(
    flood: &'static Flood,
    count: usize,
    address: SocketAddr,
) -> impl FnOnce() -> Result<Done> {
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let thread = std::thread::spawn(move || {
        // The talker has the generator's core first.
        let _equal_then = setpriority_process(None, 19);
        let done = Horde::new(flood, count, address).and_then(|mut horde| horde.go(&ended));
        done.map_err(|error| error.to_string())
    });
    move || {
        over.store(true, Ordering::Relaxed);
        Ok(thread.join().map_err(|_| "the flood panicked")??)
    }
}

impl Horde {
    fn new(flood: &'static Flood, count: usize, address: SocketAddr) -> Result<Horde> {
        let crowd = Crowd::new(flood.reads)?;
        let now = Instant::now();
        let clients = (0..count as u32).map(|client| {
            let due = now + flood.again * client / count as u32;
            Attacker { state: State::Absent, due, since: now, sent: 0 }
        });
        let (clients, block) = (clients.collect(), flood.block());
        Ok(Horde { flood, address, crowd, block, clients, seconds: 0.0, connects: 0, bytes: 0 })
    }

    fn go(&mut self, over: &AtomicBool) -> Result<Done> {
        let started = Instant::now();
        while !over.load(Ordering::Relaxed) {
            let (now, mut is_busy) = (Instant::now(), false);
            self.seconds = (now - started).as_secs_f64();
            for client in 0..self.clients.len() {
                is_busy |= self.step(client, now);
            }
            self.look(if is_busy { now } else { now + IDLE })?;
        }
        let mib = self.bytes as f64 / 1_048_576.0 / self.seconds;
        Ok(Done { connects: self.connects as f64 / self.seconds, mib })
    }

    /// Takes what is new.
    fn look(&mut self, deadline: Instant) -> Result<()> {
        let (clients, mut gone) = (&mut self.clients, Vec::new());
        self.crowd.pump(deadline, |client, news| {
            match news {
                News::Connected(true) => {
                    (clients[client].state, clients[client].since) = (State::Here, Instant::now());
                }
                News::Connected(false) | News::Closed => gone.push(client),
                News::Bytes(_) => {}
            }
            Ok(())
        })?;
        gone.into_iter().for_each(|client| self.close(client));
        Ok(())
    }

    /// Comes, sends and goes, as far as it is time to; true when it may have more to do at once.
    fn step(&mut self, client: usize, now: Instant) -> bool {
        let Attacker { state, due, since, sent } = &mut self.clients[client];
        let is_over = match self.flood.stay {
            Stay::Always => false,
            Stay::For(time) => now >= *since + time,
            Stay::Bytes(bytes) => *sent >= bytes,
        };
        match state {
            State::Absent if now >= *due && (self.connects as f64) < CONNECTS * self.seconds => {
                // Out of ports it tries again.
                let _absent_still = self.come(client, now);
                false
            }
            State::Here if is_over && self.flood.bye.resets(self.connects) => {
                self.close(client);
                true
            }
            State::Here if is_over => {
                *state = State::Waiting;
                self.crowd.half_close(client);
                true
            }
            State::Here => self.send(client),
            State::Absent | State::Waiting => false,
        }
    }

    fn come(&mut self, client: usize, now: Instant) -> Result<()> {
        let socket = tcp(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if self.flood.narrow {
            sockopt::set_socket_recv_buffer_size(&socket, 2304)?;
        }
        let from = from(client, self.clients.len());
        rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
        self.crowd.begin_with(client, socket, self.address)?;
        let due = now + self.flood.again;
        self.clients[client] = Attacker { state: State::Waiting, due, since: now, sent: 0 };
        self.connects += 1;
        Ok(())
    }

    fn send(&mut self, client: usize) -> bool {
        let flags = if self.flood.urgent { SendFlags::OOB } else { SendFlags::empty() };
        for _ in 0..SENDS {
            if self.bytes as f64 >= BYTES * self.seconds {
                return false;
            }
            let sent = &mut self.clients[client].sent;
            let rest = &self.block[*sent % self.block.len().max(1)..];
            let n = self.crowd.push(client, &rest[..rest.len().min(self.flood.segment)], flags);
            if n == 0 {
                return false;
            }
            *sent += n;
            self.bytes += n;
        }
        true
    }

    fn close(&mut self, client: usize) {
        self.crowd.close(client);
        self.clients[client].state = State::Absent;
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
