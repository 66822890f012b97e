//! What one server delivers at most, and what two that share a room do, with the CPU of each part.

use std::time::{Duration, Instant};

use super::RELAY;
use super::engine::Engine;
use super::party::{Heard, Party};
use crate::Result;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::process::{Process, own_cpu};
use crate::report::table::Table;
use crate::server::Server;

/// Clients of all servers together.
const CLIENTS: usize = 200;

/// Lines of each that are under way: it says another when all others have had as many.
const AHEAD: usize = 4;

/// Without pauses, in which the server would wait for who waits for it.
const OPTIONS: [&str; 2] = ["--pause", "0"];

const WINDOW: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);

/// What came of a talk: how often a line was heard, the lines that all had, and those that did not
/// reach the other servers, since the engine could not take them as fast.
#[derive(Default)]
struct Counts {
    deliveries: u64,
    lines: u64,
    stayed: u64,
}

pub(super) fn saturation(machine: &Machine, plain: &Peer) -> Result<()> {
    println!("saturation: {CLIENTS} clients, {AHEAD} lines of each under way, --pause 0");
    let heads = [
        "deliveries/s",
        "lines/s",
        "stayed",
        "server CPU µs a delivery",
        "a server's µs a line",
        "engine µs a line",
        "servers % of a core",
        "engine %",
        "generator %",
    ];
    let mut table = Table::of("servers", heads);
    for (name, chat, servers) in
        [("1, no relay", plain, 1), ("1, relay", &RELAY, 1), ("2, relay", &RELAY, 2)]
    {
        let figures = run(machine, chat, servers)?;
        table.row(std::iter::once(name.to_owned()).chain(figures).collect());
    }
    println!("{}", table.text());
    Ok(())
}

fn run(machine: &Machine, chat: &Peer, servers: usize) -> Result<[String; 9]> {
    let engine = (chat.name == RELAY.name).then(Engine::start).transpose()?;
    let mut party =
        Party::join(machine, chat, &OPTIONS, engine.as_ref(), servers, CLIENTS / servers)?;
    let mut left = vec![CLIENTS - 1; CLIENTS];
    (0..AHEAD * CLIENTS).try_for_each(|turn| party.say(turn % CLIENTS))?;
    talk(&mut party, &mut left, WARM_UP)?;
    let running: Vec<_> = party.servers.iter().flatten().map(Server::pid).map(Process).collect();
    let cpu = || -> Result<[u64; 3]> {
        let of = |process: Process| process.usage().map(|usage| usage.cpu);
        let servers = running.iter().map(|process| of(*process)).sum::<Result<u64>>()?;
        let engine = engine.as_ref().map_or(Ok(0), |engine| of(engine.process()))?;
        Ok([servers, engine, own_cpu()?])
    };
    let (before, started) = (cpu()?, Instant::now());
    let Counts { deliveries, lines, stayed } = talk(&mut party, &mut left, WINDOW)?;
    let (after, nanos) = (cpu()?, started.elapsed().as_nanos() as f64);
    let used = [0, 1, 2].map(|part| (after[part] - before[part]) as f64);
    let rate = |count: u64| format!("{:.0}", count as f64 * 1e9 / nanos);
    let each = |used: f64, count: u64| format!("{:.2}", used / 1e3 / count.max(1) as f64);
    let [busy_servers, busy_engine, busy_generator] =
        used.map(|used| format!("{:.0}", used / nanos * 100.0));
    Ok([
        rate(deliveries),
        rate(lines),
        stayed.to_string(),
        each(used[0], deliveries),
        each(used[0] / servers as f64, lines),
        each(used[1], lines),
        busy_servers,
        busy_engine,
        busy_generator,
    ])
}

fn talk(party: &mut Party, left: &mut [usize], time: Duration) -> Result<Counts> {
    let (end, mut counts, mut faults) = (Instant::now() + time, Counts::default(), 0);
    while Instant::now() < end {
        let mut done = Vec::new();
        party.hear_once(end, |client, heard| match heard {
            Heard::Line { speaker, .. } => {
                counts.deliveries += 1;
                left[speaker] -= 1;
                if left[speaker] == 0 {
                    left[speaker] = CLIENTS - 1;
                    done.push(speaker);
                }
            }
            Heard::Stayed(lines) if client == 0 => counts.stayed += lines,
            Heard::Stayed(_) => {}
            Heard::Missed(_) | Heard::Closed => faults += 1,
        })?;
        counts.lines += done.len() as u64;
        done.into_iter().try_for_each(|speaker| party.say(speaker))?;
    }
    if faults > 0 { Err("lines were missed".into()) } else { Ok(counts) }
}
