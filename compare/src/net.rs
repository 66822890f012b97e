//! The generator on another host: what the servers add to the round trip at the distances of a
//! room, a country and an ocean, where those that leave Nagle's algorithm on wait for
//! acknowledgements that the other end delays.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
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
use crate::stats::spread;
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

/// Milliseconds beyond the round trip that waiting for an acknowledgement takes in the median of the
/// wires: Linux delays it by 40, and it takes a round trip, of 100 at most.
const WAITS: RangeInclusive<f64> = 25.0..=140.0;

/// A run is made so often, at most, to have one in which the generator was not late.
const TRIES: usize = 3;

const LEGEND: &str = "\
Each field: within how many milliseconds beyond the wire's round trip half of the messages came, and 99 %
(p50 / p99); of one run, exact to 3 % of the whole time, round trip included. A message of the echo, and
a line on its way from who says it to who hears it, takes that round trip at least. Whom Nagle's algorithm
costs what is told of two wires without loss and more: not with --quick.";

/// What stands behind the p99s of wires without loss that say so.
const NAGLE: &str = "ms beyond the round trips without loss, as with Nagle's algorithm (no TCP_NODELAY), \
which waits for acknowledgements.\n";

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
    println!("{LEGEND}\n");
    for (talk, measured) in TALKS.iter().zip(&measured) {
        println!("{}", table(talk, wires, &peers, measured).text());
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    print!("{}", findings(wires, &names, &measured));
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

/// What the marks mean, a sentence for each peer and chat that waits for acknowledgements, and one
/// for those that never do. An echo has one message under way, behind which none waits; a wire that
/// loses packets sends them again; and a single wire may have had a bad moment.
fn findings(wires: &[(u64, usize)], peers: &[&str], measured: &Measured) -> String {
    let (mut text, mut prompt) = (String::new(), Vec::new());
    if measured.iter().flatten().flatten().flatten().any(|beyond| beyond.late) {
        text += "†: the generator was late, since the machine was busy otherwise.\n";
    }
    for (at, peer) in peers.iter().enumerate() {
        let chats = TALKS.iter().zip(measured).filter(|(talk, _)| talk.program == Program::Chat);
        let medians = chats.map(|(talk, measured)| {
            let told = wires.iter().zip(&measured[at]).filter(|((_, loses), _)| *loses == 0);
            let told = told.filter_map(|(_, beyond)| beyond.filter(|it| !it.late));
            let p99s: Vec<f64> = told.map(|beyond| beyond.p99).collect();
            let median = spread(p99s.iter().copied()).filter(|it| it.n > 1)?;
            if WAITS.contains(&median.median) {
                let p99s: Vec<String> = p99s.iter().map(|p99| format!("{p99:.0}")).collect();
                text += &format!("- {peer}, {}: p99 is {} {NAGLE}", talk.name, p99s.join(", "));
            }
            Some(median.median)
        });
        let medians: Vec<Option<f64>> = medians.collect();
        let most = medians.into_iter().try_fold(0.0, |most: f64, it| Some(most.max(it?)));
        if let Some(most) = most.filter(|most| most < WAITS.start()) {
            prompt.push(format!("{peer} {most:.1}"));
        }
    }
    if !prompt.is_empty() {
        text +=
            "- No line waits for an acknowledgement (p99 beyond, ms, median of the wires without ";
        text += &format!("loss): {}.\n", prompt.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(p99s: [f64; 4]) -> Vec<Option<Beyond>> {
        p99s.map(|p99| Some(Beyond { p50: 0.5, p99, late: false })).into()
    }

    #[test]
    fn who_waits_for_acknowledgements_on_most_wires_is_told_and_one_outlier_is_none() {
        let (prompt, outlier) = (of([0.5, 0.6, 0.7, 200.0]), of([0.5, 0.6, 578.0, 200.0]));
        let (waits, slow) = (of([36.0, 60.0, 106.0, 200.0]), of([191.0, 300.0, 400.0, 900.0]));
        let measured = vec![
            vec![prompt.clone(), prompt.clone(), waits.clone()],
            vec![outlier, waits, prompt.clone()],
            vec![prompt.clone(), prompt, slow],
        ];
        let told = findings(&WIRES, &["ours", "tokio-documented", "asyncio"], &measured);
        assert_eq!(
            told,
            "- tokio-documented, chat: p99 is 36, 60, 106 ms beyond the round trips without loss, as \
             with Nagle's algorithm (no TCP_NODELAY), which waits for acknowledgements.\n\
             - No line waits for an acknowledgement (p99 beyond, ms, median of the wires without \
             loss): ours 0.6.\n"
        );
    }

    #[test]
    fn neither_one_wire_nor_runs_of_a_late_generator_accuse_anybody() {
        let mut late = of([40.0, 60.0, 106.0, 200.0]);
        late[..2].iter_mut().flatten().for_each(|beyond| beyond.late = true);
        let measured = vec![vec![late.clone()]; 3];
        let marks = "†: the generator was late, since the machine was busy otherwise.\n";
        assert_eq!(findings(&WIRES, &["asyncio"], &measured), marks);
        let measured = vec![vec![of([40.0, 0.0, 0.0, 0.0])[..1].to_vec()]; 3];
        assert_eq!(findings(&WIRES[..1], &["asyncio"], &measured), "");
    }
}
