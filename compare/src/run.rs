//! The runner: a fresh server and a fresh generator for each run, in shuffled order.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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
use crate::progress::Progress;
use crate::report;
use crate::results::{Outcome, Results, Sample};
use crate::running;
use crate::server::Server;
use crate::trace::Tool;
use crate::workload::{Load, Program};

/// Time a generator has beside its window.
pub(crate) const GENERATOR: Duration = Duration::from_secs(30);

/// A peer that failed a workload so often is not asked again.
const FAILURES: usize = 2;

/// Measures, and writes results and report into the run's folder. Returns the report's path.
///
/// # Errors
/// When nothing can be measured, or no run of the user's own server is valid.
pub(crate) fn run(options: &Options) -> Result<PathBuf> {
    let unfinished = journal::unfinished(options);
    if let (false, Ok(folder)) = (options.resume, &unfinished) {
        let folder = folder.display();
        eprintln!("{folder} holds such a run, unfinished: --resume goes on with it");
    }
    let folder = if options.resume { unfinished? } else { place::fresh(options.out.as_deref())? };
    running::watch(Some(folder.clone()))?;
    let machine = Machine::take()?;
    let (tasks, tool, begun) = get_ready(options, &machine)?;
    let mut journal = if options.resume {
        journal::take_up(&folder, &begun)?
    } else {
        let prices = calibrate::prices(&machine)?;
        Journal::begin(&folder, Results { prices, ..begun })?
    };
    work(options, &machine, &tasks, tool, &mut journal)?;
    let results = journal.results();
    results.write(&folder.join(RESULTS))?;
    let report = report::write(&results, &folder)?;
    results.disturbed().iter().for_each(|said| eprintln!("{said}"));
    let told = |why| format!("own: no run of it is valid: {why}; see {}", report.display());
    results.unmeasured(OWN).map_or(Ok(()), |why| Err(told(why)))?;
    Ok(report)
}

/// Builds, and finds out who takes part: the runs to make, what counts their system calls, and the
/// results without a run.
fn get_ready(options: &Options, machine: &Machine) -> Result<(Vec<Task>, Option<Tool>, Results)> {
    port::begin_at(options.port)?;
    let workloads = plan::workloads(options, machine)?;
    let served = |program: &Program| workloads.iter().any(|it| it.program == *program);
    let programs: Vec<Program> = Program::ALL.into_iter().filter(served).collect();
    // Before minutes of building.
    let mut failed = check_own(options, machine, &programs)?;
    let (present, mut skipped) = prepare::present(options, |_| true)?;
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
    let mut tasks = plan::tasks(options, &workloads, &present, &fit);
    let tool = tasks.iter().any(|task| task.traced).then(Tool::find).flatten();
    tasks.retain(|task| !task.traced || tool.is_some());
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
    Ok((tasks, tool, begun))
}

/// What is wrong with the user's own server, told line by line.
///
/// # Errors
/// With these lines, when nothing of it can be measured.
fn check_own(options: &Options, machine: &Machine, programs: &[Program]) -> Result<Vec<Findings>> {
    let found = conform::check(machine, options.own.as_slice(), programs);
    let lines: Vec<String> = found.iter().flat_map(Findings::told).collect();
    if options.own.is_some() && found.len() == programs.len() {
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
    let [about, most] = plan::minutes(left.iter().copied(), options.extent);
    let [told, bar] = [about, most].map(|it| it.max(0.1));
    eprintln!("{} runs: about {told:.1} minutes, {bar:.1} at most", left.len());
    let patience = Duration::from_secs_f64((most - about) * 60.0);
    let mut cores = Cores::new(machine, patience, &journal.results().samples)?;
    let guesses = left.iter().map(|task| task.guess(options.extent));
    let mut progress = Progress::new(tasks.len() - left.len(), guesses);
    for task in left {
        let Task { workload, name, round, traced, .. } = task;
        let how = if *traced { "counting system calls".into() } else { format!("round {round}") };
        let what = format!("{} {name}, {how}", workload.name);
        progress.begin(&what, task.guess(options.extent));
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

/// The generator's process: a job in, an outcome out; nothing when its time is over.
pub(crate) fn generate() -> Result<()> {
    let mut job = String::new();
    std::io::stdin().read_to_string(&mut job)?;
    let job: Job = serde_json::from_str(&job)?;
    let time = Duration::from_millis(job.window) + GENERATOR;
    std::thread::spawn(move || {
        std::thread::sleep(time);
        println!("null");
        std::process::exit(0);
    });
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
    let said: Option<Outcome> =
        serde_json::from_str(&said?).map_err(|_| "the generator ended without a word")?;
    let late = || Outcome::invalid("the server did not take or answer all clients in time");
    Ok(said.unwrap_or_else(late))
}

fn converse(child: &mut Child, job: &Job) -> Result<String> {
    let (input, output) = (child.stdin.take(), child.stdout.take());
    input.ok_or("no standard input")?.write_all(serde_json::to_string(job)?.as_bytes())?;
    let mut said = String::new();
    output.ok_or("no standard output")?.read_to_string(&mut said)?;
    Ok(said)
}
