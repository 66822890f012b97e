//! The runner: a fresh server and a fresh generator for each run, in shuffled order.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::calibrate;
use crate::conform;
use crate::cores::{self, Cores};
use crate::facts;
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::{Options, Wrong};
use crate::peers::{self, PEERS, Peer};
use crate::prepare;
use crate::progress::{Progress, guess};
use crate::report;
use crate::results::{OURS, OURS_AGAIN, Outcome, Results, Sample, Trace};
use crate::running;
use crate::server::{self, Server};
use crate::stats::Shuffle;
use crate::trace::Tool;
use crate::workload::{self, Extent, Load, Program, WORKLOADS, Workload};

/// Descriptors that are not clients, in the server and in the generator.
const OTHER_DESCRIPTORS: u64 = 64;

/// Time a generator has beside its window.
const GENERATOR: Duration = Duration::from_secs(50);

/// Time for runs that do not count since the cores were apart, by that of the others.
const PATIENCE: f64 = 0.5;

/// A peer that failed a workload so often is not asked again.
const FAILURES: usize = 2;

struct Task {
    workload: Workload,
    peer: Peer,
    /// Ours has two.
    name: &'static str,
    round: usize,
    traced: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    // Before anything is measured: it would be lost.
    fs::create_dir_all(&options.out).map_err(|error| {
        Wrong(format!("--out {} cannot be made: {error}", options.out.display()))
    })?;
    let results = measure(options)?;
    results.write(&options.out.join("results.json"))?;
    report::write(&results, &options.out)?;
    eprintln!("the report is in report.md");
    Ok(())
}

/// The whole chain once, small; an error if any link of it does not hold.
pub(crate) fn smoke(options: &Options) -> Result<()> {
    let mut options = options.clone();
    options.extent = Extent::Quick;
    options.rounds = options.rounds.or(Some(1));
    options.clients = options.clients.min(400);
    options.out = peers::here().join("target/smoke");
    if options.peers.is_empty() {
        options.peers = ["raw-epoll", "smol-documented"].map(str::to_owned).into();
    }
    if options.only.is_empty() {
        let few =
            ["echo-50", "echo-pipelined", "chat-200", "fan-1000", "idle-chat", "burst", "start"];
        options.only = few.map(str::to_owned).into();
    }
    run(&options)?;
    let results = Results::read(&options.out.join("results.json"))?;
    let faulty = |sample: &&Sample| sample.outcome.fault.is_some();
    if let Some(Sample { workload, peer, outcome, .. }) = results.samples.iter().find(faulty) {
        let fault = outcome.fault.as_deref().unwrap_or_default();
        return Err(format!("{peer}, {workload}: {fault}").into());
    }
    for name in &options.only {
        if results.runs(name, OURS).next().is_none() {
            return Err(format!("{name} was not measured").into());
        }
    }
    if let Some((peer, why)) = results.skipped.first() {
        return Err(format!("{peer} was skipped: {why}").into());
    }
    eprintln!("the whole chain holds");
    Ok(())
}

/// The generator's process: a job in, an outcome out.
pub(crate) fn generate() -> Result<()> {
    let mut job = String::new();
    std::io::stdin().read_to_string(&mut job)?;
    let job: Job = serde_json::from_str(&job)?;
    println!("{}", serde_json::to_string(&load::run(&job))?);
    Ok(())
}

