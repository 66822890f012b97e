//! Who is measured: name, lane, and how to start each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::results::OURS;
use crate::workload::{Program, Workload};
use crate::wrong::Wrong;

/// Why somebody is in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Ours,
    /// What the runtime's own documentation shows.
    AsDocumented,
    /// Our algorithm on that runtime.
    SameDesign,
    /// The least a machine can do.
    Floor,
    /// The user's own.
    Yours,
}

impl Lane {
    pub(crate) fn name(self) -> &'static str {
        ["ours", "as documented", "same design", "floor", "yours"][self as usize]
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) lane: Lane,
    pub(crate) runtime: &'static str,
    pub(crate) start: Start,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// The release binaries of the package above, and options of the chat alone.
    Ours(Driver, &'static [&'static str]),
    /// A package below peers/, and the crate whose version is told.
    Cargo(&'static str),
    Go,
    /// A line of words for each run, and one that says the version; in them stand `{program}`,
    /// `{address}`, `{port}`, `{clients}` (as many as [`NCAT_CLIENTS`]), `{python}`, and `{peers}`
    /// for the folder of the sources.
    Line(&'static str, &'static str),
}

/// What ours run on: its feature `one-thread`, which is on by default, or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    OneThread,
    Smol,
    /// One thread, and the feature `relay`, which is off by default.
    Relay,
}

pub(crate) const PEERS: &[Peer] = &[
    peer(OURS, Lane::Ours, "Rust, smol, our driver", Start::Ours(Driver::OneThread, &[])),
    peer("smol-reactor", Lane::Ours, "Rust, smol, smol's reactor", Start::Ours(Driver::Smol, &[])),
    peer("no-pause", Lane::Ours, "Rust, smol, our driver", NO_PAUSE),
    peer("raw-epoll", Lane::Floor, "Rust, epoll by hand", Start::Cargo("rustix")),
    peer("smol-documented", Lane::AsDocumented, "Rust, smol", Start::Cargo("smol")),
    peer("smol-same-design", Lane::SameDesign, "Rust, smol as published", Start::Cargo("smol")),
    peer("tokio-documented", Lane::AsDocumented, "Rust, tokio, one thread", Start::Cargo("tokio")),
    peer("tokio-same-design", Lane::SameDesign, "Rust, tokio, one thread", Start::Cargo("tokio")),
    peer("tokio-multi", Lane::AsDocumented, "Rust, tokio, multi_thread", Start::Cargo("tokio")),
    peer("threads", Lane::AsDocumented, "Rust, a thread a client", Start::Cargo("std")),
    peer("io-uring", Lane::AsDocumented, "Rust, compio on io_uring", COMPIO),
    peer("io-uring-same-design", Lane::SameDesign, "Rust, compio on io_uring", COMPIO),
    peer("asyncio", Lane::AsDocumented, "Python, asyncio streams", ASYNCIO),
    peer("asyncio-same-design", Lane::SameDesign, "Python, asyncio protocols", ASYNCIO_SAME),
    peer("uvloop", Lane::AsDocumented, "Python, uvloop", UVLOOP),
    peer("uvloop-same-design", Lane::SameDesign, "Python, uvloop", UVLOOP_SAME),
    peer("node", Lane::AsDocumented, "JavaScript, Node", NODE),
    peer("go", Lane::AsDocumented, "Go", Start::Go),
    peer("go-same-design", Lane::SameDesign, "Go", Start::Go),
    peer(NCAT, Lane::AsDocumented, "C, ncat --chat", CHAT_OF_NCAT),
];

const NO_PAUSE: Start = Start::Ours(Driver::OneThread, &["--pause", "0"]);
const COMPIO: Start = Start::Cargo("compio");
const ASYNCIO: Start =
    Start::Line("{python} {peers}/asyncio/server.py {program} {address}", PYTHON_VERSION);
const UVLOOP: Start =
    Start::Line("{python} {peers}/asyncio/server.py {program} {address} --uvloop", UVLOOP_VERSION);
