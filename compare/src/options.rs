//! The command line.

use std::path::PathBuf;

use crate::COMMANDS;
use crate::flood::FLOODS;
use crate::peers::{self, Peer};
use crate::port::LAST_PORT;
use crate::results::{SEED, asked};
use crate::workload::{self, Extent, Program, WORKLOADS};
use crate::wrong::Wrong;

/// What the program can be asked for.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The options it takes, and [`NAMES`].
    pub(crate) takes: &'static str,
    /// Who takes part where `--peers` is not given: a few where each takes minutes, or none for all.
    pub(crate) peers: &'static [&'static str],
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

/// The command that is asked for, and its options. `--help` anywhere asks for help.
pub(crate) fn parse(mut arguments: Vec<String>) -> Result<(&'static Command, Options), Wrong> {
    if arguments.is_empty() || arguments.iter().any(|it| ["-h", "--help"].contains(&&**it)) {
        let of = arguments.into_iter().next().filter(|name| !name.starts_with('-'));
        arguments = ["help".to_owned()].into_iter().chain(of).collect();
    }
    let mut arguments = arguments.into_iter();
    let command = find(&arguments.next().unwrap_or_default())?;
    Ok((command, options(command, arguments)?))
}

pub(crate) fn find(name: &str) -> Result<&'static Command, Wrong> {
    let unknown = || Wrong(format!("unknown command {name}; see `compare help`"));
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(unknown)
}

impl Command {
    pub(crate) fn takes(&self, option: &str) -> bool {
        self.takes.split(' ').any(|taken| taken == option)
    }
}

fn options(asked: &Command, mut arguments: impl Iterator<Item = String>) -> Result<Options, Wrong> {
    let command = asked.name;
    let mut options = Options::default();
    if ["account", "relay"].contains(&command) {
        // Other traffic each time.
        options.seed = std::time::UNIX_EPOCH.elapsed().map_or(SEED, |since| since.as_secs());
    }
    options.peers = asked.peers.iter().map(|peer| (*peer).into()).collect();
    if command == "load" {
        (options.clients, options.seconds) = (100, 10);
    }
    let known: Vec<&str> = peers::PEERS.iter().map(|peer| peer.name).collect();
    let mut given = Vec::new();
    while let Some(argument) = arguments.next() {
        let is_name = !argument.starts_with('-');
        if !asked.takes(if is_name { NAMES } else { &argument }) {
            let see = format!("see `compare help {command}`");
            return Err(Wrong(format!("{argument} is not for `compare {command}`; {see}")));
        }
        let kind = argument.replace("--full", "--quick");
        if !is_name && given.contains(&kind) {
            let why = "is one too many: give an option once, and either --quick or --full";
            return Err(Wrong(format!("{argument} {why}")));
        }
        given.push(kind);
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
                let port = u16::try_from(count(1024)?).ok().filter(|&port| port < LAST_PORT);
                let wrong = || Wrong(format!("--port is from 1024 to {}", LAST_PORT - 1));
                options.port = Some(port.ok_or_else(wrong)?);
            }
            "--seed" => options.seed = count(0)?,
            "--rate" => options.rate = count(1)?.min(u32::MAX.into()) as u32,
            "--seconds" => options.seconds = count(1)?,
            "--rounds" => options.rounds = Some(count(1)? as usize),
            "--out" => options.out = Some(value("a directory")?.into()),
            _ => options.named.push(argument),
        }
    }
    if let Some(own) = options.own {
        serves_what_is_asked(own.runtime, &options.only)?;
    }
    let lacks_echo = |name: &&String| peers::find(name).is_some_and(|peer| !peer.speaks_ours());
    match options.peers.iter().find(lacks_echo) {
        Some(name) if ["net", "cores"].contains(&command) => {
            Err(Wrong(format!("{name} has no echo, which `compare {command}` measures")))
        }
        _ => Ok(options),
    }
}

/// # Errors
/// When a command that cannot be told which server to be would have to be two, or any.
fn serves_what_is_asked(command: &str, only: &[String]) -> Result<(), Wrong> {
    let served = |program: &Program| {
        let of = |name: &&String| workload::find(name).is_some_and(|it| it.program == *program);
        let names: Vec<&str> = only.iter().filter(of).map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{} ({})", program.name(), names.join(", ")))
    };
    let programs: Vec<String> = Program::ALL.iter().filter_map(served).collect();
    let lacks = "--own has no {program}, which stands for echo, time or chat:";
    match programs[..] {
        _ if command.contains("{program}") => Ok(()),
        [_] => Ok(()),
        [] => Err(Wrong(format!("{lacks} say with --only what it serves, such as echo-50"))),
        _ => Err(Wrong(format!("{lacks} it cannot serve {}", programs.join(" and ")))),
    }
}

/// What `--only` chooses from, and what that is called.
pub(crate) fn to_choose(command: &str) -> (&'static str, Vec<&'static str>) {
    match command {
        "account" => ("server", vec![Program::Echo.name(), Program::Chat.name()]),
        "relay" => ("part", PARTS.into()),
        "floods" => ("flood", FLOODS.iter().map(|flood| flood.name).collect()),
        _ => ("workload", WORKLOADS.map(|workload| workload.name).into()),
    }
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
            (&["run", "--fast"], "--fast is not for `compare run`; see `compare help run`"),
            (&["measure"], "unknown command measure"),
            (&["run", "--out"], "--out needs a directory"),
            (&["publish", "--quick"], "--quick is not for `compare publish`; see `compare help "),
            (&["net", "--only", "chat"], "--only is not for `compare net`"),
            (&["help", "run", "--quick"], "--quick is not for `compare help`"),
            (&["run", "--quick", "--full"], "--full is one too many"),
            (
                &["run", "--own", "a {port}", "--own", "b {port}"],
                "--own is one too many: give an option once",
            ),
            (&["run", "--own", "sh -c 'exec a {port}'"], "has quotes, which no shell reads"),
            (&["account", "--only", "time"], "unknown server 'time'; there are echo, chat"),
            (&["floods", "--only", "rain"], "unknown flood 'rain'; there are none, connect-rst, "),
            (&["floods", "--seconds", "9"], "--seconds is not for `compare floods`"),
            (&["bench", "--full"], "--full is not for `compare bench`"),
            (&["run", "--seconds", "9"], "--seconds is not for `compare run`"),
            (&["relay", "--only", "chat"], "unknown part 'chat'; there are account, delay, "),
            (&["net", "--peers", "go,ncat"], "ncat has no echo, which `compare net` measures"),
            (&["cores", "--peers", "ncat"], "ncat has no echo, which `compare cores` measures"),
            (&["relay", "--full"], "--full is not for `compare relay`"),
            (&["pauses", "--full"], "--full is not for `compare pauses`"),
            (&["bench", "--own", "a {port}"], "--own is not for `compare bench`"),
            (&["run", "--own", "./mine"], "--own './mine' says nowhere on which port it listens"),
            (&["run", "--own", "a {port}"], "say with --only what it serves, such as echo-50"),
            (
                &["run", "--only", "start,echo-1", "--own", "a {port}"],
                "it cannot serve echo (echo-1) and chat (start)",
            ),
        ] {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            let wrong = parse(arguments.collect()).err().expect("it is wrong").0;
            assert!(wrong.contains(said) && !wrong.contains('\n'), "{wrong}");
        }
    }

    #[test]
    fn what_was_chosen_is_told_as_it_is_given() {
        let chosen = |line: &str| match parse(line.split(' ').map(str::to_owned).collect()) {
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
