//! The command line.

use std::path::PathBuf;

use crate::flood::FLOODS;
use crate::peers;
use crate::port::LAST_PORT;
use crate::relay::PARTS;
use crate::results::{OURS, SEED, asked};
use crate::workload::{Extent, Program, WORKLOADS};
use crate::wrong::Wrong;

pub(crate) enum Command {
    Help,
    Run(Options),
    Bench(Options),
    Smoke(Options),
    /// Of the run in this folder, or of the newest.
    Report(Option<PathBuf>),
    Publish(Option<PathBuf>),
    Calibrate,
    Account(Options),
    Floods(Options),
    Pauses(Options),
    Relay(Options),
    /// The generator's process; the job comes on standard input.
    Load,
}

/// Clients of a workload, at most, unless it is said otherwise.
const CLIENTS: usize = 10_000;

/// Seconds of random traffic at each server, unless it is said otherwise.
const SECONDS: u64 = 60;

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) extent: Extent,
    /// Workloads, or none for those of the extent.
    pub(crate) only: Vec<String>,
    /// Peers, or none for all; ours runs always.
    pub(crate) peers: Vec<String>,
    /// Clients of a workload, at most.
    pub(crate) clients: usize,
    /// First port of the servers.
    pub(crate) port: Option<u16>,
    pub(crate) seed: u64,
    /// Of random traffic at each server.
    pub(crate) seconds: u64,
    /// Rounds, where the extent's are not wanted.
    pub(crate) rounds: Option<usize>,
    pub(crate) build: bool,
    /// Goes on with an unfinished run.
    pub(crate) resume: bool,
    /// The run's folder, or none for one of its own below `target/compare`.
    pub(crate) out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            extent: Extent::Usual,
            only: Vec::new(),
            peers: Vec::new(),
            clients: CLIENTS,
            port: None,
            seed: SEED,
            seconds: SECONDS,
            rounds: None,
            build: true,
            resume: false,
            out: None,
        }
    }
}

