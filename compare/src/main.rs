//! Measures the three servers against the same servers on other runtimes, on this machine.
//!
//! In reading order: `workload` says what is measured and `peers` on whom, `plan` in what order;
//! `run` starts a fresh server and a fresh generator for each run, and `journal` keeps what came of
//! it; `load` is the generator, on `crowd` (sockets), `ledger` (what must arrive) and `meter` (what
//! it cost); `report` makes tables, verdicts and pictures of `results`, and `publish` puts them where
//! they are committed; `bench` prints those of ours alone, and `pauses` what its pause
//! buys. `account`, `floods` and `relay` look for faults of ours, and compare nothing.

mod account;
mod bench;
mod calibrate;
mod conform;
mod cores;
mod crowd;
mod date;
mod facts;
#[cfg(test)]
mod faulty;
mod flood;
mod floods;
mod histogram;
mod journal;
mod ledger;
mod lines;
mod load;
mod machine;
mod meter;
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
mod run;
mod running;
mod server;
mod smoke;
mod stats;
mod tcp;
mod trace;
mod workload;
mod wrong;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use options::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Exit code for a wrong option, or a machine that cannot do what is asked.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let told = |report: PathBuf| eprintln!("the report is {}", report.display());
    let done = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(options)) => run::run(&options).map(told),
        Ok(Command::Bench(options)) => bench::bench(&options).map(told),
        Ok(Command::Smoke(options)) => smoke::smoke(&options),
        Ok(Command::Report(folder)) => report::again(folder).map(told),
        Ok(Command::Publish(folder)) => publish::publish(folder).map(told),
        Ok(Command::Calibrate) => calibrate::show(),
        Ok(Command::Account(options)) => account::account(&options),
        Ok(Command::Floods(options)) => floods::floods(&options),
        Ok(Command::Pauses(options)) => pauses::pauses(&options),
        Ok(Command::Relay(options)) => relay::relay(&options),
        Ok(Command::Load) => run::generate(),
        Err(wrong) => Err(wrong.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(if error.is::<wrong::Wrong>() { USAGE } else { 1 })
        }
    }
}
