//! The command line.

use std::path::PathBuf;

use crate::flood::FLOODS;
use crate::peers::{self, Peer};
use crate::port::LAST_PORT;
use crate::results::{OURS, SEED, asked};
use crate::workload::{self, Extent, Program, WORKLOADS};
use crate::wrong::Wrong;
use crate::{multicore, net};

/// What the program can be asked for.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The options it takes, and [`NAMES`].
    pub(crate) takes: &'static str,
    pub(crate) run: fn(&Options) -> crate::Result<()>,
}

/// Stands for arguments without a dash.
const NAMES: &str = "NAMES";

/// The parts of `relay`.
const PARTS: [&str; 3] = ["account", "delay", "saturation"];

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
    /// The user's own server, beside the others.
    pub(crate) own: Option<Peer>,
    /// Clients of a workload, at most.
    pub(crate) clients: usize,
    /// First port of the servers.
    pub(crate) port: Option<u16>,
    pub(crate) seed: u64,
    /// Of random traffic at each server, of talk, or of load.
    pub(crate) seconds: u64,
    /// What `load` sends a second, of all clients together; 0 is as fast as answers come.
    pub(crate) rate: u32,
    /// What follows the command without a dash.
    pub(crate) named: Vec<String>,
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
            own: None,
            clients: CLIENTS,
            port: None,
            seed: SEED,
            seconds: SECONDS,
            rate: 0,
            named: Vec::new(),
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
        let own = self.own.map(|own| format!("--own '{}'", own.runtime));
        let (only, peers) = (list("--only", &self.only), list("--peers", &self.peers));
        let all = [only, peers, own, clients, rounds];
        all.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// The one of these commands that is asked for, and its options.
pub(crate) fn parse(
    commands: &'static [Command],
    mut arguments: impl Iterator<Item = String>,
) -> Result<(&'static Command, Options), Wrong> {
    let name = arguments.next().filter(|name| !["-h", "--help"].contains(&&**name));
    let name = name.unwrap_or_else(|| "help".into());
    let command = commands.iter().find(|command| command.name == name);
    let unknown = || Wrong(format!("unknown command {name}; see `compare help`"));
    let command = command.ok_or_else(unknown)?;
    Ok((command, options(command, arguments)?))
}

fn options(
    &Command { name: command, takes, .. }: &Command,
    mut arguments: impl Iterator<Item = String>,
) -> Result<Options, Wrong> {
    let mut options = Options::default();
    if ["account", "relay"].contains(&command) {
        // Other traffic each time.
        options.seed = std::time::UNIX_EPOCH.elapsed().map_or(SEED, |since| since.as_secs());
    }
    // Each peer takes minutes of the first ones.
    let few: &[&str] = match command {
        "bench" | "edit" | "floods" | "pauses" | "relay" => &[OURS],
        "net" => &net::PEERS,
        "cores" => &multicore::PEERS,
        _ => &[],
    };
    options.peers = few.iter().map(|peer| (*peer).into()).collect();
    if command == "bench" {
        options.extent = Extent::Bench;
    }
    if command == "load" {
        (options.clients, options.seconds) = (100, 10);
    }
    let known: Vec<&str> = peers::PEERS.iter().map(|peer| peer.name).collect();
    while let Some(argument) = arguments.next() {
        let mut value =
            |what: &str| arguments.next().ok_or_else(|| Wrong(format!("{argument} needs {what}")));
        let mut count = |least| number(&argument, &value("a number")?, least);
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
            "--own" => options.own = Some(peers::own(&value("a command")?)?),
            "--clients" => {
                options.clients = count(if command == "load" { 1 } else { 4 })? as usize;
            }
            "--port" => {
                let port = count(1024)?;
                let port = u16::try_from(port).ok().filter(|&port| port < LAST_PORT);
                let wrong = || Wrong(format!("--port is from 1024 to {}", LAST_PORT - 1));
                options.port = Some(port.ok_or_else(wrong)?);
            }
            "--seed" => options.seed = count(0)?,
            "--rate" => options.rate = count(1)?.min(u32::MAX.into()) as u32,
            "--seconds" => options.seconds = count(1)?,
            "--rounds" => options.rounds = Some(count(1)? as usize),
            "--out" => options.out = Some(value("a directory")?.into()),
            other if !other.starts_with('-') => options.named.push(other.to_owned()),
            other => return Err(Wrong(format!("unknown option {other}; see `compare help`"))),
        }
        let option = if argument.starts_with('-') { &*argument } else { NAMES };
        if !takes.split(' ').any(|taken| taken == option) {
            return Err(Wrong(format!("{argument} is not for `compare {command}`")));
        }
    }
    if let Some(own) = options.own {
        serves_what_is_asked(own.runtime, &options.only)?;
    }
    Ok(options)
}

/// # Errors
/// When a command that cannot be told which server to be would have to be two, or any.
fn serves_what_is_asked(command: &str, only: &[String]) -> Result<(), Wrong> {
    let mut programs: Vec<&str> =
        only.iter().filter_map(|name| Some(workload::find(name)?.program.name())).collect();
    programs.sort_unstable();
    programs.dedup();
    let lacks = "--own has no {program}, which stands for echo, time or chat:";
    match programs[..] {
        _ if command.contains("{program}") => Ok(()),
        [_] => Ok(()),
        [] => Err(Wrong(format!("{lacks} say with --only what it serves, such as echo-50"))),
        _ => Err(Wrong(format!("{lacks} it cannot serve {}", programs.join(" and ")))),
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
    let mut help = String::from(include_str!("help.txt"));
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
    use crate::COMMANDS;

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
            (&["bench", "--own", "a {port}"], "--own is not for `compare bench`"),
            (&["run", "--own", "./mine"], "--own './mine' says nowhere on which port it listens"),
            (&["run", "--own", "a {port}"], "say with --only what it serves, such as echo-50"),
            (
                &["run", "--only", "start,echo-1", "--own", "a {port}"],
                "it cannot serve chat and echo",
            ),
        ] {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            let wrong = parse(&COMMANDS, arguments).err().expect("it is wrong").0;
            assert!(wrong.contains(said) && !wrong.contains('\n'), "{wrong}");
        }
    }

    #[test]
    fn what_was_chosen_is_told_as_it_is_given() {
        let chosen = |line: &str| match parse(&COMMANDS, line.split(' ').map(str::to_owned)) {
            Ok((_, options)) => options.chosen(),
            Err(Wrong(why)) => panic!("{line} is right, and {why}"),
        };
        assert_eq!(chosen("run --full --seed 7 --no-build --port 2000"), "");
        let own = "run --only echo-1 --own a{port}";
        assert_eq!(chosen(own), "--only echo-1 --own 'a{port}'");
        let line = "--only start,burst --peers go --clients 400 --rounds 2";
        assert_eq!(chosen(&format!("run {line} --resume --quick")), line);
    }

    #[test]
    fn every_command_and_option_stands_in_the_help() {
        let help = help();
        for Command { name, takes, .. } in
            COMMANDS.iter().filter(|it| !["generate", "wire"].contains(&it.name))
        {
            assert!(*name == "help" || help.contains(&format!("compare {name} ")), "{name}");
            let mut options = takes.split(' ').filter(|option| option.starts_with('-'));
            assert!(options.all(|it| help.contains(&format!("  {it} "))), "{takes}");
        }
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
            ("edit", "-- edit --quick"),
            ("net", "-- net --quick"),
            ("cores", "-- cores --quick"),
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
