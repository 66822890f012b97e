//! Who is measured: name, lane, and how to start each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::results::OURS;
use crate::workload::{Program, Workload};

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
}

impl Lane {
    pub(crate) fn name(self) -> &'static str {
        ["ours", "as documented", "same design", "floor"][self as usize]
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
    Python(&'static [&'static str]),
    Node,
    Go,
    Ncat,
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
    peer(
        "no-pause",
        Lane::Ours,
        "Rust, smol, our driver",
        Start::Ours(Driver::OneThread, &["--pause", "0"]),
    ),
    peer("raw-epoll", Lane::Floor, "Rust, epoll by hand", Start::Cargo("rustix")),
    peer("smol-documented", Lane::AsDocumented, "Rust, smol", Start::Cargo("smol")),
    peer("tokio-documented", Lane::AsDocumented, "Rust, tokio, one thread", Start::Cargo("tokio")),
    peer("tokio-same-design", Lane::SameDesign, "Rust, tokio, one thread", Start::Cargo("tokio")),
    peer("tokio-multi", Lane::AsDocumented, "Rust, tokio, multi_thread", Start::Cargo("tokio")),
    peer("threads", Lane::AsDocumented, "Rust, a thread a client", Start::Cargo("std")),
    peer("io-uring", Lane::AsDocumented, "Rust, compio on io_uring", Start::Cargo("compio")),
    peer("asyncio", Lane::AsDocumented, "Python, asyncio streams", Start::Python(&[])),
    peer("uvloop", Lane::AsDocumented, "Python, uvloop", Start::Python(&["--uvloop"])),
    peer("node", Lane::AsDocumented, "JavaScript, Node", Start::Node),
    peer("go", Lane::AsDocumented, "Go", Start::Go),
    peer("ncat", Lane::AsDocumented, "C, ncat --chat", Start::Ncat),
];

const fn peer(name: &'static str, lane: Lane, runtime: &'static str, start: Start) -> Peer {
    Peer { name, lane, runtime, start }
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
            Start::Ncat => chat && workload.clients() < NCAT_CLIENTS,
            // In all else it is ours.
            Start::Ours(_, [_, ..]) => workload.name.starts_with("chat-"),
            _ => true,
        }
    }

    /// Whether it takes part in the protocol word by word. ncat has its own names and notices.
    pub(crate) fn speaks_ours(&self) -> bool {
        !matches!(self.start, Start::Ncat)
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
            Start::Cargo(_) | Start::Go if !self.binary(Program::Chat).exists() => {
                let go = matches!(self.start, Start::Go) && output("go", &["version"]).is_none();
                Some(if go { "go is not installed" } else { "it is not built" }.into())
            }
            Start::Python(options) => {
                if PYTHON.is_none() {
                    return Some("python3 is not installed".into());
                }
                let uvloop = !options.is_empty() && python(&["-c", "import uvloop"]).is_none();
                uvloop.then(|| "uvloop is not installed; see `make compare-setup`".into())
            }
            Start::Node => {
                output("node", &["--version"]).is_none().then(|| "node is not installed".into())
            }
            Start::Ncat => {
                output("ncat", &["--version"]).is_none().then(|| "ncat is not installed".into())
            }
            Start::Cargo(_) | Start::Go => None,
        }
    }

    pub(crate) fn command(&self, program: Program, address: SocketAddr) -> Command {
        let mut command;
        match self.start {
            Start::Ours(_, options) => {
                command = self.plain(program, address);
                // Our chat does what all peers do and nothing more.
                if program == Program::Chat {
                    command.args(["--rate", "0", "--history", "0"]).args(options);
                }
                return command;
            }
            Start::Ncat => {
                command = Command::new("ncat");
                command.args(["-l", "--chat", "-k", "-m", &NCAT_CLIENTS.to_string()]);
                command.args([address.ip().to_string(), address.port().to_string()]);
                return command;
            }
            Start::Cargo(_) | Start::Go => command = Command::new(self.binary(program)),
            Start::Python(options) => {
                command = Command::new(PYTHON.as_deref().unwrap_or("python3"));
                command.args(self.files()).args(options);
            }
            Start::Node => {
                command = Command::new("node");
                command.args(self.files());
            }
        }
        command.arg(program.name()).arg(address.to_string());
        command
    }

    /// One of ours with no options but the address.
    pub(crate) fn plain(&self, program: Program, address: SocketAddr) -> Command {
        let mut command = Command::new(self.binary(program));
        command.arg("--listen").arg(address.to_string()).arg("--quiet");
        command
    }

    /// The file whose size is the program's, where there is one.
    pub(crate) fn binary(&self, program: Program) -> PathBuf {
        match self.start {
            Start::Ours(driver, _) => self.target(driver).join("release").join(program.name()),
            Start::Go => here().join("target/peers-go"),
            _ => {
                let built = here().join("target/release");
                let plain = built.join(self.name);
                if plain.exists() { plain } else { built.join(self.package()) }
            }
        }
    }

    /// What is run, apart from a runtime that has a version.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self.start {
            Start::Ours(..) => Program::ALL.map(|program| self.binary(program)).into(),
            Start::Cargo(_) | Start::Go => vec![self.binary(Program::Chat)],
            Start::Python(_) => vec![self.sources().join("server.py")],
            Start::Node => vec![self.sources().join("server.js")],
            Start::Ncat => Vec::new(),
        }
    }

    /// Where ours is built: a feature has a place of its own.
    pub(crate) fn target(&self, driver: Driver) -> PathBuf {
        above().join(match driver {
            Driver::OneThread => "target",
            Driver::Smol => "target/smol-reactor",
            Driver::Relay => "target/relay",
        })
    }

    pub(crate) fn package(&self) -> String {
        format!("peer-{}", self.name)
    }

    pub(crate) fn sources(&self) -> PathBuf {
        match self.start {
            Start::Ours(..) => above().join("src"),
            Start::Python(_) => here().join("peers/asyncio"),
            _ => here().join("peers").join(self.name),
        }
    }
}

/// The interpreter itself, since a wrapper would count as start-up time; that of
/// `compare-setup` before the system's.
static PYTHON: LazyLock<Option<String>> = LazyLock::new(|| {
    let own = here().join("target/venv/bin/python3");
    if own.exists() {
        return Some(own.to_string_lossy().into_owned());
    }
    output("python3", &["-c", "import sys; print(sys.executable)"])
});

pub(crate) fn python(arguments: &[&str]) -> Option<String> {
    output(PYTHON.as_deref()?, arguments)
}

/// What a command prints, if it can be started and succeeds.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
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
