//! Random traffic at our echo and our chat, of which every byte and every line is accounted for,
//! while the server is stopped, continued and sent signals. Measures nothing.

mod chat;
mod client;
mod echo;
mod signals;

use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::process::Process;
use crate::server::Server;
use crate::workload::Program;
use signals::Signals;

/// Time in which something must move: a connection that stands still for longer has lost a wake.
const PATIENCE: Duration = Duration::from_secs(8);

/// Time for which the clients sleep when none of them can do anything.
const NAP: Duration = Duration::from_micros(50);

/// Faults of one server that are told in words; all are counted.
const TOLD: usize = 10;

/// What one server did wrong.
#[derive(Default)]
struct Faults(usize);

impl Faults {
    fn add(&mut self, what: &str) {
        self.0 += 1;
        if self.0 <= TOLD {
            println!("    {what}");
        }
    }
}

/// An error if any server did anything wrong.
pub(crate) fn account(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let mut faults = 0;
    for program in [Program::Echo, Program::Chat] {
        for peer in peers.iter().filter(|_| options.chose(program.name())) {
            faults += one(&machine, peer, program, options)?;
        }
    }
    match faults {
        0 => Ok(()),
        _ => Err(format!("{faults} faults; --seed {} has the same traffic", options.seed).into()),
    }
}

fn one(machine: &Machine, peer: &Peer, program: Program, options: &Options) -> Result<usize> {
    let Options { seconds, seed, .. } = *options;
    println!("{}, {}: {seconds} s, --seed {seed}", program.name(), peer.name);
    let unpaced: &[_] = if program == Program::Chat { &["--rate", "0"] } else { &[] };
    let server = Server::start_ours(machine, peer, program, unpaced)?;
    let process = Process(server.pid());
    let (before, mut faults) = (process.descriptors(), Faults::default());
    let mut signals = Signals::new(server.pid(), seed)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let done = match program {
        Program::Chat => chat::run(server.address, seed, end, &mut signals, &mut faults)?,
        _ => echo::run(server.address, seed, end, &mut signals, &mut faults)?,
    };
    signals.end();
    let deadline = Instant::now() + PATIENCE;
    while process.descriptors() > before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let held = process.descriptors().saturating_sub(before);
    if held > 0 {
        faults.add(&format!("the server still holds {held} connections of clients who went"));
    }
    println!("  {done}; {} signals; faults: {}", signals.sent, faults.0);
    Ok(faults.0)
}
