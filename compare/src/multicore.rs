//! Servers that can use several cores, on one core and on all of them: what an echo gains.

use std::time::{Duration, Instant};

use crate::Result;
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::{Lane, Peer};
use crate::port;
use crate::prepare;
use crate::results::{OURS, Outcome};
use crate::server::Server;
use crate::tcp;
use crate::trial::{Column, Trial, job, measure, table, verdict};
use crate::workload::{self, Extent, Program};

/// Those that are measured, unless it is said otherwise.
pub(crate) const PEERS: [&str; 4] = [OURS, "tokio-multi", "threads", "go"];

const WORKLOAD: &str = "echo-50";

/// Rounds, with `--quick` and without.
const ROUNDS: [usize; 2] = [1, 5];

/// Milliseconds measured; a third of it before is discarded.
const WINDOW: u64 = 700;

/// Time for runs that do not count since the host moved the cores, with `--quick` and without.
const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];

/// Time that the processes of ours have for listening.
const LISTENING: Duration = Duration::from_secs(5);

/// What the others are held against.
const ONE: &str = "1 core";

const COLUMNS: [Column; 3] = [
    ("round trips/s", "rate", 1.0),
    ("× of 1 core", "rate by 1 core", 1.0),
    ("generator busy, of 1", "generator_share", 1.0),
];

const LEGEND: &str = "
Median of all rounds (least-most). Ours is a process for each core, all on one port; a server of one
thread gains nothing from a second core. The generator takes its share of a core away from the servers on
all cores. Where it is busy for 0.9 of one, there are no more round trips because it can make no more.";

/// An error if any run could not be measured; what could is told nevertheless.
pub(crate) fn cores(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::some(options, |_| true)?;
    let extent = usize::from(options.extent > Extent::Quick);
    let all = format!("{} cores", machine.wide().cores());
    let trials = peers.iter().flat_map(|peer| {
        [(ONE, machine), (&*all, machine.wide())].map(|(variant, machine)| Trial {
            workload: peer.name.into(),
            variant: variant.into(),
            seconds: WINDOW as f64 / 750.0 + 0.2,
            what: (machine, *peer),
        })
    });
    let run = |(machine, peer): &_| one(machine, peer);
    let trials: Vec<_> = trials.collect();
    let samples = measure(&machine, PATIENCE[extent], ROUNDS[extent], &trials, run)?;
    println!("{WORKLOAD}, closed loop:\n\n{}{LEGEND}", table(&COLUMNS, &samples).text());
    if samples.iter().any(|sample| sample.outcome.apart) {
        println!("†: the host had moved the cores, which changes all figures.");
    }
    verdict(&samples)
}

/// The load comes from this process, which none of the servers is.
fn one(machine: &Machine, peer: &Peer) -> Result<Outcome> {
    let servers = start(machine, peer)?;
    let load = workload::find(WORKLOAD).ok_or("no such workload")?.load;
    Ok(load::run(&Job { pid: std::process::id(), ..job(&servers[0], load, WINDOW) }))
}

/// Of ours a process for each core, of which Linux gives every client to one.
fn start(machine: &Machine, peer: &Peer) -> Result<Vec<Server>> {
    let (processes, options): (_, &[&str]) = match peer.lane {
        Lane::Ours => (machine.cores(), &["--share-port"]),
        _ => (1, &[]),
    };
    let address = port::free_address();
    let start = |_| Server::start_at(machine, peer, Program::Echo, address, options);
    let servers = (0..processes).map(start).collect::<Result<Vec<Server>>>()?;
    let deadline = Instant::now() + LISTENING;
    // The second one's port was listened at before.
    while tcp::sockets(address.port())?.iter().filter(|it| it.listens).count() < processes {
        if Instant::now() > deadline {
            return Err(format!("not all of {processes} processes listen").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(servers)
}
