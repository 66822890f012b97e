//! What the sharing costs: how much later a line is read at another server than at its own, whether a
//! server's own readers notice an engine that stands still, and what servers deliver at most.

use std::time::Duration;

use rustix::process::Signal;

use super::RELAY;
use super::party::Party;
use crate::Result;
use crate::load::pace::{Pace, Tally, Traffic, go};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::process::{Process, own_cpu};
use crate::results::{Outcome, Sample};
use crate::trial::{Column, table};

const COLUMNS: [Column; 11] = [
    ("own p50 ms", "own_p50", 1e6),
    ("own p99", "own_p99", 1e6),
    ("own max", "own_max", 1e6),
    ("other p50 ms", "other_p50", 1e6),
    ("other p99", "other_p99", 1e6),
    ("deliveries/s", "rate", 1.0),
    ("server CPU µs a delivery", "cpu_us", 1.0),
    ("engine CPU µs a line", "engine_us", 1.0),
    ("servers % of a core", "servers", 0.01),
    ("engine %", "engine", 0.01),
    ("generator %", "generator", 0.01),
];

const LEGEND: &str = "
Own are readers of the server where a line is said, other those of another one. Of several rounds the
median and the extremes.";

/// Readers at each server of one who speaks, and clients of all servers where all speak.
const READERS: usize = 10;
const CLIENTS: usize = 200;

/// Lines that each says at once, when all others have its last, where there is no rate.
const BURST: u32 = 4;

const SECONDS: u64 = 8;

/// Rounds of what is held beside each other, since the machine is not always as fast.
const ROUNDS: usize = 5;

struct Case {
    part: &'static str,
    name: &'static str,
    relay: Relay,
    servers: usize,
    /// Lines a second of one who speaks; 0 where all do, as fast as it goes.
    rate: u32,
    rounds: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Relay {
    Without,
    With,
    /// Its engine stands still.
    Stopped,
}

const CASES: [Case; 8] = [
    delay("2 servers, 1 line/s", Relay::With, 2, 1),
    delay("2 servers, 200 lines/s", Relay::With, 2, 200),
    delay("2 servers, 1,000 lines/s", Relay::With, 2, 1000),
    Case { rounds: ROUNDS, ..delay("no relay, 200 lines/s", Relay::Without, 1, 200) },
    Case { rounds: ROUNDS, ..delay("engine stopped, 200 lines/s", Relay::Stopped, 1, 200) },
    saturation("1 server, no relay, saturated", Relay::Without, 1),
    saturation("1 server, relay, saturated", Relay::With, 1),
    saturation("2 servers, relay, saturated", Relay::With, 2),
];

const fn delay(name: &'static str, relay: Relay, servers: usize, rate: u32) -> Case {
    Case { part: "delay", name, relay, servers, rate, rounds: 1 }
}

const fn saturation(name: &'static str, relay: Relay, servers: usize) -> Case {
    Case { part: "saturation", name, relay, servers, rate: 0, rounds: 1 }
}

/// A table of the parts that were chosen.
pub(super) fn costs(machine: &Machine, plain: &Peer, options: &Options) -> Result<()> {
    let mut samples = Vec::new();
    for round in 1..=ROUNDS {
        for case in CASES.iter().filter(|case| options.chose(case.part) && case.rounds >= round) {
            eprintln!("{}, round {round} of {}", case.name, case.rounds);
            let outcome = run(machine, plain, case)?;
            let (workload, peer) = (case.part.to_owned(), case.name.to_owned());
            samples.push(Sample { workload, peer, round, outcome });
        }
    }
    if !samples.is_empty() {
        println!("{}{LEGEND}", table(&COLUMNS, &samples).text());
    }
    Ok(())
}

fn run(machine: &Machine, plain: &Peer, case: &Case) -> Result<Outcome> {
    let chat = if case.relay == Relay::Without { plain } else { &RELAY };
    let (clients, burst, options): (_, _, &[_]) = match case.rate {
        // With pauses, the server would wait for who waits for it.
        0 => ([CLIENTS, CLIENTS], BURST, &["--pause", "0"]),
        _ => ([READERS * case.servers, 1], 1, &[]),
    };
    let mut party = Party::join(machine, chat, options, case.servers, clients)?;
    if let Some(engine) = party.engine.as_ref().filter(|_| case.relay == Relay::Stopped) {
        engine.signal(Signal::STOP)?;
    }
    let pace = Pace::new(case.rate, burst);
    let mut lost = go(&mut party.talk, Duration::from_secs(1), pace)?;
    *party.talk.tally() = Tally::default();
    let before = cpu(&party)?;
    lost += go(&mut party.talk, Duration::from_secs(SECONDS), pace)?;
    let after = cpu(&party)?;
    if lost > 0 {
        return Err(format!("{}: {lost} lines did not come", case.name).into());
    }
    let [servers, engine, generator] = [0, 1, 2].map(|part| (after[part] - before[part]) as f64);
    let (heard, mut outcome) = (&party.talk.heard.tally, Outcome::default());
    let readers = [("own", &heard.delays), ("other", &heard.across)];
    for (whose, delays) in readers.into_iter().filter(|(_, delays)| delays.total() > 0) {
        for (point, q) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            outcome.set(&format!("{whose}_{point}"), delays.quantile(q) as f64);
        }
    }
    let (deliveries, seconds) = (heard.delays.total() + heard.across.total(), SECONDS as f64);
    outcome.set("rate", deliveries as f64 / seconds);
    outcome.set("cpu_us", servers / 1e3 / deliveries as f64);
    outcome.set("servers", servers / 1e9 / seconds);
    outcome.set("generator", generator / 1e9 / seconds);
    if let Some(_shared) = &party.engine {
        outcome.set("engine_us", engine / 1e3 / heard.lasts.total() as f64);
        outcome.set("engine", engine / 1e9 / seconds);
    }
    Ok(outcome)
}

/// Nanoseconds that servers, engine and generator have used.
fn cpu(party: &Party) -> Result<[u64; 3]> {
    let of = |process: Process| process.usage().map(|usage| usage.cpu);
    let servers = party.servers.iter().flatten().map(|server| of(Process(server.pid())));
    let engine = party.engine.as_ref().map_or(Ok(0), |engine| of(engine.process()))?;
    Ok([servers.sum::<Result<u64>>()?, engine, own_cpu()?])
}
