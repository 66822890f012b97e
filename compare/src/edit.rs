//! What the line editor of our chat costs: a room whose clients have it beside the same room in line
//! mode, and a client that types beside one that has no editor.

use std::time::Duration;

use crate::Result;
use crate::cores::Cores;
use crate::load::Job;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::progress::Progress;
use crate::report::table::Table;
use crate::results::Outcome;
use crate::run::generator;
use crate::server::Server;
use crate::stats::spread;
use crate::workload::{Extent, Load, Program};

/// Members of the room, at most, and what all of them say a second.
const CLIENTS: usize = 1000;
const RATE: u32 = 200;

/// Bytes of a line, with its end, and those of them that stand in the row before it is said.
const BYTES: usize = 56;
const HALF: usize = BYTES / 2;

/// Keys a second.
const KEYS: u32 = 20_000;

/// Rounds, in each of which every case has a run, with `--quick` and without.
const ROUNDS: [usize; 2] = [1, 5];

/// Milliseconds measured, with `--quick` and without; a third of it before is discarded.
const WINDOWS: [u64; 2] = [600, 4500];

/// Time for runs that do not count since the cores were apart, with `--quick` and without.
const PATIENCE: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(60)];

type Case = (&'static str, Load);

/// A case's figures, a run each.
type Runs = Vec<Outcome>;

/// What a column tells: its head, the figure, and how many of its units one of the column's has.
type Column = (&'static str, &'static str, f64);

const ROOM: [Column; 5] = [
    ("p50 ms", "p50_us", 1e3),
    ("p99 ms", "p99_us", 1e3),
    ("max ms", "max_us", 1e3),
    ("CPU µs a delivery", "cpu_us", 1.0),
    ("generator late, p99 ms", "late_p99_us", 1e3),
];

const KEY: [Column; 2] =
    [("CPU µs a key", "cpu_us", 1.0), ("generator late, p99 ms", "late_p99_us", 1e3)];

/// An error if any run could not be measured, or any line was not as it must be.
pub(crate) fn edit(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let extent = usize::from(options.extent > Extent::Quick);
    let clients = CLIENTS.min(machine.clients()).min(options.clients);
    let (rounds, window) = (ROUNDS[extent], WINDOWS[extent]);
    let seconds = 1.0 + window as f64 / 750.0;
    let (room, keys) = (room(clients), keys());
    let all = rounds * (room.len() + keys.len());
    let mut progress = Progress::new(0, std::iter::repeat_n(seconds, all));
    let mut cores = Cores::new(&machine, PATIENCE[extent], &[])?;
    let mut measure = |cases: &[Case]| -> Result<Vec<Runs>> {
        let mut runs = vec![Runs::new(); cases.len()];
        for round in 1..=rounds {
            for ((name, load), runs) in cases.iter().zip(&mut runs) {
                progress.begin(&format!("{name}, round {round}"), seconds);
                let run = || one(&machine, &peers[0], *load, window);
                let outcome = cores.together(|| run().unwrap_or_else(Outcome::invalid))?;
                if let Some(fault) = &outcome.fault {
                    return Err(format!("{name}: {fault}").into());
                }
                runs.push(outcome);
            }
        }
        Ok(runs)
    };
    let head = format!("{clients} clients who all speak, {RATE} lines/s");
    println!("{}", table(&head, &ROOM, &room, &measure(&room)?, "p99_us").text());
    let head = format!("1 client, {KEYS} keys/s");
    println!("{}", table(&head, &KEY, &keys, &measure(&keys)?, "cpu_us").text());
    println!(
        "The median and the extremes of {rounds} rounds, in each of which all had their turn."
    );
    Ok(())
}

/// The first is what the others are held against.
fn room(clients: usize) -> [Case; 3] {
    let plain =
        Load::Chat { clients, speakers: clients, bytes: BYTES, rate: RATE, burst: 1, deaf: 0 };
    let editing = |typed| Load::Editing { clients, rate: RATE, typed };
    [("line mode", plain), ("editor", editing(0)), ("editor, half a line typed", editing(HALF))]
}

fn keys() -> [Case; 2] {
    let keys = |editing| Load::Keys { rate: KEYS, editing };
    [("line mode", keys(false)), ("editor", keys(true))]
}

fn one(machine: &Machine, ours: &Peer, load: Load, window: u64) -> Result<Outcome> {
    let server = Server::start(machine, ours, Program::Chat)?;
    let (pid, address, warm_up) = (server.pid(), server.address, window / 3);
    generator(&Job { load, pid, address, window, warm_up, tracer: None })
}

/// With one column more: how the figure `held` stands to the first case's, round by round.
fn table(head: &str, columns: &[Column], cases: &[Case], runs: &[Runs], held: &str) -> Table {
    let heads = columns.iter().map(|(head, ..)| *head);
    let title = columns.iter().find(|(_, key, _)| *key == held).map_or("", |(head, ..)| *head);
    let ratio = format!("{title}, by line mode");
    let mut table = Table::of(head, heads.chain([ratio.as_str()]));
    let figure = |run: &Outcome, key: &str| run.metrics.get(key).copied().unwrap_or(0.0);
    for ((name, _), own) in cases.iter().zip(runs) {
        let told = columns
            .iter()
            .map(|(_, key, unit)| range(own.iter().map(|run| figure(run, key) / unit)));
        let pairs = own.iter().zip(&runs[0]);
        let ratio = range(pairs.map(|(own, first)| figure(own, held) / figure(first, held)));
        table.row(std::iter::once((*name).to_owned()).chain(told).chain([ratio]).collect());
    }
    table
}

fn range(figures: impl Iterator<Item = f64>) -> String {
    let told = spread(figures);
    told.map_or(String::new(), |it| format!("{:.2} ({:.2}-{:.2})", it.median, it.min, it.max))
}
