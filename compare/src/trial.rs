//! Runs held beside each other and told as a table: what `pauses`, `edit`, `floods` and `cores` have in
//! common. Knows not what is tried.

use std::time::Duration;

use crate::Result;
use crate::cores::{self, Cores};
use crate::load::Job;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::progress::Progress;
use crate::report::svg::short;
use crate::report::table::{NOTHING, Table};
use crate::results::{Outcome, Sample};
use crate::run::generator;
use crate::server::Server;
use crate::stats::{Spread, spread};
use crate::workload::{Load, Program};

/// One of what is tried: a row of the table.
pub(crate) struct Trial<T> {
    /// What the clients do, and what else is different.
    pub(crate) workload: String,
    pub(crate) variant: String,
    /// That it takes, roughly.
    pub(crate) seconds: f64,
    pub(crate) what: T,
}

/// What a column tells: its head, the figure, and how many of its units one of the column's has. `A by
/// B` is the figure A by that of the variant B in the same round.
pub(crate) type Column = (&'static str, &'static str, f64);

/// Runs all of them, round by round. Waiting for the cores to be where they usually are, and making
/// runs again, takes no longer than `patience`. The variant stands where a sample has its peer.
pub(crate) fn measure<T>(
    machine: &Machine,
    patience: Duration,
    rounds: usize,
    trials: &[Trial<T>],
    run: impl Fn(&T) -> Result<Outcome>,
) -> Result<Vec<Sample>> {
    let guesses = (0..rounds).flat_map(|_| trials.iter().map(|trial| trial.seconds));
    let mut progress = Progress::new(0, guesses);
    let mut cores = Cores::new(machine, patience, &[])?;
    let mut samples = Vec::new();
    for round in 1..=rounds {
        for Trial { workload, variant, seconds, what } in trials {
            progress.begin(&format!("{workload}, {variant}"), *seconds);
            let outcome = cores.together(|| run(what).unwrap_or_else(Outcome::invalid))?;
            let (workload, peer) = (workload.clone(), variant.clone());
            samples.push(Sample { workload, peer, round, outcome });
        }
    }
    cores::mark(&mut samples);
    Ok(samples)
}

/// A fresh chat with these options and a fresh generator; a third of the window before it is
/// discarded.
pub(crate) fn chat(
    machine: &Machine,
    ours: &Peer,
    options: &[&str],
    load: Load,
    window: u64,
) -> Result<Outcome> {
    let options = [&["--rate", "0", "--history", "0"], options].concat();
    let server = Server::start_ours(machine, ours, Program::Chat, &options)?;
    generator(&job(&server, load, window))
}

/// Puts this load on a server for so many milliseconds; a third of that before is discarded.
pub(crate) fn job(server: &Server, load: Load, window: u64) -> Job {
    let (pid, address, warm_up) = (server.pid(), server.address, window / 3);
    Job { load, pid, address, window, warm_up, tracer: None }
}

/// The median and the extremes of all rounds; words where a run is not valid.
pub(crate) fn table(columns: &[Column], samples: &[Sample]) -> Table {
    let mut table = Table::of("", columns.iter().map(|(head, ..)| *head));
    for Sample { workload, peer, .. } in samples.iter().filter(|sample| sample.round == 1) {
        let of_it = |sample: &&Sample| sample.workload == *workload && sample.peer == *peer;
        let rounds: Vec<&Sample> = samples.iter().filter(of_it).collect();
        let name = format!("{workload}, {peer}");
        if let Some(fault) = rounds.iter().find_map(|sample| sample.outcome.fault.clone()) {
            table.words(name, fault);
            continue;
        }
        let mark = if rounds.iter().any(|sample| sample.outcome.apart) { "†" } else { "" };
        let cell = |(_, key, unit): &Column| {
            let figures = rounds.iter().filter_map(|sample| figure(samples, sample, key));
            spread(figures.map(|figure| figure / unit)).map_or(NOTHING.into(), range)
        };
        let cells = columns.iter().map(cell);
        table.row(std::iter::once(name + mark).chain(cells).collect());
    }
    table
}

/// Of one run, as it is or by that of another one.
fn figure(samples: &[Sample], run: &Sample, key: &str) -> Option<f64> {
    let Some((key, to)) = key.split_once(" by ") else {
        return run.outcome.metrics.get(key).copied();
    };
    let beside =
        |it: &&Sample| (&*it.peer, &it.workload, it.round) == (to, &run.workload, run.round);
    let base = samples.iter().find(beside)?;
    Some(figure(samples, run, key)? / figure(samples, base, key)?)
}

/// The median, and the extremes of several.
pub(crate) fn range(Spread { median, min, max, .. }: Spread) -> String {
    match min == max {
        true => short(median),
        false => format!("{} ({}-{})", short(median), short(min), short(max)),
    }
}

/// # Errors
/// When any run could not be measured, or any line was not as it must be.
pub(crate) fn verdict(samples: &[Sample]) -> Result<()> {
    match samples.iter().filter(|sample| sample.outcome.fault.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} runs are not valid", samples.len()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(variant: &str, round: usize, value: f64) -> Sample {
        let mut outcome = Outcome::default();
        outcome.set("p99_us", value);
        Sample { workload: "10 members".into(), peer: variant.into(), round, outcome }
    }

    #[test]
    fn a_row_tells_all_rounds_and_one_that_failed_has_words() {
        let mut samples =
            vec![sample("5 ms", 1, 400.0), sample("0 ms", 1, 300.0), sample("5 ms", 2, 800.0)];
        samples[2].outcome.apart = true;
        samples[1].outcome = Outcome::invalid("it ended");
        let text = table(&[("p99 ms", "p99_us", 1e3), ("late", "late_p99_us", 1e3)], &samples);
        let rows = "| 10 members, 5 ms† | 0.60 (0.40-0.80) |\n| 10 members, 0 ms | it ended |\n";
        assert!(text.text().ends_with(rows), "{}", text.text());
        let told = verdict(&samples).expect_err("one failed").to_string();
        assert_eq!(told, "1 of 3 runs are not valid");
    }

    #[test]
    fn a_variant_is_held_against_another_of_its_round() {
        let of = |round, [one, all]: [f64; 2]| {
            [sample("1 core", round, one), sample("2 cores", round, all)]
        };
        let samples = [of(1, [10.0, 30.0]), of(2, [20.0, 30.0]), of(3, [40.0, 60.0])].concat();
        let text = table(&[("by one core", "p99_us by 1 core", 1.0)], &samples).text();
        assert!(text.contains("| 10 members, 2 cores | 1.50 (1.50-3) |"), "{text}");
    }
}