const ASYNCIO_SAME: Start = Start::Line(
    "{python} {peers}/asyncio-same-design/server.py {program} {address}",
    PYTHON_VERSION,
);
const UVLOOP_SAME: Start = Start::Line(
    "{python} {peers}/asyncio-same-design/server.py {program} {address} --uvloop",
    UVLOOP_VERSION,
);
const PYTHON_VERSION: &str = "{python} --version";
const UVLOOP_VERSION: &str = "{python} -c print('uvloop',__import__('uvloop').__version__)";
const NODE: Start =
    Start::Line("node {peers}/node/server.js {program} {address}", "node --version");
const CHAT_OF_NCAT: Start =
    Start::Line("ncat -l --chat -k -m {clients} 127.0.0.1 {port}", "ncat --version");

/// The only one that speaks otherwise.
const NCAT: &str = "ncat";

const fn peer(name: &'static str, lane: Lane, runtime: &'static str, start: Start) -> Peer {
    Peer { name, lane, runtime, start }
}

/// What the user's own is called.
pub(crate) const OWN: &str = "own";

/// The user's own, which serves all programs if `command` says `{program}`.
///
/// # Errors
/// When the command has no place for the port, or wants a shell.
pub(crate) fn own(command: &str) -> Result<Peer, Wrong> {
    if !command.contains("{port}") {
        return Err(Wrong(format!(
            "--own '{command}' says nowhere on which port it listens: write {{port}} there"
        )));
    }
    if command.contains(['\'', '"']) {
        let why = "has quotes, which no shell reads: put it into a script";
        return Err(Wrong(format!("--own {command} {why}")));
    }
    // Once a process: what names a peer lives as long as this program.
    let command: &str = command.to_owned().leak();
    Ok(peer(OWN, Lane::Yours, command, Start::Line(command, "")))
}

/// Clients that `ncat` is asked to take; it waits with select, which ends at 1024.
const NCAT_CLIENTS: usize = 200;

pub(crate) fn find(name: &str) -> Option<Peer> {
    PEERS.iter().find(|peer| peer.name == name).copied()
}

/// This program's directory.
pub(crate) fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The measured package's directory.
pub(crate) fn above() -> PathBuf {
    here().parent().map_or_else(here, Path::to_owned)
}

impl Peer {
    pub(crate) fn runs(&self, workload: &Workload) -> bool {
        let chat = workload.program == Program::Chat;
        match self.start {
            Start::Line(..) if self.name == NCAT => chat && workload.clients() < NCAT_CLIENTS,
            // In all else it is ours.
            Start::Ours(_, [_, ..]) => workload.name.starts_with("chat-"),
            _ => true,
        }
    }

    /// Whether it takes part in the protocol word by word. ncat has its own names and notices.
    pub(crate) fn speaks_ours(&self) -> bool {
        self.name != NCAT
    }

    /// Why it cannot be started here.
    pub(crate) fn missing(&self) -> Option<String> {
        match self.start {
            Start::Ours(..) => {
                let lacking = |program: &Program| !self.binary(*program).exists();
                let name = Program::ALL.into_iter().find(lacking)?.name();
                Some(format!("{name} is not built: cargo build --release"))
            }
            Start::Cargo(_) if !self.sources().exists() => Some("it has no sources here".into()),
            Start::Cargo(_) | Start::Go if self.binary(Program::Chat).exists() => None,
            Start::Go if said_by("go version").is_none() => Some("go is not installed".into()),
            Start::Cargo(_) | Start::Go => Some("it is not built".into()),
            Start::Line(_, version) if !version.is_empty() && said_by(version).is_none() => {
                Some("what it needs is not installed; see `make compare-setup`".into())
            }
            // One that cannot be started says so itself.
            Start::Line(..) => None,
        }
    }

