//! The generator on another host: what the servers add to the round trip at the distances of a
//! room, a country and an ocean, where those that leave Nagle's algorithm on wait for
//! acknowledgements that the other end delays.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Result;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::progress::Progress;
use crate::report::table::{NOTHING, Table};
use crate::results::{Bound, OURS, Outcome, Results, Sample};
use crate::run::generator;
use crate::server::Server;
use crate::stats::spread;
use crate::trial::job;
use crate::wire::{Network, Wire};
use crate::workload::{self, Extent, Load, Program};

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
    Talk { name, about, program: Program::Chat, load: workload::chat(CLIENTS, rate, burst) }
}

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
    // The round of a run is the place of its wire.
    let mut measured = Results::default();
    for (round, between) in wires.iter().enumerate() {
        progress.begin(&head(between), seconds(between.0));
        let wire = wire(*between, options.seed);
        for (talk, peer) in TALKS.iter().flat_map(|talk| peers.iter().map(move |it| (talk, it))) {
            let outcome = punctual(|| one(&machine, peer, talk, window, &wire));
            let outcome = outcome.unwrap_or_else(Outcome::invalid);
            if let Some(why) = &outcome.fault {
                eprintln!("{}, {}: {why}", peer.name, talk.name);
            }
            let (workload, peer) = (talk.name.into(), peer.name.into());
            measured.samples.push(Sample { workload, peer, round, outcome });
        }
    }
    println!("{LEGEND}\n");
    for talk in &TALKS {
        println!("{}", table(talk, wires, &peers, &measured).text());
    }
    print!("{}", findings(&peers, &measured));
    match measured.samples.iter().filter(|run| run.outcome.fault.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} runs could not be measured").into()),
    }
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
    network.generator.run(|| generator(&job(&server, talk.load, window)))?
}

/// Milliseconds beyond the round trip.
fn beyond(run: &Sample, key: &str) -> Option<f64> {
    Some(run.outcome.metrics.get(key)? / 1e3 - WIRES[run.round].0 as f64)
}

/// The generator said its lines late, which makes all of them come late.
fn is_late(run: &Sample) -> bool {
    run.outcome.bound == Bound::Client
}

fn head((rtt, loses): &(u64, usize)) -> String {
    match loses {
        0 => format!("{rtt} ms"),
        loses => format!("{rtt} ms, {} % lost", 100 / loses),
    }
}

fn table(talk: &Talk, wires: &[(u64, usize)], peers: &[Peer], measured: &Results) -> Table {
    let title = format!("{}: {CLIENTS} clients, {}", talk.name, talk.about);
    let mut table = Table::of(&title, wires.iter().map(head));
    for peer in peers {
        let told = |round| {
            let run = measured.runs(talk.name, peer.name).find(|run| run.round == round)?;
            let (p50, p99) = (beyond(run, "p50_us")?, beyond(run, "p99_us")?);
            Some(format!("{p50:.1} / {p99:.1}{}", if is_late(run) { "†" } else { "" }))
        };
        let told = (0..wires.len()).map(|round| told(round).unwrap_or(NOTHING.into()));
        table.row(std::iter::once(peer.name.to_owned()).chain(told).collect());
    }
    table
}

/// What the marks mean, a sentence for each peer and chat that waits for acknowledgements, and one
/// for those that never do. An echo has one message under way, behind which none waits; a wire that
/// loses packets sends them again; and a single wire may have had a bad moment.
fn findings(peers: &[Peer], measured: &Results) -> String {
    let (mut text, mut prompt) = (String::new(), Vec::new());
    if measured.samples.iter().any(|run| run.outcome.fault.is_none() && is_late(run)) {
        text += "†: the generator was late, since the machine was busy otherwise.\n";
    }
    for peer in peers {
        let mut most = Some(0.0);
        for talk in TALKS.iter().filter(|talk| talk.program == Program::Chat) {
            let told = measured.runs(talk.name, peer.name);
            let told = told.filter(|run| WIRES[run.round].1 == 0 && !is_late(run));
            let p99s: Vec<f64> = told.filter_map(|run| beyond(run, "p99_us")).collect();
            let median = spread(p99s.iter().copied()).filter(|it| it.n > 1).map(|it| it.median);
            if median.is_some_and(|median| WAITS.contains(&median)) {
                let p99s: Vec<String> = p99s.iter().map(|p99| format!("{p99:.0}")).collect();
                let (peer, talk) = (peer.name, talk.name);
                text += &format!("- {peer}, {talk}: p99 is {} {NAGLE}", p99s.join(", "));
            }
            most = most.zip(median).map(|(most, median)| f64::max(most, median));
        }
        if let Some(most) = most.filter(|most| most < WAITS.start()) {
            prompt.push(format!("{} {most:.1}", peer.name));
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
    use crate::peers;

    fn known(name: &str) -> Peer {
        peers::find(name).expect("it is there")
    }

    /// Runs of a peer, of all talks in turn and over all wires.
    fn add(measured: &mut Results, peer: &str, p99s: [[f64; 4]; 3]) {
        for (talk, p99s) in TALKS.iter().zip(p99s) {
            for (round, p99) in p99s.into_iter().enumerate() {
                let mut outcome = Outcome::default();
                outcome.set("p99_us", (WIRES[round].0 as f64 + p99) * 1e3);
                let (workload, peer) = (talk.name.into(), peer.into());
                measured.samples.push(Sample { workload, peer, round, outcome });
            }
        }
    }

    #[test]
    fn who_waits_for_acknowledgements_on_most_wires_is_told_and_one_outlier_is_none() {
        let (prompt, outlier) = ([0.5, 0.6, 0.7, 200.0], [0.5, 0.6, 578.0, 200.0]);
        let (waits, slow) = ([36.0, 60.0, 106.0, 200.0], [191.0, 300.0, 400.0, 900.0]);
        let mut measured = Results::default();
        add(&mut measured, "ours", [prompt, outlier, prompt]);
        add(&mut measured, "tokio-documented", [prompt, waits, prompt]);
        add(&mut measured, "asyncio", [waits, prompt, slow]);
        let told = findings(&["ours", "tokio-documented", "asyncio"].map(known), &measured);
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
        let mut measured = Results::default();
        add(&mut measured, "asyncio", [[40.0, 60.0, 106.0, 200.0]; 3]);
        let late = measured.samples.iter_mut().filter(|run| run.round < 2);
        late.for_each(|run| run.outcome.bound = Bound::Client);
        let marks = "†: the generator was late, since the machine was busy otherwise.\n";
        assert_eq!(findings(&[known("asyncio")], &measured), marks);
        measured.samples.retain(|run| run.round == 0);
        measured.samples.iter_mut().for_each(|run| run.outcome.bound = Bound::Neither);
        assert_eq!(findings(&[known("asyncio")], &measured), "");
    }
}
