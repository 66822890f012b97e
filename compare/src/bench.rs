//! The figures of ours alone, as a table for the terminal: the sizes of the programs, and median
//! and extremes of what each workload tells. The run's report and its folder are as of any run.

use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::options::Options;
use crate::peers::{self, Peer};
use crate::place::RESULTS;
use crate::report::metric::metrics;
use crate::report::table::{NOTHING, Table};
use crate::report::tables::machine;
use crate::results::{Results, Sample};
use crate::run;
use crate::stats::{Spread, spread};
use crate::trial::range;
use crate::workload::{Extent, Program, WORKLOADS};

/// Returns the report's path.
///
/// # Errors
/// When any run could not be measured, or was not valid; the table is printed nevertheless.
pub(crate) fn bench(options: &Options) -> Result<PathBuf> {
    let report = run::run(&Options { extent: Extent::Bench, ..options.clone() })?;
    let results = Results::read(&report.with_file_name(RESULTS))?;
    println!("{}\n\n{}", machine(&results.card), table(&results).text());
    are_valid(&results)?;
    Ok(report)
}

/// # Errors
/// With the first run that was not valid.
pub(crate) fn are_valid(results: &Results) -> Result<()> {
    let fault = |run: &Sample| {
        Some(format!("{}, {}: {}", run.peer, run.workload, run.outcome.fault.as_deref()?))
    };
    results.samples.iter().find_map(fault).map_or(Ok(()), |fault| Err(fault.into()))
}

fn table(results: &Results) -> Table {
    let peers: Vec<Peer> =
        results.peers.iter().filter_map(|facts| peers::find(&facts.name)).collect();
    let mut table = Table::of("figure", peers.iter().map(|peer| peer.name));
    let mut row = |figure: String, of: &dyn Fn(&Peer) -> Option<Spread>| {
        let figures = peers.iter().map(|peer| of(peer).map_or(NOTHING.into(), range));
        table.row(std::iter::once(figure).chain(figures).collect());
    };
    for program in Program::ALL {
        row(format!("size of {}, KiB", program.name()), &|peer| {
            let size = fs::metadata(peer.binary(program)).ok()?.len();
            spread([size as f64 / 1024.0])
        });
    }
    for workload in WORKLOADS {
        let name = workload.name;
        if !results.samples.iter().any(|sample| sample.workload == name) {
            continue;
        }
        for metric in metrics(&workload.load) {
            let of = |peer: &Peer| results.value(name, peer.name, metric.key);
            row(format!("{name}: {}", metric.title), &of);
        }
        if results.traces.iter().any(|trace| trace.workload == name) {
            row(format!("{name}: system calls a {}", workload.message()), &|peer| {
                spread([results.trace(name, peer.name)?.calls.values().sum()])
            });
        }
    }
    table
}
