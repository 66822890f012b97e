//! The generator on another host: what the servers add to the round trip at the distances of a
//! room, a country and an ocean, where those that leave Nagle's algorithm on wait for
//! acknowledgements that the other end delays.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Result;
use crate::load::Job;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::progress::Progress;
use crate::report::table::{NOTHING, Table};
use crate::results::{Bound, OURS, Outcome};
use crate::run::generator;
use crate::server::Server;
use crate::wire::{Network, Wire};
use crate::workload::{Extent, Load, Program};

/// Those that are measured, unless it is said otherwise.
pub(crate) const PEERS: [&str; 6] =
    [OURS, "smol-documented", "tokio-documented", "tokio-same-design", "go", "asyncio"];

/// Milliseconds of a round trip, and the share of packets that is lost: one in so many.
const WIRES: [(u64, usize); 4] = [(1, 0), (20, 0), (100, 0), (20, 100)];

const CLIENTS: usize = 20;

/// Milliseconds measured, with `--quick` and without; a third of it before is discarded.
const WINDOWS: [u64; 2] = [300, 1200];

/// Each server listens on a host of its own, on which nothing else does.
const PORT: u16 = 8000;

/// Milliseconds beyond the round trip from which a p99 is that of delayed acknowledgements: Linux
/// delays them by 40.
const WAITS: f64 = 25.0;

/// A run is made so often, at most, to have one in which the generator was not late.
const TRIES: usize = 3;

const LEGEND: &str = "\
Milliseconds beyond the wire's round trip, p50 / p99, of one run each, within 3 % of the whole time. A
message, or a line from who says it to who hears it, takes a round trip at least. †: the generator was
late, since the machine was busy otherwise.

";

struct Talk {
    name: &'static str,
    about: &'static str,
    program: Program,
    load: Load,
}

const TALKS: [Talk; 3] = [
    Talk {
        name: "echo",
        about: "64 bytes, one message of each client under way",
        program: Program::Echo,
        load: Load::Echo { clients: CLIENTS, bytes: 64, depth: 1, rate: 0 },
    },
    chat("chat", "100 lines a second", 100, 1),
    chat("pairs", "two lines at the same moment, fifty times a second", 100, 2),
];

const fn chat(name: &'static str, about: &'static str, rate: u32, burst: u32) -> Talk {
    let load = Load::Chat { clients: CLIENTS, speakers: CLIENTS, bytes: 56, rate, burst, deaf: 0 };
    Talk { name, about, program: Program::Chat, load }
}

/// Milliseconds beyond the round trip.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    p50: f64,
    p99: f64,
    /// The generator said its lines late, which makes all of them come late.
    late: bool,
}

/// Of each talk, each peer, by wire.
type Measured = Vec<Vec<Vec<Option<Beyond>>>>;

