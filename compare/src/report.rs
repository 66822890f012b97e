//! The report: answers, pictures and tables from the results.

mod answers;
pub(crate) mod cell;
mod design;
pub(crate) mod metric;
mod plots;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::journal::Journal;
use crate::place::{self, JOURNAL, REPORT, RESULTS};
use crate::results::Results;
use crate::workload::Extent;
use crate::wrong::Wrong;
use plots::{PLOTS, Plot};
#[cfg(test)]
pub(crate) use tests::made_up;

/// Writes a run's report again, of the runs that were made if it is unfinished.
pub(crate) fn again(folder: &Option<PathBuf>) -> Result<PathBuf> {
    let newest = || place::holding(&place::runs(), JOURNAL).into_iter().next();
    let none = || Wrong("there is no run; `compare run` makes one".into());
    let folder = folder.clone().or_else(newest).ok_or_else(none)?;
    if folder.join(RESULTS).exists() {
        return write(&Results::read(&folder.join(RESULTS))?, &folder);
    }
    let journal = Journal::open(&folder)
        .map_err(|error| Wrong(format!("{} holds no run: {error}", folder.display())))?;
    write(&Results { unfinished: true, ..journal.results() }, &folder)
}

/// Returns the whole path of the report.
pub(crate) fn write(results: &Results, directory: &Path) -> Result<PathBuf> {
    let mut pictures = String::new();
    for Plot { name, about, draw } in PLOTS {
        let file = directory.join(format!("{name}.svg"));
        match draw(results) {
            Some(svg) => {
                fs::write(file, svg)?;
                pictures += &format!("\n![{about}]({name}.svg)\n\n*{about}.*\n");
            }
            // One of an earlier run would be taken for this one's.
            None => _ = fs::remove_file(file),
        }
    }
    let parts = [
        head(results),
        answers::page(results),
        design::table(results),
        pictures,
        READING.to_owned(),
        tables::summary(results),
        tables::workloads(results),
        tables::prices(results),
    ];
    let report = directory.join(REPORT);
    fs::write(&report, parts.concat())?;
    Ok(report.canonicalize()?)
}

/// How the figures are written, and how sure they are.
const READING: &str = "
## How to read the figures

Each figure is the median (least–most) of n runs; † marks a single run. × is a peer's figure divided by \
ours: the median over the rounds, which need not be the ratio of the medians; lists are sorted by it. ≈ is \
no difference: the ratio is within the band ± by which ours differs from itself (*ours-again*). Bands are \
factors: ±20 % is from 0.83× to 1.20×; with fewer than three rounds a band is ±15 % at least, so treat n=2 \
and † as preliminary, and repeat with `--rounds 5`. A figure with neither × nor ≈ is reported but not ranked: \
the generator limited the runs, or the host had moved the two cores, or too few rounds are left in which \
ours is ranked too. CPU is per delivery, for an echo per round trip; memory is the process's own (RSS), \
without what the kernel holds for its sockets. Ratios carry over to machines like this one, figures do not: \
for another kind, measure there and compare the two with `compare show`.
";

/// What was measured, and the marks of the first page.
fn head(results: &Results) -> String {
    let (minutes, runs, machine) =
        (results.minutes.max(0.1), results.samples.len(), tables::machine(&results.card));
    let mut made = format!("Made with `compare {}` in {minutes:.1} min.", results.asked());
    if results.extent == Extent::Quick {
        made += " **Short rounds only: take it as a first look.**";
    }
    made += &results.disturbed().map_or(String::new(), |said| format!(" **{said}**"));
    if results.unfinished {
        made += &format!(" **Unfinished: runs made so far: {runs}.**");
    }
    format!(
        "# Servers compared\n\nThe same three servers on several runtimes. A peer's lane says what it \
         is: *ours*, the servers of this repository, on smol; *as documented*, what its runtime's \
         own documentation shows; *same design*, our log of lines, cursors and pause on that runtime; \
         *floor*, epoll by hand. {made} {machine}\n\nFigures are medians (least–most). × is a peer's divided by \
         ours, ≈ no difference beyond the noise, † of a single run; [more](#how-to-read-the-figures).\n"
    )
}
