//! Which runs there are to make, and in what order: the same for the same options.

use crate::Result;
use crate::journal::Journal;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::{Lane, PEERS, Peer};
use crate::results::{OURS, OURS_AGAIN};
use crate::run::GENERATOR;
use crate::stats::Dice;
use crate::workload::{self, Extent, Load, Program, WORKLOADS, Workload};

/// Rounds of a workload that is asked for by its name.
const ROUNDS_BY_NAME: usize = 3;

/// Time for runs that do not count since the host moved the cores, by that of the others.
const PATIENCE: f64 = 0.25;

pub(crate) struct Task {
    pub(crate) workload: Workload,
    pub(crate) peer: Peer,
    /// Ours has two.
    pub(crate) name: &'static str,
    pub(crate) round: usize,
    pub(crate) traced: bool,
}

impl Task {
    pub(crate) fn is_made(&self, journal: &Journal) -> bool {
        journal.holds(self.workload.name, self.name, self.round, self.traced)
    }

    /// Seconds that the run takes, roughly: as it did on two cores of a virtual machine.
    pub(crate) fn guess(&self, extent: Extent) -> f64 {
        let Task { workload, peer, traced, .. } = self;
        let clients = workload.clients() as f64;
        let window = workload.window(extent) as f64 / 1000.0;
        // A server that waits for a full client does so for seconds, and with a short backlog a
        // client waits for one.
        let documented = if peer.lane == Lane::AsDocumented { 1.0 } else { 0.0 };
        let joining = 0.15 + clients / 15_000.0;
        let run = match workload.load {
            Load::Start => 0.1,
            Load::Idle { .. } => joining + 0.45,
            Load::Burst { .. } => 0.2 + documented,
            Load::Time { .. } => joining + 1.1 + window,
            Load::Stalled { .. } => joining + window + 4.0 * documented,
            _ => joining + window * 4.0 / 3.0,
        };
        // Two threads for each client take theirs, and thousands do not start at all.
        let is_slow = peer.name == "threads" && workload.program == Program::Chat;
        let threads = if is_slow { GENERATOR.as_secs_f64().min(clients / 200.0) } else { 0.0 };
        run + threads + if *traced { 0.65 } else { 0.0 }
    }
}

/// Minutes that these runs take, roughly, and at most unless some fail.
pub(crate) fn minutes<'a>(tasks: impl Iterator<Item = &'a Task>, extent: Extent) -> [f64; 2] {
    let runs: f64 = tasks.map(|task| task.guess(extent)).sum::<f64>() / 60.0;
    [runs, runs * (1.0 + PATIENCE)]
}

pub(crate) fn wanted(options: &Options) -> Vec<Peer> {
    let all = options.peers.is_empty();
    let named = |peer: &&Peer| options.peers.iter().any(|name| name == peer.name);
    let peers = PEERS.iter().filter(|peer| all || peer.name == OURS || named(peer)).copied();
    peers.chain(options.own).collect()
}

/// Those of the extent, or the chosen ones.
///
/// # Errors
/// When one has more clients than there are descriptors.
pub(crate) fn workloads(options: &Options, machine: &Machine) -> Result<Vec<Workload>> {
    let of_extent = |workload: &Workload| workload.rounds(options.extent) > 0;
    let chosen: Vec<Workload> = if options.only.is_empty() {
        WORKLOADS.into_iter().filter(of_extent).collect()
    } else {
        options.only.iter().filter_map(|name| workload::find(name)).collect()
    };
    let capped = chosen.into_iter().map(|workload| {
        let capped = workload.capped(options.clients);
        machine.has_room(capped.name, capped.clients())?;
        Ok(capped)
    });
    capped.collect()
}

