//! Servers that share a room or stand alone, and the clients that talk at each of them in turn.

use std::time::Duration;

use super::RELAY;
use super::engine::Engine;
use crate::Result;
use crate::load::talk::Talk;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::server::Server;
use crate::trial::job;
use crate::workload::{Load, Program};

/// Bytes of a line.
const BYTES: usize = 56;

/// Time for which nothing may come before the talk begins: longer than any notice waits.
const QUIET: Duration = Duration::from_secs(3);

pub(super) struct Party {
    /// None is one that was killed.
    pub(super) servers: Vec<Option<Server>>,
    /// What they share their room through, where they do.
    pub(super) engine: Option<Engine>,
    pub(super) talk: Talk,
}

impl Party {
    /// Starts `servers` of them, each on a core in turn, with these `options`, and brings in so many
    /// clients, of whom the first ones speak.
    pub(super) fn join(
        machine: &Machine,
        chat: &Peer,
        options: &[&str],
        servers: usize,
        [clients, speakers]: [usize; 2],
    ) -> Result<Party> {
        let engine = (chat.name == RELAY.name).then(Engine::start).transpose()?;
        let address = engine.as_ref().map(Engine::address);
        let mut options = [&["--rate", "0"], options].concat();
        options.extend(address.iter().flat_map(|address| ["--relay", address]));
        let machines = [*machine, machine.turned()].into_iter().cycle();
        let start = |machine| Server::start_ours(&machine, chat, Program::Chat, &options);
        let started = machines.take(servers).map(start).collect::<Result<Vec<_>>>()?;
        machine.unpin()?;
        engine.as_ref().map_or(Ok(()), |engine| engine.await_servers(servers))?;
        let jobs = started.iter().map(|server| job(server, Load::Idle { clients }, 0));
        let mut talk = Talk::new(clients, speakers, BYTES)?;
        talk.join(&jobs.collect::<Vec<_>>(), QUIET)?;
        Ok(Party { servers: started.into_iter().map(Some).collect(), engine, talk })
    }

    pub(super) fn server_of(&self, client: usize) -> usize {
        client % self.servers.len()
    }

    pub(super) fn is_there(&self, client: usize) -> bool {
        self.servers[self.server_of(client)].is_some()
    }

    /// Kills a server; its clients go with it.
    pub(super) fn kill(&mut self, server: usize) {
        self.servers[server] = None;
        let clients = 0..self.talk.heard.ears.len();
        clients.skip(server).step_by(self.servers.len()).for_each(|it| self.talk.send_away(it));
    }
}
