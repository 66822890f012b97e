//! Servers that can use several cores, on one core and on all of them: what an echo gains.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cores::Cores;
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::{Lane, Peer};
use crate::port;
use crate::prepare;
use crate::progress::Progress;
use crate::report::table::{NOTHING, Table};
use crate::results::{OURS, Outcome};
use crate::server::Server;
use crate::stats::spread;
use crate::tcp;
use crate::trial::range;
use crate::workload::{self, Extent, Program};

/// Those that are measured, unless it is said otherwise.
pub(crate) const PEERS: [&str; 4] = [OURS, "tokio-multi", "threads", "go"];

const WORKLOAD: &str = "echo-50";

/// Rounds, with `--quick` and without.
const ROUNDS: [usize; 2] = [1, 5];

/// Milliseconds measured; a third of it before is discarded.
const WINDOW: u64 = 700;

/// Time for runs that do not count since the cores were apart.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time that the processes of ours have for listening.
const LISTENING: Duration = Duration::from_secs(5);

/// An error if any run could not be measured.
pub(crate) fn cores(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::some(options, |_| true)?;
    let rounds = ROUNDS[usize::from(options.extent > Extent::Quick)];
    let machines = [machine, machine.wide()];
    let seconds = WINDOW as f64 / 750.0 + 0.2;
    let mut progress = Progress::new(0, vec![seconds; 2 * rounds * peers.len()].into_iter());
    let mut cores = Cores::new(&machine, PATIENCE, &[])?;
    let mut runs = vec![Vec::new(); peers.len()];
    for round in 1..=rounds {
        for (peer, runs) in peers.iter().zip(&mut runs) {
            let mut pair = Vec::new();
            for machine in &machines {
                let what = format!("{} on {}, round {round}", peer.name, machine.cores());
                progress.begin(&what, seconds);
                let run = || one(machine, peer).unwrap_or_else(Outcome::invalid);
                let outcome = cores.together(run)?;
                if let Some(fault) = &outcome.fault {
                    return Err(format!("{what}: {fault}").into());
                }
                pair.push(outcome);
            }
            runs.push(pair);
        }
    }
    println!("{}", table(machines[1].cores(), &peers, &runs).text());
    println!(
        "Median, least and most of {rounds} rounds. Ours is a process for each core, on one port. What \
         the generator uses of\nits core, the servers on all cores have not; where it is busy for 90 % \
         and more, the round trips are as many as it can make,\nand no server's figure."
    );
    Ok(())
}

/// The load comes from this process, which none of the servers is.
fn one(machine: &Machine, peer: &Peer) -> Result<Outcome> {
    let servers = start(machine, peer)?;
    let load = workload::find(WORKLOAD).ok_or("no such workload")?.load;
    let (pid, address, warm_up) = (std::process::id(), servers[0].address, WINDOW / 3);
    Ok(load::run(&Job { load, pid, address, window: WINDOW, warm_up, tracer: None }))
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

/// A run on one core and one on all, round by round.
fn table(cores: usize, peers: &[Peer], runs: &[Vec<Vec<Outcome>>]) -> Table {
    let heads = [
        "1 core, round trips/s".into(),
        format!("{cores} cores, round trips/s"),
        "by one core".into(),
        "generator, % of a core: 1".into(),
        format!("{cores} cores"),
    ];
    let mut table = Table::of(&format!("{WORKLOAD}, closed loop"), heads);
    let figure = |run: &Outcome, key: &str| run.metrics.get(key).copied().unwrap_or(0.0);
    for (peer, runs) in peers.iter().zip(runs) {
        let told = |of: &dyn Fn(&[Outcome]) -> f64| {
            spread(runs.iter().map(|pair| of(pair))).map_or(NOTHING.into(), range)
        };
        let rate = |at: usize| told(&|pair| figure(&pair[at], "rate"));
        let gain = told(&|pair| figure(&pair[1], "rate") / figure(&pair[0], "rate"));
        let busy = |at: usize| told(&|pair| 100.0 * figure(&pair[at], "generator_share"));
        table.row(vec![peer.name.into(), rate(0), rate(1), gain, busy(0), busy(1)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers;

    #[test]
    fn the_gain_is_that_of_each_round_and_the_generator_stands_beside() {
        let run = |rate: f64, busy: f64| {
            let mut outcome = Outcome::default();
            outcome.set("rate", rate);
            outcome.set("generator_share", busy);
            outcome
        };
        let rounds = [(10.0, 30.0), (20.0, 30.0), (40.0, 60.0)];
        let runs = rounds.map(|(one, all)| vec![run(one, 0.25), run(all, 0.5)]).to_vec();
        let text = table(2, &[peers::find("go").expect("known")], &[runs]).text();
        let row = "| go | 20 (10-40) | 30 (30-60) | 1.50 (1.50-3) | 25 | 50 |";
        assert!(text.contains(row), "{text}");
    }
}