fn measure(options: &Options) -> Result<Results> {
    running::watch()?;
    let machine = Machine::take()?;
    if let Some(port) = options.port {
        server::begin_at(port)?;
    }
    let workloads = workloads(options, &machine)?;
    let wanted = wanted(options);
    let stale = if options.build { prepare::build(&wanted)? } else { Vec::new() };
    let (mut present, mut skipped) = (Vec::new(), Vec::new());
    for peer in wanted {
        let broken = stale.contains(&peer.name).then(|| "it cannot be built".to_owned());
        match broken.or_else(|| peer.missing()) {
            Some(why) if peer.name == OURS => return Err(why.into()),
            Some(why) => skipped.push((peer.name.to_owned(), why)),
            None => present.push(peer),
        }
    }
    eprintln!("checking that all speak the protocol");
    let failed = conform::check(&machine, &present);
    for (peer, program, why) in &failed {
        eprintln!("{} does not speak {}: {why}", peer.name, program.name());
        skipped.push((format!("{} ({})", peer.name, program.name()), why.clone()));
    }
    let fit = |peer: &Peer, program: Program| {
        !failed.iter().any(|(other, failed, _)| other.name == peer.name && *failed == program)
    };
    let prices = calibrate::prices(&machine)?;
    let tool = Tool::find();
    let tasks = tasks(options, &workloads, &present, &fit, tool.is_some());
    // Of what is built now, whatever is edited meanwhile.
    let (card, peers) = (machine.card(), present.iter().map(facts::facts).collect());
    let started = Instant::now();
    let (samples, traces) = work(options, &machine, &tasks, tool)?;
    Ok(Results {
        card,
        extent: options.extent,
        seed: options.seed,
        minutes: started.elapsed().as_secs_f64() / 60.0,
        prices,
        peers,
        skipped,
        samples,
        traces,
        traced_with: tool.map(|tool| tool.name().to_owned()),
    })
}

fn wanted(options: &Options) -> Vec<Peer> {
    let all = options.peers.is_empty();
    let named = |peer: &&Peer| options.peers.iter().any(|name| name == peer.name);
    PEERS.iter().filter(|peer| all || peer.name == OURS || named(peer)).copied().collect()
}

/// Those of the extent, or the chosen ones.
///
/// # Errors
/// When one has more clients than there are descriptors.
fn workloads(options: &Options, machine: &Machine) -> Result<Vec<Workload>> {
    let chosen: Vec<Workload> = if options.only.is_empty() {
        let all = WORKLOADS.into_iter();
        all.filter(|workload| workload.rounds(options.extent) > 0).collect()
    } else {
        options.only.iter().filter_map(|name| workload::find(name)).collect()
    };
    let capped: Vec<Workload> =
        chosen.into_iter().map(|workload| workload.capped(options.clients)).collect();
    for workload in &capped {
        let needed = workload.clients() as u64 + OTHER_DESCRIPTORS;
        if needed > machine.descriptors {
            let (name, limit) = (workload.name, machine.descriptors);
            let most = limit.saturating_sub(OTHER_DESCRIPTORS);
            return Err(Box::new(Wrong(format!(
                "{name} needs {needed} descriptors and the limit is {limit}: raise it with \
                 ulimit -n, or give --clients {most}"
            ))));
        }
    }
    Ok(capped)
}

/// Round by round, so that a slow drift of the machine meets everybody alike; the traced runs
/// at the end.
fn tasks(
    options: &Options,
    workloads: &[Workload],
    peers: &[Peer],
    fit: &impl Fn(&Peer, Program) -> bool,
    traced: bool,
) -> Vec<Task> {
    let least = if options.only.is_empty() { 0 } else { 3 };
    let rounds = |workload: &Workload| match (options.rounds, workload.rounds(options.extent)) {
        (Some(rounds), _) => rounds,
        (None, 0) => least.max(workload.rounds(Extent::Full)),
        (None, rounds) => rounds.max(least),
    };
    let takes_part =
        |workload: &Workload, peer: &Peer| peer.runs(workload) && fit(peer, workload.program);
    let mut shuffle = Shuffle(options.seed);
    let mut tasks = Vec::new();
    for round in 1..=workloads.iter().map(rounds).max().unwrap_or(0) {
        for workload in workloads.iter().filter(|workload| rounds(workload) >= round) {
            let mut block: Vec<Task> = peers
                .iter()
                .filter(|peer| takes_part(workload, peer))
                .map(|peer| task(workload, peer, peer.name, round, false))
                .collect();
            if let Some(ours) = peers.iter().find(|peer| peer.name == OURS) {
                block.push(task(workload, ours, OURS_AGAIN, round, false));
            }
            shuffle.shuffle(&mut block);
            tasks.append(&mut block);
        }
    }
    for workload in workloads.iter().filter(|workload| traced && workload.traced) {
        let part = peers.iter().filter(|peer| takes_part(workload, peer));
        tasks.extend(part.map(|peer| task(workload, peer, peer.name, 1, true)));
    }
    tasks
}

