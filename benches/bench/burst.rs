//! Everybody connects at once.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::Result;
use crate::crowd::Crowd;
use crate::machine::Machine;
use crate::server::{PATIENCE, Server};
use crate::table::{Sorted, Table};

/// Clients that connect at once: more than a backlog of 4096 holds.
const CLIENTS: usize = 5000;

/// Connects between two looks at what has come of the earlier ones.
const LOOK: usize = 32;

/// What a client that is let in reads first.
const WELCOME: &[u8] = b"*** welcome, you are ";

/// When each client came how far.
#[derive(Default)]
struct Times {
    begun: Vec<Instant>,
    connected: Vec<Option<Duration>>,
    welcomed: Vec<Option<Duration>>,
    refused: usize,
    done: usize,
}

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    let clients = CLIENTS.min(machine.crowd);
    let server = Server::start(machine, "chat", &[])?;
    server.settle()?;
    let mut crowd = Crowd::new()?;
    let mut times = Times::default();
    let before = server.usage()?;
    let started = Instant::now();
    for client in 0..clients {
        times.begun.push(Instant::now());
        crowd.begin(server.address)?;
        if client % LOOK == 0 {
            times.look(&mut crowd, Duration::ZERO)?;
        }
    }
    let issued = started.elapsed();
    while times.done < clients {
        times.look(&mut crowd, Duration::from_millis(10))?;
        if started.elapsed() > PATIENCE {
            let done = times.done;
            return Err(format!("{done} of {clients} welcomed after {PATIENCE:?}").into());
        }
    }
    let all = started.elapsed();
    let used = server.usage()? - before;
    table.disturbed("burst", used.waited);

    let mut add = |what: &str, unit, aim, value| {
        table.add(format!("burst of {clients}, {what}"), unit, aim, value);
    };
    let connected = Sorted::new(times.connected.iter().flatten().copied().collect());
    let welcomed = Sorted::new(times.welcomed.iter().flatten().copied().collect());
    add("all connects issued", "ms", "", issued.as_secs_f64() * 1e3);
    add("last client welcomed", "ms", "", all.as_secs_f64() * 1e3);
    add("to connected, p99", "ms", "", connected.at(99));
    add("to connected, max", "ms", "", connected.at(100));
    add("to first line, p99", "ms", "", welcomed.at(99));
    add("to first line, max", "ms", "", welcomed.at(100));
    add("refused", "clients", "aim 0", times.refused as f64);
    let second = Duration::from_secs(1);
    let late = times.welcomed.iter().flatten().filter(|&&time| time >= second).count();
    add("waited 1 s or longer", "clients", "aim 0", late as f64);
    add("server CPU a client", "us", "", used.cpu.as_secs_f64() * 1e6 / clients as f64);
    match times.refused {
        0 => Ok(()),
        n => Err(format!("{n} clients refused").into()),
    }
}

impl Times {
    fn look(&mut self, crowd: &mut Crowd, timeout: Duration) -> Result<()> {
        self.connected.resize(self.begun.len(), None);
        self.welcomed.resize(self.begun.len(), None);
        let mut buffer = [0; 4096];
        crowd.poll(timeout, |client, socket, readable| {
            let time = self.begun[client].elapsed();
            let just = self.connected[client].is_none();
            if just {
                self.connected[client] = Some(time);
                if sockopt::socket_error(&*socket)?.is_err() {
                    self.refused += 1;
                    self.done += 1;
                    return Ok(true);
                }
            }
            if readable {
                let n = socket.read(&mut buffer)?;
                if self.welcomed[client].is_none() {
                    self.welcomed[client] = Some(time);
                    self.refused += usize::from(!buffer[..n].starts_with(WELCOME));
                    self.done += 1;
                }
            }
            Ok(just)
        })
    }
}
