//! The whole chain once, small: builds, measures, is broken off, goes on, and reports.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::USAGE;
use crate::bench;
use crate::options::Options;
use crate::peers::{OWN, here};
use crate::place::{self, JOURNAL, RESULTS};
use crate::results::{OURS, OURS_AGAIN, Results};
use crate::workload::Extent;

/// Runs after which it is broken off.
const RUNS: usize = 5;

/// Bytes that are torn off the last line.
const TORN: u64 = 20;

/// An error if any link of the chain does not hold.
pub(crate) fn smoke(options: &Options) -> Result<()> {
    let clients = options.clients.min(400);
    let mut options = Options { extent: Extent::Quick, clients, ..options.clone() };
    let rounds = *options.rounds.get_or_insert(1);
    if options.peers.is_empty() {
        options.peers = vec!["smol-documented".into()];
    }
    if options.only.is_empty() {
        let few = "echo-50,echo-pipelined,chat-200,chat-paste,idle-chat,burst,start";
        options.only = few.split(',').map(str::to_owned).collect();
    }
    let folder = place::smoke();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    break_off(run(&options, &folder), &folder.join(JOURNAL))?;
    succeeds(run(&options, &folder).arg("--resume"), "to go on")?;
    let results = Results::read(&folder.join(RESULTS))?;
    bench::are_valid(&results)?;
    for name in &options.only {
        if [OURS, OURS_AGAIN].iter().any(|ours| results.runs(name, ours).count() != rounds) {
            return Err(format!("{name} was not measured once a round").into());
        }
    }
    if let Some((peer, why)) = results.skipped.first() {
        return Err(format!("{peer} was skipped: {why}").into());
    }
    own(&options, &folder.join("own"))?;
    others(&options, &folder)?;
    eprintln!("the whole chain holds");
    Ok(())
}

/// The example of a server of one's own, measured beside ours.
fn own(options: &Options, folder: &Path) -> Result<()> {
    let example = here().join("examples/echo.py");
    let command = format!("python3 {} {{port}}", example.display());
    let mut run =
        compare(options, "run --no-build --quick --rounds 1 --only echo-pipelined --peers ours");
    succeeds(run.args(["--own", &command, "--out"]).arg(folder), "a server of one's own")?;
    let results = Results::read(&folder.join(RESULTS))?;
    match results.runs("echo-pipelined", OWN).count() {
        1 => Ok(()),
        _ => Err("a server of one's own has no valid run".into()),
    }
}

/// The other commands, for seconds each, of what is built already, and the results beside themselves, of
/// which some may surely be ranked.
fn others(options: &Options, folder: &Path) -> Result<()> {
    for command in [
        "bench --no-build --clients 100 --rounds 1 --only burst-chat --out",
        "pauses --no-build --quick --clients 10 --out",
        "edit --no-build --quick --clients 10",
        "cores --no-build --quick --peers ours",
        "account --no-build --peers ours --seconds 1",
        "floods --no-build --quick --clients 100 --only long-lines",
    ] {
        let out = folder.join(command.split(' ').next().unwrap_or_default());
        let mut run = compare(options, command);
        succeeds(run.args(command.ends_with("--out").then_some(out)), command)?;
    }
    let net = compare(&Options::default(), "net --no-build --quick --peers ours").status()?;
    // It may not where root runs this without its rights, or somebody else.
    if !net.success() && net.code() != Some(USAGE.into()) {
        return Err("net fails".into());
    }
    let mut show = compare(&Options::default(), "show");
    succeeds(show.arg(folder).arg(folder), "show")
}

fn succeeds(command: &mut Command, what: &str) -> Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("this fails: {what}").into()),
    }
}

fn run(options: &Options, folder: &Path) -> Command {
    let mut command = compare(options, &options.asked());
    command.arg("--out").arg(folder).args((!options.build).then_some("--no-build"));
    command
}

fn compare(options: &Options, arguments: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    let port = options.port.map(|port| ["--port".to_owned(), port.to_string()]);
    let mut words = arguments.split(' ');
    command.args(words.next()).args(port.iter().flatten()).args(words).stdin(Stdio::null());
    command
}

/// As ^C does after a few runs, and as a crash within a write does.
fn break_off(mut run: Command, journal: &Path) -> Result<()> {
    let mut run = run.spawn()?;
    let lines = || fs::read_to_string(journal).map_or(0, |text| text.lines().count());
    while lines() <= RUNS {
        if run.try_wait()?.is_some() {
            return Err("it ended before it was broken off; give it more to measure".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&run), Signal::INT)?;
    run.wait()?;
    let journal = File::options().write(true).open(journal)?;
    Ok(journal.set_len(journal.metadata()?.len() - TORN)?)
}
