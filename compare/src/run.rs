//! The runner: a fresh server and a fresh generator for each run, in shuffled order.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::calibrate;
use crate::conform::{self, Findings};
use crate::cores::Cores;
use crate::facts;
use crate::journal::{self, Entry, Journal};
use crate::load::{self, Job};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::{OWN, Peer};
use crate::place::{self, RESULTS};
use crate::plan::{self, Task};
use crate::port;
use crate::prepare;
use crate::progress::{Progress, guess};
use crate::report;
use crate::results::{OURS, Outcome, Results, Sample};
use crate::running;
use crate::server::Server;
use crate::trace::Tool;
use crate::workload::{Load, Program};

/// Time a generator has beside its window.
const GENERATOR: Duration = Duration::from_secs(50);

/// Time for runs that do not count since the cores were apart, by that of the others.
const PATIENCE: f64 = 0.5;

/// A peer that failed a workload so often is not asked again.
const FAILURES: usize = 2;

/// Measures, and writes results and report into the run's folder. Returns the report's path.
pub(crate) fn run(options: &Options) -> Result<PathBuf> {
    let unfinished = journal::unfinished(options);
    let folder = match (options.resume, unfinished) {
        (true, unfinished) => unfinished?,
        (false, unfinished) => {
            if let Ok(folder) = unfinished {
                let folder = folder.display();
                eprintln!("{folder} holds such a run, unfinished: --resume goes on with it");
            }
            place::fresh(options.out.as_deref())?
        }
    };
    running::watch(Some(folder.clone()))?;
    let machine = Machine::take()?;
    let Ready { tasks, tool, begun } = get_ready(options, &machine)?;
    let mut journal = if options.resume {
        journal::take_up(&folder, &begun)?
    } else {
        let prices = calibrate::prices(&machine)?;
        Journal::begin(&folder, Results { prices, ..begun })?
    };
    work(options, &machine, &tasks, tool, &mut journal)?;
    let results = journal.results();
    results.write(&folder.join(RESULTS))?;
    report::write(&results, &folder)
}

struct Ready {
    tasks: Vec<Task>,
    tool: Option<Tool>,
    begun: Results,
}

/// Builds, and finds out who takes part.
fn get_ready(options: &Options, machine: &Machine) -> Result<Ready> {
    if let Some(port) = options.port {
        port::begin_at(port)?;
    }
    let workloads = plan::workloads(options, machine)?;
    let served = |program: &Program| workloads.iter().any(|it| it.program == *program);
    let programs: Vec<Program> = Program::ALL.into_iter().filter(served).collect();
    // Before minutes of building.
    let mut failed = check_own(options, machine, &programs)?;
    let wanted = plan::wanted(options);
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
    let others: Vec<Peer> = present.iter().filter(|peer| peer.name != OWN).copied().collect();
    let found = conform::check(machine, &others, &programs);
    found.iter().flat_map(Findings::told).for_each(|line| eprintln!("{line}"));
    failed.extend(found);
    for Findings { peer, program, lines } in &failed {
        skipped.push((format!("{} ({})", peer.name, program.name()), lines.join("; ")));
    }
    let fit = |peer: &Peer, program: Program| {
        !failed.iter().any(|failed| failed.peer.name == peer.name && failed.program == program)
    };
    let tool = Tool::find();
    let begun = Results {
        // Of what is built now, whatever is edited meanwhile.
        card: facts::card(machine),
        peers: present.iter().map(facts::facts).collect(),
        extent: options.extent,
        seed: options.seed,
        chosen: options.chosen(),
        skipped,
        traced_with: tool.map(|tool| tool.name().to_owned()),
        ..Results::default()
    };
    let tasks = plan::tasks(options, &workloads, &present, &fit, tool.is_some());
    Ok(Ready { tasks, tool, begun })
}

/// What is wrong with the user's own server, told line by line.
///
/// # Errors
/// With these lines, when nothing of it can be measured.
fn check_own(options: &Options, machine: &Machine, programs: &[Program]) -> Result<Vec<Findings>> {
    let own: Vec<Peer> = options.own.into_iter().collect();
    let found = conform::check(machine, &own, programs);
    let lines: Vec<String> = found.iter().flat_map(Findings::told).collect();
    if !own.is_empty() && found.len() == programs.len() {
        return Err(lines.join("\ncompare: ").into());
    }
    lines.iter().for_each(|line| eprintln!("{line}"));
    Ok(found)
}

/// Makes the runs that the journal does not hold yet.
fn work(
    options: &Options,
    machine: &Machine,
    tasks: &[Task],
    tool: Option<Tool>,
    journal: &mut Journal,
) -> Result<()> {
    let left: Vec<&Task> = tasks.iter().filter(|task| !task.is_made(journal)).collect();
    let guesses = left.iter().map(|task| guess(&task.workload, options.extent));
    let patience = Duration::from_secs_f64(guesses.clone().sum::<f64>() * PATIENCE);
    let mut cores = Cores::new(machine, patience, &journal.results().samples)?;
    let mut progress = Progress::new(tasks.len() - left.len(), guesses);
    for task in left {
        let Task { workload, name, round, traced, .. } = task;
        let how = if *traced { "counting system calls".into() } else { format!("round {round}") };
        let what = format!("{} {name}, {how}", workload.name);
        progress.begin(&what, guess(workload, options.extent));
        if journal.failures(workload.name, name) >= FAILURES {
            continue;
        }
        let started = Instant::now();
        let run = || {
            one(options, machine, task, tool.filter(|_| *traced)).unwrap_or_else(Outcome::invalid)
        };
        let alone = *traced || matches!(workload.load, Load::Idle { .. } | Load::Start);
        let outcome = if alone { run() } else { cores.together(run)? };
        if let Some(fault) = &outcome.fault {
            eprintln!("            {fault}");
        }
        let seconds = started.elapsed().as_secs_f64();
        let (workload, peer) = (workload.name.to_owned(), (*name).to_owned());
        let run = Sample { workload, peer, round: *round, outcome };
        journal.add(Entry { traced: *traced, seconds, run })?;
    }
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
    let (load, warm_up) = (workload.load, window / 3);
    let job = Job { load, pid: server.pid(), address: server.address, window, warm_up, tracer };
    let mut outcome = generator(&job)?;
    if let (Some(fault), Some(said)) = (&mut outcome.fault, server.last_words()) {
        *fault += &format!("; it said: {said}");
    }
    Ok(outcome)
}

/// A process of its own, so that nothing of one run is left for the next.
pub(crate) fn generator(job: &Job) -> Result<Outcome> {
    // Not the path, where another build may lie by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg("generate").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = running::start(&mut command)?;
    let said = converse(&mut child, job);
    running::end(&mut child);
    let Some(said) = said? else {
        return Ok(Outcome::invalid("the server took no clients, or answered none, in time"));
    };
    Ok(serde_json::from_str(&said).map_err(|_| "the generator ended without a word")?)
}

/// What the generator says of the job; nothing when its time is over.
fn converse(child: &mut Child, job: &Job) -> Result<Option<String>> {
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
    Ok(said.ok().transpose()?)
}