fn task(workload: &Workload, peer: &Peer, name: &'static str, round: usize, traced: bool) -> Task {
    Task { workload: *workload, peer: *peer, name, round, traced }
}

fn work(
    options: &Options,
    machine: &Machine,
    tasks: &[Task],
    tool: Option<Tool>,
) -> Result<(Vec<Sample>, Vec<Trace>)> {
    let guesses = tasks.iter().map(|task| guess(&task.workload, options.extent));
    let patience = guesses.clone().sum::<f64>() * PATIENCE;
    let mut cores = Cores::new(machine, Duration::from_secs_f64(patience))?;
    let mut progress = Progress::new(guesses);
    let (mut samples, mut traces) = (Vec::new(), Vec::new());
    let mut failures: HashMap<(&str, &str), usize> = HashMap::new();
    for task in tasks {
        let Task { workload, name, round, traced, .. } = task;
        let how = if *traced { "counting system calls".into() } else { format!("round {round}") };
        let what = format!("{} {name}, {how}", workload.name);
        progress.begin(&what, guess(workload, options.extent));
        let failures = failures.entry((workload.name, *name)).or_default();
        if *failures >= FAILURES {
            continue;
        }
        let run = || {
            one(options, machine, task, tool.filter(|_| *traced))
                .unwrap_or_else(|error| Outcome::invalid(error.to_string()))
        };
        let alone = *traced || matches!(workload.load, Load::Idle { .. } | Load::Start);
        let outcome = if alone { run() } else { cores.together(run)? };
        if let Some(fault) = &outcome.fault {
            eprintln!("            {fault}");
            *failures += 1;
        }
        let (workload, peer) = (workload.name.to_owned(), (*name).to_owned());
        if *traced {
            traces.extend(outcome.fault.is_none().then(|| calls(workload, peer, &outcome)));
        } else {
            samples.push(Sample { workload, peer, round: *round, outcome });
        }
    }
    cores::mark(&mut samples);
    Ok((samples, traces))
}

fn calls(workload: String, peer: String, outcome: &Outcome) -> Trace {
    let calls = outcome.metrics.iter().filter_map(|(name, value)| {
        name.strip_prefix("call:").map(|name| (name.to_owned(), *value))
    });
    Trace { workload, peer, calls: calls.collect() }
}

fn one(options: &Options, machine: &Machine, task: &Task, tracer: Option<Tool>) -> Result<Outcome> {
    let Task { workload, peer, .. } = task;
    if matches!(workload.load, Load::Start) {
        let mut outcome = Outcome::default();
        let taken = Server::time_start(machine, peer, workload.program)?;
        outcome.set("start_ms", taken.as_secs_f64() * 1e3);
        return Ok(outcome);
    }
    let server = Server::start(machine, peer, workload.program)?;
    let window = workload.window(options.extent);
    let job =
        Job { load: workload.load, pid: server.pid(), address: server.address, window, tracer };
    let mut outcome = generator(&job)?;
    if let (Some(fault), Some(said)) = (&mut outcome.fault, server.last_words()) {
        *fault += &format!("; it said: {said}");
    }
    Ok(outcome)
}

/// A process of its own, so that nothing of one run is left for the next.
fn generator(job: &Job) -> Result<Outcome> {
    // Not the path, where another build may lie by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg("load").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(serde_json::to_string(job)?.as_bytes())?;
    drop(input);
    let mut output = child.stdout.take().ok_or("no standard output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = String::new();
        let _too_late = sender.send(output.read_to_string(&mut said).map(|_| said));
    });
    let said = receiver.recv_timeout(Duration::from_millis(job.window) + GENERATOR);
    if said.is_err() {
        child.kill()?;
    }
    let _status = child.wait()?;
    let Ok(said) = said else {
        return Ok(Outcome::invalid("the server took no clients, or answered none, in time"));
    };
    let said = said?;
    Ok(serde_json::from_str(&said).map_err(|_| "the generator ended without a word")?)
}
