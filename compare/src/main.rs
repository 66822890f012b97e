//! Measures the three servers against the same servers on other runtimes, on this machine.
//!
//! In reading order: `workload` says what is measured and `peers` on whom, `plan` in what order;
//! `run` starts a fresh server and a fresh generator for each run, and `journal` keeps what came of
//! it; `load` is the generator, on `crowd` (sockets), `ledger` (what must arrive) and `meter` (what
//! it cost); `report` makes answers, pictures and tables of `results`, and `publish` puts them where
//! they are committed, `show` holds several results against the first. `conform` asks each server for
//! its protocol before; `alone` is the generator for any address; `bench` prints the figures of ours
//! alone, `build` what a peer costs to build, and a table of `trial`s what our pause buys (`pauses`)
//! and what the line editor of our chat costs (`edit`); `net` puts the generator on another host, at
//! the other end of a `wire`, and `multicore` lets servers have all cores. `account` (a crowd made
//! `rough`), `floods` and `relay` look for faults of ours, and compare nothing.

mod account;
mod alone;
mod bench;
mod build;
mod calibrate;
mod conform;
mod cores;
mod crowd;
mod date;
mod edit;
mod facts;
mod flood;
mod floods;
mod help;
mod histogram;
mod journal;
mod ledger;
mod lines;
mod load;
mod machine;
mod meter;
mod multicore;
mod net;
mod options;
mod pauses;
mod peers;
mod place;
mod plan;
mod port;
mod prepare;
mod process;
mod progress;
mod publish;
mod relay;
mod report;
mod results;
mod rough;
mod run;
mod running;
mod server;
mod show;
mod signals;
mod smoke;
mod socket;
mod stats;
mod tcp;
mod terminal;
mod trace;
mod trial;
mod wire;
mod workload;
mod wrong;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use options::Command;
use results::OURS;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Exit code for a wrong option, or a machine that cannot do what is asked.
const USAGE: u8 = 2;

#[rustfmt::skip]
const COMMANDS: [Command; 19] = [
    Command { name: "help", takes: "NAMES", peers: &[], run: |options| { print!("{}", help::help(options.named.first())?); Ok(()) } },
    Command { name: "run", peers: &[], run: |options| told(run::run(options)?),
        takes: "--quick --full --only --peers --own --clients --port --seed --rounds --no-build --resume --out" },
    Command { name: "bench", peers: &[OURS], run: |options| told(bench::bench(options)?),
        takes: "--only --peers --clients --port --seed --rounds --no-build --resume --out" },
    Command { name: "load", takes: "NAMES --clients --rate --seconds", peers: &[], run: alone::load },
    Command { name: "show", takes: "NAMES --only", peers: &[], run: show::show },
    Command { name: "report", takes: "--out", peers: &[], run: |options| told(report::again(&options.out)?) },
    Command { name: "publish", takes: "--out", peers: &[], run: |options| told(publish::publish(&options.out)?) },
    Command { name: "build", takes: "--peers --out", peers: &[], run: build::build },
    Command { name: "calibrate", takes: "", peers: &[], run: |_| calibrate::show() },
    Command { name: "account", takes: "--only --peers --port --no-build --seconds --seed", peers: &[], run: account::account },
    Command { name: "floods", takes: "--only --peers --port --no-build --quick --clients", peers: &[OURS], run: floods::floods },
    Command { name: "pauses", takes: "--quick --clients --port --no-build --out", peers: &[OURS], run: pauses::pauses },
    Command { name: "edit", takes: "--quick --clients --port --no-build", peers: &[OURS], run: edit::edit },
    Command { name: "net", takes: "--peers --quick --seed --no-build", peers: &net::PEERS, run: net::net },
    Command { name: "cores", takes: "--peers --quick --port --no-build", peers: &multicore::PEERS, run: multicore::cores },
    Command { name: "relay", takes: "--only --port --no-build --seconds --seed", peers: &[OURS], run: relay::relay },
    Command { name: "smoke", peers: &[], run: smoke::smoke,
        takes: "--quick --full --only --peers --clients --port --seed --rounds --no-build" },
    // The generator's process; the job comes on standard input.
    Command { name: "generate", takes: "", peers: &[], run: |_| run::generate() },
    // The process between two hosts of `net`.
    Command { name: "wire", takes: "NAMES", peers: &[], run: wire::wire },
];

fn main() -> ExitCode {
    let asked = options::parse(std::env::args().skip(1).collect());
    let done = asked.map_err(Into::into).and_then(|(command, options)| (command.run)(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(if error.is::<wrong::Wrong>() { USAGE } else { 1 })
        }
    }
}

fn told(report: PathBuf) -> Result<()> {
    eprintln!("the report is {}", report.display());
    Ok(())
}