/// An error if any run could not be measured; what could is told nevertheless.
pub(crate) fn net(options: &Options) -> Result<()> {
    let extent = usize::from(options.extent > Extent::Quick);
    let (wires, window) = (&WIRES[..[1, WIRES.len()][extent]], WINDOWS[extent]);
    // Before minutes of building.
    drop(Network::new(&wire(wires[0], options.seed))?);
    let (machine, peers) = prepare::some(options, |_| true)?;
    let run = |rtt: u64| 400 + window * 4 / 3 + CLIENTS as u64 * rtt;
    let seconds = |rtt| (TALKS.len() * peers.len()) as f64 * run(rtt) as f64 / 1e3;
    let mut progress = Progress::new(0, wires.iter().map(|(rtt, _)| seconds(*rtt)));
    let mut measured: Measured = vec![vec![Vec::new(); peers.len()]; TALKS.len()];
    let mut failed = 0;
    for &(rtt, loses) in wires {
        progress.begin(&head(&(rtt, loses)), seconds(rtt));
        let wire = wire((rtt, loses), options.seed);
        for (talk, measured) in TALKS.iter().zip(&mut measured) {
            for (peer, measured) in peers.iter().zip(measured) {
                let outcome = punctual(|| one(&machine, peer, talk, window, &wire));
                let beyond = outcome.and_then(|outcome| beyond(&outcome, rtt));
                failed += usize::from(beyond.is_err());
                let told = beyond.map_err(|why| eprintln!("{}, {}: {why}", peer.name, talk.name));
                measured.push(told.ok());
            }
        }
    }
    for (talk, measured) in TALKS.iter().zip(&measured) {
        println!("{}", table(talk, wires, &peers, measured).text());
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    print!("{LEGEND}{}", findings(wires, &names, &measured));
    if failed == 0 { Ok(()) } else { Err(format!("{failed} runs could not be measured").into()) }
}

fn wire((rtt, loses): (u64, usize), seed: u64) -> Wire {
    Wire { delay: Duration::from_millis(rtt) / 2, loses, seed }
}

/// A run in which the generator was not late, or the last one tried.
fn punctual(run: impl Fn() -> Result<Outcome>) -> Result<Outcome> {
    for _ in 1..TRIES {
        let outcome = run()?;
        if outcome.bound != Bound::Client {
            return Ok(outcome);
        }
    }
    run()
}

/// Between hosts of its own, so that nothing is left of one run for the next.
fn one(machine: &Machine, peer: &Peer, talk: &Talk, window: u64, wire: &Wire) -> Result<Outcome> {
    let network = Network::new(wire)?;
    let address = SocketAddr::from((network.server.address, PORT));
    let start = || Server::start_at(machine, peer, talk.program, address, &[]);
    let server = network.server.run(start)??;
    let (pid, load, warm_up) = (server.pid(), talk.load, window / 3);
    network
        .generator
        .run(|| generator(&Job { load, pid, address, window, warm_up, tracer: None }))?
}

fn beyond(outcome: &Outcome, rtt: u64) -> Result<Beyond> {
    let figure = |key: &str| outcome.metrics.get(key).map(|us| us / 1e3 - rtt as f64);
    let late = outcome.bound == Bound::Client;
    match (&outcome.fault, figure("p50_us"), figure("p99_us")) {
        (None, Some(p50), Some(p99)) => Ok(Beyond { p50, p99, late }),
        (fault, ..) => Err(fault.as_deref().unwrap_or("nothing was measured").into()),
    }
}

fn head((rtt, loses): &(u64, usize)) -> String {
    match loses {
        0 => format!("{rtt} ms"),
        loses => format!("{rtt} ms, {} % lost", 100 / loses),
    }
}

fn table(
    talk: &Talk,
    wires: &[(u64, usize)],
    peers: &[Peer],
    measured: &[Vec<Option<Beyond>>],
) -> Table {
    let title = format!("{}: {CLIENTS} clients, {}", talk.name, talk.about);
    let mut table = Table::of(&title, wires.iter().map(head));
    for (peer, measured) in peers.iter().zip(measured) {
        let told = measured.iter().map(|beyond| match beyond {
            Some(Beyond { p50, p99, late }) => {
                format!("{p50:.1} / {p99:.1}{}", if *late { "†" } else { "" })
            }
            None => NOTHING.into(),
        });
        table.row(std::iter::once(peer.name.to_owned()).chain(told).collect());
    }
    table
}

/// A sentence for each peer and talk that waits for acknowledgements on most wires, and one for
/// those that never do. A wire that loses packets says nothing of it: there they are sent again.
fn findings(wires: &[(u64, usize)], peers: &[&str], measured: &Measured) -> String {
    let whole: Vec<usize> = (0..wires.len()).filter(|wire| wires[*wire].1 == 0).collect();
    let told = |figures: Vec<f64>| {
        figures.iter().map(|figure| format!("{figure:.0}")).collect::<Vec<_>>().join(", ")
    };
    let (mut text, mut prompt) = (String::new(), Vec::new());
    for (at, peer) in peers.iter().enumerate() {
        let p99s = |measured: &[Vec<Option<Beyond>>]| -> Option<Vec<f64>> {
            whole.iter().map(|wire| Some(measured[at][*wire]?.p99)).collect()
        };
        let all: Vec<_> = measured.iter().map(|measured| p99s(measured)).collect();
        let waits =
            |p99s: &[f64]| p99s.iter().filter(|p99| **p99 >= WAITS).count() * 2 > p99s.len();
        for (talk, p99s) in TALKS.iter().zip(&all) {
            let Some(p99s) = p99s.clone().filter(|p99s| waits(p99s)) else { continue };
            let rtts = told(whole.iter().map(|wire| wires[*wire].0 as f64).collect());
            text += &format!(
                "- {peer}, {}: {} ms beyond round trips of {rtts} ms, as with Nagle's algorithm (no \
                 TCP_NODELAY), which waits for acknowledgements.\n",
                talk.name,
                told(p99s),
            );
        }
        if !whole.is_empty() && all.iter().flatten().all(|p99s| !waits(p99s)) {
            let most = all.iter().flatten().flatten().copied().fold(0.0, f64::max);
            prompt.push(format!("{peer} {most:.1}"));
        }
    }
    if !prompt.is_empty() {
        let prompt = prompt.join(", ");
        text += &format!("- No line waits for an acknowledgement (most ms beyond): {prompt}.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_acknowledgements_on_most_wires_is_told_and_one_outlier_is_none() {
        let of = |p99s: [f64; 4]| -> Vec<Option<Beyond>> {
            p99s.map(|p99| Some(Beyond { p50: 0.5, p99, late: false })).into()
        };
        let (prompt, outlier) = (of([0.5, 0.6, 0.7, 200.0]), of([0.5, 0.6, 578.0, 200.0]));
        let waits = of([36.0, 60.0, 106.0, 200.0]);
        let measured = vec![
            vec![outlier, prompt.clone()],
            vec![prompt.clone(), waits],
            vec![prompt.clone(), prompt],
        ];
        let told = findings(&WIRES, &["ours", "tokio-documented"], &measured);
        assert_eq!(
            told,
            "- tokio-documented, chat: 36, 60, 106 ms beyond round trips of 1, 20, 100 ms, as with \
             Nagle's algorithm (no TCP_NODELAY), which waits for acknowledgements.\n\
             - No line waits for an acknowledgement (most ms beyond): ours 578.0.\n"
        );
    }
}
