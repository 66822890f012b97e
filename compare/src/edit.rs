//! What the line editor of our chat costs: a room whose clients have it beside the same room in line
//! mode, and a client that types beside one that has no editor.

use std::time::Duration;

use crate::Result;
use crate::options::Options;
use crate::prepare;
use crate::results::Sample;
use crate::trial::{Column, Trial, chat, measure, table, verdict};
use crate::workload::{self, Extent, Load};

/// Members of the room, at most, and what all of them say a second.
const CLIENTS: usize = 1000;
const RATE: u32 = 200;

/// Bytes of a line of 56 that stand in the row before it is said.
const HALF: usize = 28;

/// Keys a second.
const KEYS: u32 = 20_000;

/// Rounds, and milliseconds measured, with `--quick` and without.
const ROUNDS: [usize; 2] = [1, 5];
const WINDOWS: [u64; 2] = [600, 4500];

/// Time for runs that do not count since the host moved the cores, with `--quick` and without.
const PATIENCE: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(60)];

/// What the others are held against.
const PLAIN: &str = "line mode";

const ROOM: [Column; 6] = [
    ("p50 ms", "p50_us", 1e3),
    ("p99 ms", "p99_us", 1e3),
    ("p99, by line mode", "p99_us by line mode", 1.0),
    ("max ms", "max_us", 1e3),
    ("CPU µs a delivery", "cpu_us", 1.0),
    ("generator late, p99 ms", "late_p99_us", 1e3),
];

const KEY: [Column; 3] = [
    ("CPU µs a key", "cpu_us", 1.0),
    ("by line mode", "cpu_us by line mode", 1.0),
    ("generator late, p99 ms", "late_p99_us", 1e3),
];

/// An error if any run could not be measured, or any line was not as it must be.
pub(crate) fn edit(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let extent = usize::from(options.extent > Extent::Quick);
    let (rounds, window) = (ROUNDS[extent], WINDOWS[extent]);
    let trials = trials(CLIENTS.min(machine.clients()).min(options.clients), window);
    let run = |load: &Load| chat(&machine, &peers[0], &[], *load, window);
    let samples = measure(&machine, PATIENCE[extent], rounds, &trials, run)?;
    let keys = |sample: &Sample| sample.workload == trials[trials.len() - 1].workload;
    let (keys, room): (Vec<Sample>, Vec<Sample>) = samples.iter().cloned().partition(keys);
    println!("{}\n{}", table(&ROOM, &room).text(), table(&KEY, &keys).text());
    println!(
        "The median and the extremes of {rounds} rounds, in each of which all had their turn."
    );
    verdict(&samples)
}

fn trials(clients: usize, window: u64) -> Vec<Trial<Load>> {
    let editing = |typed| Load::Editing { clients, rate: RATE, typed };
    let keys = |editing| Load::Keys { rate: KEYS, editing };
    let room = format!("{clients} clients, {RATE} lines/s");
    let key = format!("1 client, {KEYS} keys/s");
    let trial = |(workload, variant, what): (&String, &str, Load)| {
        let seconds = 1.0 + window as f64 / 750.0;
        Trial { workload: workload.clone(), variant: variant.into(), seconds, what }
    };
    let all = [
        (&room, PLAIN, workload::chat(clients, RATE, 1)),
        (&room, "editor", editing(0)),
        (&room, "editor, half a line typed", editing(HALF)),
        (&key, PLAIN, keys(false)),
        (&key, "editor", keys(true)),
    ];
    all.map(trial).into()
}