/// Round by round, so that a slow drift of the machine meets everybody alike; the traced runs
/// at the end.
pub(crate) fn tasks(
    options: &Options,
    workloads: &[Workload],
    peers: &[Peer],
    fit: &impl Fn(&Peer, Program) -> bool,
) -> Vec<Task> {
    let by_name = !options.only.is_empty();
    let least = if by_name { ROUNDS_BY_NAME } else { 0 };
    let rounds = |workload: &Workload| match (options.rounds, workload.rounds(options.extent)) {
        (Some(rounds), _) => rounds,
        (None, 0) => least.max(workload.rounds(Extent::Full)),
        (None, rounds) => rounds.max(least),
    };
    let of = |&workload: &Workload, round, traced| -> Vec<Task> {
        let takes_part = |peer: &&Peer| peer.runs(&workload) && fit(peer, workload.program);
        let task = |&peer: &Peer| Task { workload, peer, name: peer.name, round, traced };
        peers.iter().filter(takes_part).map(task).collect()
    };
    let mut dice = Dice(options.seed);
    let mut tasks = Vec::new();
    for round in 1..=workloads.iter().map(rounds).max().unwrap_or(0) {
        for workload in workloads.iter().filter(|workload| rounds(workload) >= round) {
            let mut block = of(workload, round, false);
            let twice = |task: &&Task| task.name == OURS && options.extent != Extent::Bench;
            let again = block.iter().find(twice).map(|ours| Task { name: OURS_AGAIN, ..*ours });
            block.extend(again);
            dice.shuffle(&mut block);
            tasks.append(&mut block);
        }
    }
    let is_traced = |workload: &&Workload| {
        workload.traced.is_some_and(|least| by_name || options.extent >= least)
    };
    let traced = workloads.iter().filter(is_traced);
    tasks.extend(traced.flat_map(|workload| of(workload, 1, true)));
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Entry;
    use crate::place::scratch;
    use crate::report::made_up;
    use crate::results::{Outcome, Sample};

    /// Minutes of asking for the protocol and for the prices of system calls, before the first run.
    const BEFORE: f64 = 0.4;

    #[test]
    fn all_peers_are_measured_within_the_minutes_that_are_promised() {
        for (extent, bar) in [(Extent::Quick, 4.0), (Extent::Usual, 12.0), (Extent::Full, 60.0)] {
            let options = Options { extent, ..Options::default() };
            let of_extent = |workload: &Workload| workload.rounds(extent) > 0;
            let workloads: Vec<_> = WORKLOADS.into_iter().filter(of_extent).collect();
            let tasks = tasks(&options, &workloads, PEERS, &|_, _| true);
            let [_, most] = minutes(tasks.iter(), extent);
            assert!(most + BEFORE < bar, "{extent:?}: {most} minutes");
        }
    }

    #[test]
    fn a_run_taken_up_makes_what_is_left_in_the_same_order() {
        let options = Options { peers: vec!["threads".into()], ..Options::default() };
        let plan = || {
            let workloads = ["chat-200", "start"].map(|name| workload::find(name).expect("known"));
            tasks(&options, &workloads, &wanted(&options), &|_, _| true)
        };
        let names = |tasks: Vec<&Task>| -> Vec<_> {
            tasks.iter().map(|task| (task.workload.name, task.name, task.round)).collect()
        };
        let folder = scratch("left");
        let mut journal = Journal::begin(&folder, made_up::results()).expect("begun");
        for task in plan().iter().take(7) {
            let (workload, peer) = (task.workload.name.into(), task.name.into());
            let run = Sample { workload, peer, round: task.round, outcome: Outcome::default() };
            journal.add(Entry { traced: task.traced, seconds: 1.0, run }).expect("kept");
        }
        let journal = Journal::open(&folder).expect("taken up");
        let (plan, again) = (plan(), plan());
        let left = again.iter().filter(|task| !task.is_made(&journal)).collect();
        assert_eq!(names(left), names(plan.iter().skip(7).collect()));
        std::fs::remove_dir_all(folder).expect("it is ours");
    }
}
