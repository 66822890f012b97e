//! Four servers talk while the engine stands still, dies and comes back, and one of them dies. Each
//! client must have each line of the others once, each author's in order, or be told the number.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::RELAY;
use super::engine::Engine;
use super::party::{Heard, Party};
use crate::Result;
use crate::histogram::Histogram;
use crate::machine::Machine;
use crate::options::Options;
use crate::process::{Process, own_cpu};
use crate::stats::Dice;

const SERVERS: usize = 4;

/// Clients of each server; they speak in turn.
const CLIENTS: usize = 250;

/// Lines a second, of all together.
const RATE: u32 = 200;

/// Time for which the engine stands still.
const STOP: Duration = Duration::from_secs(5);

/// Time in which everything must have come after the last line, and what is there too often.
const PATIENCE: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(5);

/// Faults told in words; all are counted.
const TOLD: usize = 10;

/// What is done to the engine, or to a server, with its clients.
#[derive(Clone, Copy, Debug)]
enum Event {
    Stop,
    Continue,
    Kill,
    Start,
    KillServer(usize),
}

struct Account {
    party: Party,
    engine: Engine,
    /// Of each client: lines heard, lines it was told it missed, and lines it was told stayed here.
    heard: Vec<u64>,
    missed: Vec<u64>,
    stayed: Vec<u64>,
    /// Lines that a client of another server has heard, by speaker and number.
    crossed: Vec<Vec<bool>>,
    closed: usize,
    lateness: Histogram,
}

/// An error if anything was lost uncounted, came twice or out of order.
pub(super) fn account(machine: &Machine, options: &Options) -> Result<()> {
    let Options { seconds, seed, .. } = *options;
    println!(
        "account: {SERVERS} servers of {CLIENTS} clients, {RATE} lines/s for {seconds} s, --seed {seed}"
    );
    let engine = Engine::start()?;
    let party = Party::join(machine, &RELAY, &[], Some(&engine), SERVERS, CLIENTS)?;
    let clients = SERVERS * CLIENTS;
    let counts = || vec![0; clients];
    let (heard, missed, stayed) = (counts(), counts(), counts());
    let (crossed, lateness) = (vec![Vec::new(); clients], Histogram::default());
    let mut account =
        Account { party, engine, heard, missed, stayed, crossed, closed: 0, lateness };
    let (started, cpu) = (Instant::now(), own_cpu()?);
    account.talk(Duration::from_secs(seconds), &events(seconds, seed))?;
    let share = (own_cpu()? - cpu) as f64 / started.elapsed().as_nanos() as f64;
    account.wait()?;
    account.tell(share)
}

/// When what happens, by the seed: one stop, one kill, and a server's end at any time of the talk.
fn events(seconds: u64, seed: u64) -> Vec<(Duration, Event)> {
    let (all, mut dice) = (Duration::from_secs(seconds), Dice(seed));
    let mut between = |from: f64, to: f64| {
        let share = dice.below(10_000) as f64 / 1e4;
        all.mul_f64(from + (to - from) * share)
    };
    let (stop, kill, end) = (between(0.1, 0.3), between(0.5, 0.7), between(0.1, 0.9));
    let (pause, server) =
        (Duration::from_millis(50 + dice.below(4000) as u64), dice.below(SERVERS));
    let mut events = vec![
        (stop, Event::Stop),
        (stop + STOP, Event::Continue),
        (kill, Event::Kill),
        (kill + pause, Event::Start),
        (end, Event::KillServer(server)),
    ];
    events.sort_by_key(|(at, _)| *at);
    events
}

impl Account {
    /// For so long, or until the last event.
    fn talk(&mut self, time: Duration, events: &[(Duration, Event)]) -> Result<()> {
        let (started, mut number) = (Instant::now(), 0_u32);
        let time = events.last().map_or(time, |(last, _)| time.max(*last));
        let mut events = events.iter().peekable();
        loop {
            let due = Duration::from_secs(1) * number / RATE;
            while let Some(&(at, event)) = events.next_if(|(at, _)| *at <= due.min(time)) {
                self.hear(started + at)?;
                println!("  {:6.2} s  {event:?}", started.elapsed().as_secs_f64());
                self.strike(event)?;
            }
            self.hear(started + due.min(time))?;
            if due >= time {
                return Ok(());
            }
            self.lateness.add((started + due).elapsed());
            // Server by server in turn.
            let turn = number as usize % (SERVERS * CLIENTS);
            let speaker = turn % SERVERS * CLIENTS + turn / SERVERS;
            self.party.say(speaker)?;
            self.crossed[speaker].resize(self.party.said[speaker], false);
            number += 1;
        }
    }