    pub(crate) fn command(&self, program: Program, address: SocketAddr) -> Command {
        match self.start {
            Start::Ours(_, options) => {
                let mut command = self.plain(program, address);
                // Our chat does what all peers do and nothing more.
                if program == Program::Chat {
                    command.args(["--rate", "0", "--history", "0"]).args(options);
                }
                command
            }
            Start::Cargo(_) | Start::Go => {
                let mut command = Command::new(self.binary(program));
                command.arg(program.name()).arg(address.to_string());
                command
            }
            Start::Line(line, _) => of_words(words(line).map(|word| {
                let word = word.replace("{program}", program.name());
                let word = word.replace("{address}", &address.to_string());
                word.replace("{port}", &address.port().to_string())
            })),
        }
    }

    /// One of ours with no options but the address.
    pub(crate) fn plain(&self, program: Program, address: SocketAddr) -> Command {
        let mut command = Command::new(self.binary(program));
        command.arg("--listen").arg(address.to_string()).arg("--quiet");
        command
    }

    /// The file whose size is the program's, where there is one.
    pub(crate) fn binary(&self, program: Program) -> PathBuf {
        self.built_in(&self.target(), program)
    }

    /// What is built into this target folder; peers have all programs in one file.
    pub(crate) fn built_in(&self, target: &Path, program: Program) -> PathBuf {
        match self.start {
            Start::Ours(..) => target.join("release").join(program.name()),
            Start::Go => target.join(format!("peers-{}", self.name)),
            _ => target.join("release").join(self.package()),
        }
    }

    /// What is run, apart from a runtime that has a version.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self.start {
            Start::Ours(..) => Program::ALL.map(|program| self.binary(program)).into(),
            Start::Cargo(_) | Start::Go => vec![self.binary(Program::Chat)],
            Start::Line(line, _) => {
                let words = words(line).map(PathBuf::from);
                words.filter(|word| word.is_file()).collect()
            }
        }
    }

    /// Where it is built: a feature of ours has a place of its own.
    pub(crate) fn target(&self) -> PathBuf {
        match self.start {
            Start::Ours(Driver::OneThread, _) => above().join("target"),
            Start::Ours(Driver::Smol, _) => above().join("target/smol-reactor"),
            Start::Ours(Driver::Relay, _) => above().join("target/relay"),
            _ => here().join("target"),
        }
    }

    pub(crate) fn package(&self) -> String {
        format!("peer-{}", self.name)
    }

    pub(crate) fn sources(&self) -> PathBuf {
        match self.start {
            Start::Ours(..) => above().join("src"),
            _ => here().join("peers").join(self.name),
        }
    }
}

/// Those of a line, with what stands for the same in every run.
fn words(line: &'static str) -> impl Iterator<Item = String> {
    line.split_ascii_whitespace().map(|word| {
        let word = word.replace("{peers}", &here().join("peers").to_string_lossy());
        word.replace("{python}", &PYTHON).replace("{clients}", &NCAT_CLIENTS.to_string())
    })
}

fn of_words(mut words: impl Iterator<Item = String>) -> Command {
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// The interpreter itself, since a wrapper would count as start-up time; that of
/// `compare-setup` before the system's.
static PYTHON: LazyLock<String> = LazyLock::new(|| {
    let own = here().join("target/venv/bin/python3");
    if own.exists() {
        return own.to_string_lossy().into_owned();
    }
    let system = output(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
    system.unwrap_or_else(|| "python3".into())
});

/// What a line of words prints, if it can be started and succeeds.
pub(crate) fn said_by(line: &'static str) -> Option<String> {
    output(&mut of_words(words(line)))
}

/// What a command prints, if it can be started and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    output.status.success().then(|| String::from_utf8_lossy(&said).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::WORKLOADS;

    #[test]
    fn only_no_pause_is_started_without_pauses_and_only_for_the_chats() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        for peer in PEERS {
            let command = peer.command(Program::Chat, address);
            let pauses = !command.get_args().any(|argument| argument == "--pause");
            assert_eq!(pauses, peer.name != "no-pause");
            let runs = |program| WORKLOADS.iter().any(|it| it.program == program && peer.runs(it));
            assert!(runs(Program::Chat));
            assert_eq!(runs(Program::Echo), pauses && peer.speaks_ours());
        }
    }
}
