//! What a normal talker notices of floods: the delay of its lines, and what the server takes of a
//! core meanwhile. Printed as a table, and judged by whoever reads it.

mod attackers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Result;
use crate::flood::{FLOODS, Flood};
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::results::{OURS, Outcome};
use crate::server::Server;
use crate::trial::{Column, Trial, job, measure, table, verdict};
use crate::workload::{Extent, Load, Program};

/// Clients of a flood: a few of one address, and many of as many addresses.
const CROWDS: [usize; 2] = [20, 1000];

/// Milliseconds measured, and before that discarded, with `--quick` and without.
const WINDOWS: [[u64; 2]; 2] = [[1000, 300], [5000, 700]];

/// Time for runs that do not count since the host moved the cores.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line, or a message, every 10 ms.
const TALKER: Load =
    Load::Chat { clients: 2, speakers: 1, bytes: 56, rate: 100, burst: 1, deaf: 0 };
const ECHOED: Load = Load::Echo { clients: 1, bytes: 56, depth: 1, rate: 100 };

const LEGEND: &str = "
Beside so many clients who do that, a talker says a line every 10 ms, or has it echoed: how long it
takes to its listener, and how late the talker was to say it, which is the machine's doing, both as
p99; the server's share of a core; lines, of the clients too, that the two were told they missed, and
lines of the talker that did not come; what the clients sent, and how often they came.
†: the host had moved the cores, which changes all figures.";

const COLUMNS: [Column; 7] = [
    ("p99 ms", "p99_us", 1e3),
    ("late ms", "late_p99_us", 1e3),
    ("CPU %", "server_share", 0.01),
    ("missed", "missed", 1.0),
    ("not come", "lost", 1.0),
    ("MiB/s", "sent_mib", 1.0),
    ("connects/s", "connects", 1.0),
];

/// An error if any run could not be measured, whatever the figures are.
pub(crate) fn floods(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let most = machine.clients().min(options.clients);
    let mut crowds = CROWDS.map(|crowd| crowd.min(most)).to_vec();
    crowds.dedup();
    let windows = WINDOWS[usize::from(options.extent > Extent::Quick)];
    let seconds = windows.iter().sum::<u64>() as f64 / 1e3;
    let mut trials = Vec::new();
    for flood in FLOODS.iter().filter(|flood| options.chose(flood.name)) {
        for peer in &peers {
            let whose = if peer.name == OURS { "" } else { peer.name };
            trials.extend(crowds.iter().map(|crowd| {
                let variant = format!("{whose} {crowd} clients").trim_start().to_owned();
                Trial { workload: flood.name.into(), variant, seconds, what: (peer, flood, *crowd) }
            }));
        }
    }
    let run = |what: &_| one(&machine, what, windows);
    let samples = measure(&machine, PATIENCE, 1, &trials, run)?;
    println!("{}{LEGEND}", table(&COLUMNS, &samples).text());
    verdict(&samples)
}

fn one(
    machine: &Machine,
    &(peer, flood, crowd): &(&Peer, &Flood, usize),
    [window, warm_up]: [u64; 2],
) -> Result<Outcome> {
    let server = Server::start_ours(machine, peer, flood.program, flood.options)?;
    let load = if flood.program == Program::Echo { ECHOED } else { TALKER };
    let job = Job { warm_up, ..job(&server, load, window) };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ends, mut clients) = (Ends(&over), None);
        let flood = || attackers::flood(flood, crowd, job.address, &over);
        let mut outcome = load::beside(&job, || clients = Some(scope.spawn(flood)));
        drop(ends);
        if let Some(clients) = clients {
            let [connects, mib] = clients.join().map_err(|_| "the flood panicked")?;
            outcome.set("connects", connects);
            outcome.set("sent_mib", mib);
        }
        Ok(outcome)
    })
}

/// Ends the flood when it is dropped: the scope waits for it, even if the talker panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
