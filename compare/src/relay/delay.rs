//! How much later a line is read at another server than at its own, and whether a server's own
//! readers notice an engine that stands still.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::RELAY;
use super::engine::Engine;
use super::party::{Heard, Party};
use crate::Result;
use crate::histogram::Histogram;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::report::table::Table;
use crate::stats::spread;

/// Readers of each server.
const READERS: usize = 10;

/// Lines a second.
const RATES: [u32; 3] = [1, 200, 1000];

/// Rounds with a stopped engine, each beside one without relay, and their rate.
const ROUNDS: usize = 5;
const STOPPED_RATE: u32 = 200;

const WINDOW: Duration = Duration::from_secs(10);
const STOPPED_WINDOW: Duration = Duration::from_secs(5);

/// Time for what was said last, a stopped engine's cut included.
const REST: Duration = Duration::from_secs(1);

/// One speaks at the first server: when each line was said, and when each reader had it.
struct Times {
    said: Vec<Instant>,
    had: Vec<Vec<Option<Instant>>>,
}

pub(super) fn delays(machine: &Machine, plain: &Peer) -> Result<()> {
    println!("\ndelay: {READERS} readers at each server, for {} s", WINDOW.as_secs());
    let heads = ["own p50 ms", "own p99", "other p50", "other p99", "added p50", "added p99"];
    let mut table = Table::of("lines/s", heads);
    for rate in RATES {
        let engine = Engine::start()?;
        let mut party = Party::join(machine, &RELAY, &[], Some(&engine), 2, READERS + 1)?;
        let times = talk(&mut party, rate, WINDOW)?;
        let (own, [mut other, mut added]) = (own(&times)?, [(); 2].map(|()| Histogram::default()));
        for (said, had) in times.said.iter().zip(&times.had) {
            for reader in 1..=READERS {
                let (Some(here), Some(there)) = (had[reader], had[reader + READERS + 1]) else {
                    return Err("a line did not come".into());
                };
                other.add(there - *said);
                added.add(there.saturating_duration_since(here));
            }
        }
        let figures = [own, other, added];
        let points = figures.iter().flat_map(|it| [0.5, 0.99].map(|q| milliseconds(it, q)));
        table.row(std::iter::once(rate.to_string()).chain(points).collect());
    }
    println!("{}", table.text());
    stopped(machine, plain)
}

/// Beside one another, round by round, since the machine is not always as fast.
fn stopped(machine: &Machine, plain: &Peer) -> Result<()> {
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (chat, rounds) in [plain, &RELAY].into_iter().zip(&mut rounds) {
            let engine = (chat.name == RELAY.name).then(Engine::start).transpose()?;
            let mut party = Party::join(machine, chat, &[], engine.as_ref(), 1, READERS + 1)?;
            engine.as_ref().map_or(Ok(()), |engine| engine.signal(Signal::STOP))?;
            rounds.push(own(&talk(&mut party, STOPPED_RATE, STOPPED_WINDOW)?)?);
        }
    }
    let mut table = Table::of("own readers", ["p50 ms", "p99", "max"]);
    for (name, rounds) in ["without relay", "engine stopped"].into_iter().zip(&rounds) {
        let cells = [0.5, 0.99, 1.0].map(|q| {
            let points = spread(rounds.iter().map(|times| times.quantile(q) as f64 / 1e6));
            points.map_or(String::new(), |it| {
                format!("{:.2} ({:.2}-{:.2})", it.median, it.min, it.max)
            })
        });
        table.row(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    println!(
        "{STOPPED_RATE} lines/s, the median and the extremes of {ROUNDS} rounds of each in turn"
    );
    println!("{}", table.text());
    Ok(())
}

fn talk(party: &mut Party, rate: u32, time: Duration) -> Result<Times> {
    let (mut times, started) = (Times { said: Vec::new(), had: Vec::new() }, Instant::now());
    let clients = party.said.len();
    loop {
        let due = started + Duration::from_secs(1) * times.said.len() as u32 / rate;
        let is_over = due >= started + time;
        party.hear(if is_over { Instant::now() + REST } else { due }, |client, heard| {
            if let Heard::Line { number, .. } = heard {
                times.had[number][client] = Some(Instant::now());
            }
        })?;
        if is_over {
            return Ok(times);
        }
        times.said.push(Instant::now());
        times.had.push(vec![None; clients]);
        party.say(0)?;
    }
}

fn own(times: &Times) -> Result<Histogram> {
    let mut own = Histogram::default();
    for (said, had) in times.said.iter().zip(&times.had) {
        for had in &had[1..=READERS] {
            own.add(had.ok_or("a line did not come")? - *said);
        }
    }
    Ok(own)
}

fn milliseconds(histogram: &Histogram, q: f64) -> String {
    format!("{:.2}", histogram.quantile(q) as f64 / 1e6)
}
