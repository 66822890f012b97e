//! What a normal talker notices of floods: the delay of its lines, and what the server takes of a
//! core meanwhile. Printed as a table, and judged by whoever reads it.

mod attackers;

use std::time::Duration;

use crate::Result;
use crate::cores::{self, Cores};
use crate::flood::{FLOODS, Flood};
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::progress::Progress;
use crate::report::table::{NOTHING, Table};
use crate::results::{OURS, Outcome, Sample};
use crate::server::Server;
use crate::workload::{Extent, Load, Program};

/// Clients of a flood: a few of one address, and many of as many addresses.
const CROWDS: [usize; 2] = [20, 1000];

/// Milliseconds measured, and before that discarded, with `--quick` and without.
const WINDOWS: [[u64; 2]; 2] = [[1000, 300], [5000, 700]];

/// Time for runs that do not count since the cores were apart.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line, or a message, every 10 ms.
const TALKER: Load =
    Load::Chat { clients: 2, speakers: 1, bytes: 56, rate: 100, burst: 1, deaf: 0 };
const ECHOED: Load = Load::Echo { clients: 1, bytes: 56, depth: 1, rate: 100 };

const LEGEND: &str = "
Beside so many clients who do that, a talker says a line every 10 ms, or has it echoed: how long it
takes to its listener, and how late the talker was to say it, which is the machine's doing, both as
p99; the server's share of a core; lines that the two were told they missed, and lines that had not
come 4 s after the last one; what the clients sent, and how often they came.
†: the cores were apart, which makes everything slower.";

/// An error if any run could not be measured, whatever the figures are.
pub(crate) fn floods(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let most = machine.clients().min(options.clients);
    let mut crowds = CROWDS.map(|crowd| crowd.min(most)).to_vec();
    crowds.dedup();
    let floods: Vec<_> = FLOODS.iter().filter(|flood| options.chose(flood.name)).collect();
    let windows = WINDOWS[usize::from(options.extent > Extent::Quick)];
    let guess = windows.iter().sum::<u64>() as f64 / 1e3;
    let runs = floods.len() * peers.len() * crowds.len();
    let mut progress = Progress::new(0, std::iter::repeat_n(guess, runs));
    let mut cores = Cores::new(&machine, PATIENCE, &[])?;
    let mut samples = Vec::new();
    for flood in floods {
        for peer in &peers {
            for &crowd in &crowds {
                progress.begin(&format!("{} {}, {crowd} clients", peer.name, flood.name), guess);
                let run = || one(&machine, peer, flood, crowd, windows);
                let outcome = cores.together(|| run().unwrap_or_else(Outcome::invalid))?;
                let (workload, peer) = (flood.name.to_owned(), peer.name.to_owned());
                samples.push(Sample { workload, peer, round: crowd, outcome });
            }
        }
    }
    cores::mark(&mut samples);
    println!("{}{LEGEND}", table(&crowds, &samples).text());
    match samples.iter().filter(|sample| sample.outcome.fault.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {runs} runs could not be measured").into()),
    }
}

fn one(
    machine: &Machine,
    peer: &Peer,
    flood: &'static Flood,
    crowd: usize,
    [window, warm_up]: [u64; 2],
) -> Result<Outcome> {
    let server = Server::start_ours(machine, peer, flood.program, flood.options)?;
    let load = if flood.program == Program::Echo { ECHOED } else { TALKER };
    let (pid, address) = (server.pid(), server.address);
    let job = Job { load, pid, address, window, warm_up, tracer: None };
    let mut end = None;
    let begin = || end = Some(attackers::begin(flood, crowd, address));
    let mut outcome = load::beside(&job, begin);
    if let Some(end) = end {
        let done = end()?;
        outcome.set("connects", done.connects);
        outcome.set("sent_mib", done.mib);
    }
    Ok(outcome)
}

/// A row for each flood of each peer, with the figures once for each crowd.
fn table(crowds: &[usize], samples: &[Sample]) -> Table {
    let heads = ["p99 ms", "late ms", "CPU %", "missed", "lacking", "MiB/s", "connects/s"];
    let heads = crowds.iter().flat_map(|crowd| heads.map(|head| format!("{crowd}: {head}")));
    let mut table = Table::of("flood", heads);
    for row in samples.chunks(crowds.len()) {
        let name = match &*row[0].peer {
            OURS => row[0].workload.clone(),
            peer => format!("{}, {peer}", row[0].workload),
        };
        table.row(std::iter::once(name).chain(row.iter().flat_map(cells)).collect());
    }
    table
}

fn cells(Sample { outcome, .. }: &Sample) -> [String; 7] {
    let figure = |name: &str, scale: f64, digits: usize| match outcome.metrics.get(name) {
        Some(value) if *value > 0.0 => format!("{:.digits$}", value * scale),
        _ => NOTHING.to_owned(),
    };
    let delay = figure("p99_us", 1e-3, 1) + if outcome.apart { "†" } else { "" };
    [
        outcome.fault.clone().unwrap_or(delay),
        figure("late_p99_us", 1e-3, 1),
        figure("server_share", 100.0, 0),
        figure("missed", 1.0, 0),
        figure("lacking", 1.0, 0),
        figure("sent_mib", 1.0, 2),
        figure("connects", 1.0, 0),
    ]
}
