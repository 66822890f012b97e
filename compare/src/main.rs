//! Measures the three servers against the same servers on other runtimes, on this machine.
//!
//! In reading order: `workload` says what is measured and `peers` on whom; `run` starts a fresh
//! server and a fresh generator for each run; `load` is the generator, on `crowd` (sockets),
//! `ledger` (what must arrive) and `meter` (what it cost); `report` makes tables, verdicts and
//! pictures of `results`.

mod calibrate;
mod conform;
mod cores;
mod crowd;
mod facts;
#[cfg(test)]
mod faulty;
mod histogram;
mod ledger;
mod lines;
mod load;
mod machine;
mod meter;
mod options;
mod peers;
mod prepare;
mod process;
mod progress;
mod report;
mod results;
mod run;
mod running;
mod server;
mod stats;
mod trace;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use options::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Exit code for a wrong option, or a machine that cannot do what is asked.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let done = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Smoke(options)) => run::smoke(&options),
        Ok(Command::Report(directory)) => report::again(&directory),
        Ok(Command::Calibrate) => calibrate::show(),
        Ok(Command::Load) => run::generate(),
        Err(wrong) => Err(wrong.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(if error.is::<options::Wrong>() { USAGE } else { 1 })
        }
    }
}
