//! Servers that share a room or stand alone, as many clients at each, and what these say and hear.

use std::time::{Duration, Instant};

use super::engine::Engine;
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::ledger::Ledger;
use crate::lines::{Lines, count, missed};
use crate::load::{Job, join};
use crate::machine::Machine;
use crate::peers::Peer;
use crate::server::Server;
use crate::workload::{Load, Program};

/// Bytes of a line.
const BYTES: usize = 56;

/// Time for which nothing may come before the talk begins: longer than any notice waits.
const SETTLED: Duration = Duration::from_secs(3);

pub(super) struct Party {
    pub(super) servers: Vec<Option<Server>>,
    /// Clients of each server; those of the first come first.
    pub(super) each: usize,
    /// Lines that each client has said.
    pub(super) said: Vec<usize>,
    pub(super) ledger: Ledger,
    crowd: Crowd,
    lines: Lines,
}

/// What a client hears.
pub(super) enum Heard {
    /// A line, for the first time.
    Line { speaker: usize, number: usize },
    /// So many lines were missed.
    Missed(u64),
    /// So many lines that were said at this server did not reach the others.
    Stayed(u64),
    /// Its connection was closed.
    Closed,
}

impl Party {
    /// Starts `servers` of them, each on a core in turn, with these `options` and a relay where there is an
    /// engine, and brings in the clients.
    pub(super) fn join(
        machine: &Machine,
        chat: &Peer,
        options: &[&str],
        engine: Option<&Engine>,
        servers: usize,
        each: usize,
    ) -> Result<Party> {
        let address = engine.map(Engine::address);
        let mut options = [&["--rate", "0"], options].concat();
        options.extend(address.iter().flat_map(|address| ["--relay", address]));
        let machines = [*machine, machine.turned()].into_iter().cycle();
        let start = |machine| Server::start_ours(&machine, chat, Program::Chat, &options).map(Some);
        let started = machines.take(servers).map(start).collect::<Result<Vec<_>>>()?;
        machine.unpin()?;
        engine.map_or(Ok(()), |engine| engine.await_servers(servers))?;
        let (mut crowd, clients) = (Crowd::new(true)?, servers * each);
        for server in started.iter().flatten() {
            let (load, pid, address) = (Load::Idle { clients: each }, server.pid(), server.address);
            let job = Job { load, pid, address, window: 0, warm_up: 0, tracer: None };
            join(&job, &mut crowd, each, |client, news| news.bytes(client).map(drop))?;
        }
        let mut quiet = Instant::now();
        while quiet.elapsed() < SETTLED {
            crowd.pump(Instant::now() + SETTLED / 8, |client, news| {
                quiet = Instant::now();
                news.bytes(client).map(drop)
            })?;
        }
        let (ledger, lines) = (Ledger::new(clients, clients, BYTES), Lines::default());
        Ok(Party { servers: started, each, said: vec![0; clients], ledger, crowd, lines })
    }

    pub(super) fn server_of(&self, client: usize) -> usize {
        client / self.each
    }

    pub(super) fn is_there(&self, client: usize) -> bool {
        self.servers[self.server_of(client)].is_some()
    }

    /// Says a client's next line, unless its server was killed.
    pub(super) fn say(&mut self, speaker: usize) -> Result<()> {
        if !self.is_there(speaker) {
            return Ok(());
        }
        let line = self.ledger.line(speaker, self.said[speaker]);
        self.said[speaker] += 1;
        self.crowd.send(speaker, &line)
    }

    /// Hands what is heard until `end` to `take`.
    pub(super) fn hear(&mut self, end: Instant, mut take: impl FnMut(usize, Heard)) -> Result<()> {
        while Instant::now() < end {
            self.hear_once(end, &mut take)?;
        }
        Ok(())
    }

    /// Hands what is heard next to `take`, if it is before `end`.
    pub(super) fn hear_once(
        &mut self,
        end: Instant,
        mut take: impl FnMut(usize, Heard),
    ) -> Result<()> {
        let Party { crowd, lines, ledger, .. } = self;
        crowd.pump(end, |client, news| match news {
            News::Bytes(bytes) => lines.feed(client, bytes, |line| {
                heard(ledger, client, line).into_iter().for_each(|heard| take(client, heard));
                Ok(())
            }),
            News::Closed => {
                take(client, Heard::Closed);
                Ok(())
            }
            News::Connected(_) => Ok(()),
        })
    }

    /// Kills a server; its clients go with it.
    pub(super) fn kill(&mut self, server: usize) {
        self.servers[server] = None;
        (server * self.each..(server + 1) * self.each).for_each(|it| self.crowd.close(it));
    }
}

fn heard(ledger: &mut Ledger, client: usize, line: &[u8]) -> Option<Heard> {
    let Some(notice) = line.strip_prefix(b"*** ") else {
        let (speaker, number) = ledger.hear(client, line)?;
        return Some(Heard::Line { speaker, number });
    };
    if notice.ends_with(b" said here did not reach the other servers") {
        return count(notice).map(Heard::Stayed);
    }
    missed(line).map(Heard::Missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_lines_is_told_from_lines() {
        let mut ledger = Ledger::new(2, 2, BYTES);
        let mut hear = |line: &str| heard(&mut ledger, 1, line.as_bytes());
        assert!(matches!(hear("*** you missed 12 lines"), Some(Heard::Missed(12))));
        assert!(matches!(hear("*** you missed 1 line"), Some(Heard::Missed(1))));
        let stayed = "*** 3 lines said here did not reach the other servers";
        assert!(matches!(hear(stayed), Some(Heard::Stayed(3))));
        assert!(hear("*** guest3 joined (7 here)").is_none());
        let line = Ledger::new(2, 2, BYTES).line(0, 0);
        let line = format!("<guest1> {}", String::from_utf8_lossy(&line).trim_end());
        assert!(matches!(hear(&line), Some(Heard::Line { speaker: 0, number: 0 })));
        assert!(hear(&line).is_none(), "it came before");
    }
}
