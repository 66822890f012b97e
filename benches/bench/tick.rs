//! The time, to the whole crowd: how long after the first client the last one has a tick.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::Result;
use crate::crowd::{BATCH, Crowd};
use crate::lines::Lines;
use crate::machine::Machine;
use crate::server::{PATIENCE, Server};
use crate::table::Table;

/// Ticks in one round.
const TICKS: usize = 3;

/// Who got one tick when.
struct Tick {
    first: Instant,
    last: Instant,
    clients: usize,
    /// First arrival behind the second that it names.
    late: Duration,
}

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    let server = Server::start(machine, "time", &["--utc"])?;
    let mut crowd = Crowd::new()?;
    let mut lines = Lines::default();
    let clients = machine.crowd;
    while crowd.len() < clients {
        for _ in 0..BATCH.min(clients - crowd.len()) {
            crowd.connect(server.address)?;
        }
        server.settle()?;
        while drain(&mut crowd, &mut lines)? > 0 {}
    }
    let before = server.usage()?;
    let ticks = collect(&mut crowd, &mut lines, clients)?;
    let used = server.usage()? - before;
    table.disturbed("tick", used.waited);
    for tick in &ticks {
        let spread = tick.last - tick.first;
        table.add(format!("a tick to {clients}, last behind first"), "ms", "", ms(spread));
        table.add(format!("a tick to {clients}, first behind its second"), "ms", "", ms(tick.late));
    }
    let delivery = used.cpu.as_secs_f64() * 1e6 / (TICKS * clients) as f64;
    table.add(format!("a tick to {clients}, CPU a delivery"), "us", "", delivery);
    Ok(())
}

/// Reads what is there, once; returns the bytes.
fn drain(crowd: &mut Crowd, lines: &mut Lines) -> Result<usize> {
    let mut read = 0;
    crowd.pump(Duration::ZERO, |client, bytes| {
        read += bytes.len();
        lines.feed(client, bytes, |line| time(line).map(|_| ()))
    })?;
    Ok(read)
}

/// Waits for the next ticks, until every client has them all.
fn collect(crowd: &mut Crowd, lines: &mut Lines, clients: usize) -> Result<Vec<Tick>> {
    let mut ticks: BTreeMap<Timestamp, Tick> = BTreeMap::new();
    let mut latest = vec![Timestamp::MIN; clients];
    let deadline = Instant::now() + PATIENCE;
    while ticks.values().filter(|tick| tick.clients == clients).count() < TICKS {
        crowd.pump(Duration::from_millis(100), |client, bytes| {
            let now = Instant::now();
            lines.feed(client, bytes, |line| {
                let second = time(line)?;
                if std::mem::replace(&mut latest[client], second) >= second {
                    return Err(format!("client {client} got {second} late or twice").into());
                }
                let tick = ticks.entry(second).or_insert_with(|| {
                    let late = Timestamp::now().duration_since(second).unsigned_abs();
                    Tick { first: now, last: now, clients: 0, late }
                });
                tick.last = now;
                tick.clients += 1;
                Ok(())
            })
        })?;
        if Instant::now() > deadline {
            return Err(format!("{TICKS} ticks did not reach all after {PATIENCE:?}").into());
        }
    }
    if ticks.values().any(|tick| tick.clients != clients) {
        return Err("clients got different ticks".into());
    }
    Ok(ticks.into_values().collect())
}

fn time(line: &[u8]) -> Result<Timestamp> {
    Ok(std::str::from_utf8(line)?.parse()?)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