    fn strike(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Stop => self.engine.signal(Signal::STOP)?,
            Event::Continue => self.engine.signal(Signal::CONT)?,
            Event::Kill => self.engine.kill(),
            Event::Start => self.engine.restart()?,
            Event::KillServer(server) => self.party.kill(server),
        }
        Ok(())
    }

    fn hear(&mut self, end: Instant) -> Result<()> {
        let Account { party, heard, missed, stayed, crossed, closed, .. } = self;
        let each = party.each;
        party.hear(end, |client, what| match what {
            Heard::Line { speaker, number } => {
                heard[client] += 1;
                crossed[speaker][number] |= client / each != speaker / each;
            }
            Heard::Missed(lines) => missed[client] += lines,
            Heard::Stayed(lines) => stayed[client] += lines,
            Heard::Closed => *closed += 1,
        })
    }

    /// Waits until nobody lacks anything, and then for what is too much.
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.faults().is_empty() && Instant::now() < deadline {
            self.hear(Instant::now() + REST / 10)?;
        }
        self.hear(Instant::now() + REST)
    }

    /// Lines of a speaker that count: of one whose server died, up to the last that reached another.
    fn due(&self, speaker: usize) -> u64 {
        let crossed = &self.crossed[speaker];
        if self.party.is_there(speaker) {
            return crossed.len() as u64;
        }
        crossed.iter().rposition(|crossed| *crossed).map_or(0, |last| last as u64 + 1)
    }

    /// Lines that died with their server.
    fn died(&self) -> u64 {
        let speakers = 0..self.crossed.len();
        speakers.map(|speaker| self.crossed[speaker].len() as u64 - self.due(speaker)).sum()
    }

    /// Lines said at a server that no client of another heard.
    fn stayed(&self, server: usize) -> u64 {
        let each = self.party.each;
        let speakers = &self.crossed[server * each..(server + 1) * each];
        speakers.iter().flatten().filter(|crossed| !**crossed).count() as u64
    }

    fn faults(&self) -> Vec<String> {
        let (due, died) = ((0..self.heard.len()).map(|it| self.due(it)).sum::<u64>(), self.died());
        let stayed: Vec<u64> = (0..SERVERS).map(|server| self.stayed(server)).collect();
        let mut faults = Vec::new();
        if !self.party.ledger.is_in_order() {
            faults.extend(self.party.ledger.faults());
        }
        if self.closed > 0 {
            faults.push(format!("{} clients were dropped", self.closed));
        }
        for client in (0..self.heard.len()).filter(|client| self.party.is_there(*client)) {
            let server = self.party.server_of(client);
            let lacks = due - self.due(client) - self.heard[client];
            let (missed, told) = (self.missed[client], self.stayed[client]);
            // The others may know of lines that died with their server.
            if !(lacks..=lacks + died).contains(&missed) {
                faults.push(format!(
                    "client {client} of server {server} lacks {lacks} lines, and was told {missed}"
                ));
            }
            if told != stayed[server] {
                let stayed = stayed[server];
                faults.push(format!(
                    "client {client} of server {server} was told that {told} lines stayed: {stayed}"
                ));
            }
        }
        faults
    }

    fn tell(&self, share: f64) -> Result<()> {
        let there = || (0..self.heard.len()).filter(|client| self.party.is_there(*client));
        let sum = |counts: &[u64]| there().map(|client| counts[client]).sum::<u64>();
        let lines: usize = self.party.said.iter().sum();
        println!("  said: {lines} lines, of which {} died with their server", self.died());
        println!("  heard: {} by the {} clients that remain", sum(&self.heard), there().count());
        println!("  told to be missed: {}", sum(&self.missed));
        for server in 0..SERVERS {
            let Some(process) = &self.party.servers[server] else { continue };
            let (first, cpu) = (server * CLIENTS, Process(process.pid()).usage()?.cpu);
            println!(
                "  server {server}: each missed {}, and {} lines stayed there; CPU {:.1} s",
                self.missed[first],
                self.stayed[first],
                cpu as f64 / 1e9,
            );
        }
        println!("  engine: CPU {:.1} s", self.engine.process().usage()?.cpu as f64 / 1e9);
        let late = self.lateness.quantile(0.99) as f64 / 1e6;
        println!("  generator: {:.0} % of a core, p99 {late:.1} ms late", share * 100.0);
        let faults = self.faults();
        faults.iter().take(TOLD).for_each(|fault| println!("    {fault}"));
        println!("  faults: {}", faults.len());
        if faults.is_empty() { Ok(()) } else { Err(format!("{} faults", faults.len()).into()) }
    }
}
