//! Measures the three release binaries from outside, each alone on one core, and prints a table.
//!
//! `cargo bench --bench bench -- [--rounds N] [--only NAME]`. No figure makes it fail; a line
//! lost, doubled or garbled, and a client refused or dropped, do. Progress is on standard error.
//! `BENCH_SERVERS=DIR` measures the binaries in a directory instead, another build of them say.

#[path = "bench/burst.rs"]
mod burst;
#[path = "bench/crowd.rs"]
mod crowd;
#[path = "bench/delivery.rs"]
mod delivery;
#[path = "bench/fanout.rs"]
mod fanout;
#[path = "bench/idle.rs"]
mod idle;
#[path = "bench/lines.rs"]
mod lines;
#[path = "bench/machine.rs"]
mod machine;
#[path = "bench/reference.rs"]
mod reference;
#[path = "bench/roundtrip.rs"]
mod roundtrip;
#[path = "bench/server.rs"]
mod server;
#[path = "bench/stalled.rs"]
mod stalled;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/talk.rs"]
mod talk;
#[path = "bench/tick.rs"]
mod tick;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use crate::machine::Machine;
use crate::server::PROGRAMS;
use crate::table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One thing that is measured.
struct Scenario {
    name: &'static str,
    /// Rounds unless `--rounds` says otherwise: one where a round is long or always the same.
    rounds: usize,
    run: fn(&Machine, &mut Table) -> Result<()>,
}

const SCENARIOS: [Scenario; 10] = [
    Scenario { name: "size", rounds: 1, run: size },
    Scenario { name: "idle-chat", rounds: 3, run: idle::chat },
    Scenario { name: "idle-echo", rounds: 1, run: idle::echo },
    Scenario { name: "idle-time", rounds: 1, run: idle::time },
    Scenario { name: "burst", rounds: 3, run: burst::run },
    Scenario { name: "fanout", rounds: 3, run: fanout::run },
    Scenario { name: "delivery", rounds: 3, run: delivery::run },
    Scenario { name: "echo", rounds: 3, run: roundtrip::run },
    Scenario { name: "tick", rounds: 3, run: tick::run },
    Scenario { name: "stalled", rounds: 1, run: stalled::run },
];

struct Options {
    rounds: Option<usize>,
    only: Option<String>,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| measure(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options { rounds: None, only: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // cargo bench says so to every benchmark.
            "--bench" => {}
            "--rounds" => {
                let rounds = arguments.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
                options.rounds = Some(rounds.ok_or("--rounds takes a number above 0")?);
            }
            "--only" => {
                let name = arguments.next().unwrap_or_default();
                let names = SCENARIOS.map(|scenario| scenario.name);
                if !names.contains(&name.as_str()) {
                    return Err(format!("--only takes one of {}", names.join(", ")).into());
                }
                options.only = Some(name);
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    Ok(options)
}

/// False when a server did something wrong.
fn measure(options: &Options) -> Result<bool> {
    let machine = Machine::take()?;
    let mut table = Table::default();
    let mut failures = Vec::new();
    let chosen =
        |scenario: &&Scenario| options.only.as_ref().is_none_or(|only| only == scenario.name);
    for scenario in SCENARIOS.iter().filter(chosen) {
        let rounds = options.rounds.unwrap_or(scenario.rounds);
        for round in 1..=rounds {
            let started = Instant::now();
            reference::run(&machine, &mut table)?;
            if let Err(error) = (scenario.run)(&machine, &mut table) {
                failures.push(format!("{}, round {round}: {error}", scenario.name));
            }
            let seconds = started.elapsed().as_secs_f64();
            eprintln!("{} {round}/{rounds}: {seconds:.1} s", scenario.name);
        }
    }
    println!("{machine}\n\n{table}");
    for failure in &failures {
        println!("FAILED {failure}");
    }
    Ok(failures.is_empty())
}

fn size(_: &Machine, table: &mut Table) -> Result<()> {
    for (name, _) in PROGRAMS {
        let bytes = std::fs::metadata(server::binary(name)?)?.len();
        table.add(format!("size of {name}"), "bytes", "", bytes as f64);
    }
    Ok(())
}