impl Options {
    /// Whether `--only`, if it is given, names it.
    pub(crate) fn chose(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The command, without what changes nothing of what is measured.
    pub(crate) fn asked(&self) -> String {
        asked(self.extent, self.seed, &self.chosen())
    }

    /// The options that chose workloads, peers, rounds and clients, as they are given.
    pub(crate) fn chosen(&self) -> String {
        let list = |option: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{option} {}", names.join(",")))
        };
        let clients = (self.clients != CLIENTS).then(|| format!("--clients {}", self.clients));
        let rounds = self.rounds.map(|rounds| format!("--rounds {rounds}"));
        let all = [list("--only", &self.only), list("--peers", &self.peers), clients, rounds];
        all.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, Wrong> {
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let options = options(&command, arguments)?;
    match command.as_str() {
        "help" | "-h" | "--help" => Ok(Command::Help),
        "run" => Ok(Command::Run(options)),
        "bench" => Ok(Command::Bench(options)),
        "smoke" => Ok(Command::Smoke(options)),
        "report" => Ok(Command::Report(options.out)),
        "publish" => Ok(Command::Publish(options.out)),
        "calibrate" => Ok(Command::Calibrate),
        "account" => Ok(Command::Account(options)),
        "floods" => Ok(Command::Floods(options)),
        "pauses" => Ok(Command::Pauses(options)),
        "relay" => Ok(Command::Relay(options)),
        "load" => Ok(Command::Load),
        other => Err(Wrong(format!("unknown command {other}; see `compare help`"))),
    }
}

fn options(command: &str, mut arguments: impl Iterator<Item = String>) -> Result<Options, Wrong> {
    let mut options = Options::default();
    if ["account", "relay"].contains(&command) {
        // Other traffic each time.
        options.seed = std::time::UNIX_EPOCH.elapsed().map_or(SEED, |since| since.as_secs());
    }
    if ["bench", "floods", "pauses", "relay"].contains(&command) {
        // Each takes minutes.
        options.peers = vec![OURS.into()];
    }
    if command == "bench" {
        options.extent = Extent::Bench;
    }
    let known: Vec<&str> = peers::PEERS.iter().map(|peer| peer.name).collect();
    while let Some(argument) = arguments.next() {
        let mut value =
            |what: &str| arguments.next().ok_or_else(|| Wrong(format!("{argument} needs {what}")));
        match argument.as_str() {
            "--quick" => options.extent = Extent::Quick,
            "--full" => options.extent = Extent::Full,
            "--no-build" => options.build = false,
            "--resume" => options.resume = true,
            "--only" => {
                let (what, known) = to_choose(command);
                options.only = names(&value(&format!("a {what}"))?, what, &known)?;
            }
            "--peers" => options.peers = names(&value("peers")?, "peer", &known)?,
            "--clients" => options.clients = number(&argument, &value("a number")?, 4)? as usize,
            "--port" => {
                let port = number(&argument, &value("a port")?, 1024)?;
                let port = u16::try_from(port).ok().filter(|&port| port < LAST_PORT);
                let wrong = || Wrong(format!("--port is from 1024 to {}", LAST_PORT - 1));
                options.port = Some(port.ok_or_else(wrong)?);
            }
            "--seed" => options.seed = number(&argument, &value("a number")?, 0)?,
            "--seconds" => options.seconds = number(&argument, &value("a number")?, 1)?,
            "--rounds" => {
                options.rounds = Some(number(&argument, &value("a number")?, 1)? as usize);
            }
            "--out" => options.out = Some(value("a directory")?.into()),
            other => return Err(Wrong(format!("unknown option {other}; see `compare help`"))),
        }
        if !takes(command, &argument) {
            return Err(Wrong(format!("{argument} is not for `compare {command}`")));
        }
    }
    Ok(options)
}

fn takes(command: &str, option: &str) -> bool {
    let of_ours = ["--only", "--peers", "--port", "--no-build"].contains(&option);
    match command {
        "bench" => !["--quick", "--full", "--seconds"].contains(&option),
        "smoke" => !["--resume", "--out", "--seconds"].contains(&option),
        "report" | "publish" => option == "--out",
        "account" => of_ours || ["--seconds", "--seed"].contains(&option),
        "relay" => ["--only", "--port", "--no-build", "--seconds", "--seed"].contains(&option),
        "floods" => of_ours || ["--quick", "--clients"].contains(&option),
        "pauses" => ["--quick", "--clients", "--port", "--no-build", "--out"].contains(&option),
        _ => option != "--seconds",
    }
}

/// What `--only` chooses from, and what that is called.
fn to_choose(command: &str) -> (&'static str, Vec<&'static str>) {
    match command {
        "account" => ("server", vec![Program::Echo.name(), Program::Chat.name()]),
        "relay" => ("part", PARTS.into()),
        "floods" => ("flood", FLOODS.iter().map(|flood| flood.name).collect()),
        _ => ("workload", WORKLOADS.map(|workload| workload.name).into()),
    }
}

pub(crate) fn help() -> String {
    let mut help = String::from(
        "compare: measures the echo, time and chat servers against their peers\n\n\
         compare run [OPTIONS]     measure, write a report below target/compare (some minutes)\n\
         compare bench [OPTIONS]   the figures of ours alone, as a table (two minutes)\n\
         compare report [--out]    write a run's report again, of the runs that there are\n\
         compare publish [--out]   make a whole run's report the one in compare/report\n\
         compare calibrate         what the machine's system calls cost\n\
         compare account [OPTIONS] random traffic at ours, to the byte and the line: finds faults\n\
         compare floods [OPTIONS]  what a talker notices of floods at ours (five minutes)\n\
         compare pauses [OPTIONS]  what the pause of our chat saves and costs (five minutes)\n\
         compare relay [OPTIONS]   servers that share a room: every line, and what it costs\n\
         compare smoke             the whole chain once, small, for CI\n\n\
         Options:\n\
         \x20 --quick             3 rounds, short\n\
         \x20 --full              all workloads, longer (75 minutes)\n\
         \x20 --only NAMES        workloads, separated by commas; of `account` echo or chat, of\n\
         \x20                     `floods` the floods below, of `relay` its parts\n\
         \x20 --peers NAMES       peers, separated by commas; ours runs always\n\
         \x20 --seconds N         of random traffic at each server of `account`, of talk of\n\
         \x20                     `relay` (60)\n\
         \x20 --rounds N          rounds of every workload\n\
         \x20 --clients N         clients of a workload, at most (10000)\n\
         \x20 --port N            first port for the servers (20000)\n\
         \x20 --seed N            for the order of the runs (1), or random traffic (another each time)\n\
         \x20 --no-build          measure what is built already\n\
         \x20 --resume            go on with the run that was broken off: same options, same builds\n\
         \x20 --out DIR           the run's folder (one of its own in target/compare; of `report`\n\
         \x20                     and `publish` the newest there)\n\nWorkloads:\n",
    );
    for workload in WORKLOADS {
        help += &format!("  {:<16} {}\n", workload.name, workload.about);
    }
    help += "\nFloods:\n";
    for flood in &FLOODS {
        help += &format!("  {:<16} {}\n", flood.name, flood.about);
    }
    help += "\nPeers:\n";
    for peer in peers::PEERS {
        help += &format!("  {:<20} {} ({})\n", peer.name, peer.runtime, peer.lane.name());
    }
    help
}

fn names(list: &str, what: &str, known: &[&str]) -> Result<Vec<String>, Wrong> {
    let unknown = |name| Wrong(format!("unknown {what} '{name}'; there are {}", known.join(", ")));
    let check = |name| if known.contains(&name) { Ok(name.to_owned()) } else { Err(unknown(name)) };
    list.split(',').map(check).collect()
}

fn number(option: &str, value: &str, least: u64) -> Result<u64, Wrong> {
    let number = value.parse().ok().filter(|&number| number >= least);
    number.ok_or_else(|| Wrong(format!("{option} is a number from {least}, not '{value}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_in_one_line() {
        for (arguments, said) in [
            (&["run", "--peers", "ours,smal"][..], "unknown peer 'smal'; there are ours, "),
            (&["run", "--only", "chat"], "unknown workload 'chat'; there are echo-1, "),
            (&["run", "--clients", "x"], "--clients is a number from 4"),
            (&["run", "--port", "70000"], "--port is from 1024 to 31999"),
            (&["run", "--fast"], "unknown option --fast"),
            (&["measure"], "unknown command measure"),
            (&["run", "--out"], "--out needs a directory"),
            (&["publish", "--quick"], "--quick is not for `compare publish`"),
            (&["account", "--only", "time"], "unknown server 'time'; there are echo, chat"),
            (&["floods", "--only", "rain"], "unknown flood 'rain'; there are none, connect-rst, "),
            (&["floods", "--seconds", "9"], "--seconds is not for `compare floods`"),
            (&["bench", "--full"], "--full is not for `compare bench`"),
            (&["run", "--seconds", "9"], "--seconds is not for `compare run`"),
            (&["relay", "--only", "chat"], "unknown part 'chat'; there are account, delay, "),
            (&["relay", "--full"], "--full is not for `compare relay`"),
            (&["pauses", "--full"], "--full is not for `compare pauses`"),
        ] {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            let wrong = parse(arguments).err().expect("it is wrong").0;
            assert!(wrong.contains(said) && !wrong.contains('\n'), "{wrong}");
        }
    }

    #[test]
    fn what_was_chosen_is_told_as_it_is_given() {
        let chosen = |line: &str| match parse(line.split(' ').map(str::to_owned)) {
            Ok(Command::Run(options)) => options.chosen(),
            _ => panic!("{line} is right"),
        };
        assert_eq!(chosen("run --full --seed 7 --no-build --port 2000"), "");
        let line = "--only start,burst --peers go --clients 400 --rounds 2";
        assert_eq!(chosen(&format!("run {line} --resume --quick")), line);
    }

    #[test]
    fn make_hands_its_args_on() {
        for (target, said) in [
            ("compare", "-- run --quick"),
            ("compare-full", "-- run --full --quick"),
            ("bench", "-- bench --quick"),
            ("fuzz-servers", "-- account --seconds 60 --quick"),
            ("floods", "-- floods --quick"),
            ("pauses", "-- pauses --quick"),
            ("relay", "-- relay --quick"),
        ] {
            let mut make = std::process::Command::new("make");
            make.args(["--dry-run", target, "ARGS=--quick"]).current_dir(peers::above());
            // Those of the make that runs the tests.
            make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
            let said_by = make.output().expect("make is there");
            let printed = String::from_utf8_lossy(&said_by.stdout);
            assert!(printed.contains(said), "{printed}");
        }
    }
}
