//! Results of several machines or versions side by side: the first is what the others are held
//! against, and what changed beyond the noise of both stands on top.

use std::path::Path;

use crate::Result;
use crate::options::Options;
use crate::place::RESULTS;
use crate::report::count::usual;
use crate::report::metric::{Metric, equals, metrics, ranked};
use crate::report::svg::short;
use crate::report::table::{NOTHING, Table};
use crate::report::tables::{cell, machine};
use crate::results::Results;
use crate::stats::{Spread, Standing, standing};
use crate::workload::{WORKLOADS, Workload};
use crate::wrong::Wrong;

/// What each of them is called.
const NAMES: [char; 8] = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];

const LEGEND: &str = "Medians with least and most, and behind a peer's how it stands to ours there. \
By A: that median by A's. ±: the noise of both together (the band in which ours differs from itself, \
of each); ≈ is within it, or with runs of the one among those of the other. Where ± lacks, a result has \
no such band, and nothing is judged. On another machine all figures are that machine's: hold the × \
behind them against each other.";

/// Prints the tables.
///
/// # Errors
/// When there are fewer than two, too many, or one that cannot be read.
pub(crate) fn show(options: &Options) -> Result<()> {
    let (files, most) = (&options.named, NAMES.len());
    if !(2..=most).contains(&files.len()) {
        let why = format!("show needs 2 to {most} results, files or folders of finished runs");
        return Err(Wrong(why).into());
    }
    let read = |file: &String| {
        let file = Path::new(file);
        Results::read(&if file.is_dir() { file.join(RESULTS) } else { file.to_owned() })
    };
    let all = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    for ((name, file), results) in NAMES.iter().zip(files).zip(&all) {
        println!("{name}: {file}, `{}`: {}\n", results.asked(), machine(&results.card));
    }
    print!("{}", text(&all, options));
    Ok(())
}

fn text(all: &[Results], options: &Options) -> String {
    let (mut changed, mut tables) = (table("changed", all, None), String::new());
    let mut changes = 0;
    for workload in WORKLOADS.iter().filter(|workload| options.chose(workload.name)) {
        let mut table = table(workload.name, all, Some(workload));
        let rows = rows(all, workload);
        for row in &rows {
            table.row(row.cells.clone());
            if row.is_changed {
                let mut cells = row.cells.clone();
                cells[0] = format!("{}, {}", workload.name, cells[0]);
                changed.row(cells);
                changes += 1;
            }
        }
        if !rows.is_empty() {
            tables += &format!("\n{}", table.text());
        }
    }
    if tables.is_empty() {
        return "The first and the others have no figure that both may rank.\n".into();
    }
    let changed = if changes > 0 { changed.text() } else { "Nothing changed.\n".into() };
    format!("{changed}\n{LEGEND}\n{tables}\n{}", prices(all).text())
}

fn table(head: &str, all: &[Results], workload: Option<&Workload>) -> Table {
    let heads = NAMES.iter().zip(all).enumerate().flat_map(|(at, (name, results))| {
        let rounds = workload.map(|it| format!(", {}", usual(results.rounds(it.name))));
        let by = (at > 0).then(|| format!("{name} by A"));
        std::iter::once(format!("{name}{}", rounds.unwrap_or_default())).chain(by)
    });
    Table::of(head, heads)
}

/// A figure of a peer in all results.
struct Row {
    cells: Vec<String>,
    is_changed: bool,
}

/// Those that the first has, and another one too.
fn rows(all: &[Results], workload: &Workload) -> Vec<Row> {
    let mut rows = Vec::new();
    for metric in metrics(&workload.load).iter().filter(|metric| !metric.aside) {
        for facts in &all[0].peers {
            let changes: Vec<Option<Change>> =
                all.iter().map(|it| change(&all[0], it, workload, &facts.name, metric)).collect();
            if changes.iter().skip(1).all(Option::is_none) {
                continue;
            }
            let mut cells = vec![format!("{}: {}", facts.name, metric.title)];
            for (at, (results, change)) in all.iter().zip(&changes).enumerate() {
                let told = cell(results, workload, &facts.name, metric.key, true);
                let to_ours = told.standing.map_or(String::new(), |it| format!(" {it}"));
                cells.push(told.figure + &to_ours);
                if at > 0 {
                    cells.push(change.as_ref().map_or(NOTHING.into(), Change::told));
                }
            }
            let is_changed = changes.iter().skip(1).flatten().any(|change| change.is_beyond);
            rows.push(Row { cells, is_changed });
        }
    }
    rows
}

struct Change {
    ratio: f64,
    /// None where one of the two does not know how far equals are apart.
    band: Option<f64>,
    is_beyond: bool,
}

/// `None` where one of the two has no runs that may be ranked.
fn change(
    before: &Results,
    now: &Results,
    workload: &Workload,
    peer: &str,
    metric: &Metric,
) -> Option<Change> {
    let of = |results| ranked(results, workload.name, peer, metric.key);
    let (one, other): (Spread, Spread) = (of(before)?, of(now)?);
    let ratio = (one.median > 0.0).then(|| other.median / one.median)?;
    let noise = |results| equals(results, workload.name, metric.key).map(|(band, _)| 1.0 + band);
    let band = noise(before).zip(noise(now)).map(|(one, other)| one * other - 1.0);
    let apart = one.max < other.min || other.max < one.min;
    let is_beyond = apart && band.is_some_and(|band| standing(ratio, band) != Standing::Equal);
    Some(Change { ratio, band, is_beyond })
}

impl Change {
    fn told(&self) -> String {
        match self.band {
            None => format!("{}×", short(self.ratio)),
            Some(band) => {
                let sign =
                    if self.is_beyond { format!("{}×", short(self.ratio)) } else { "≈".into() };
                format!("{sign} ±{:.0} %", band * 100.0)
            }
        }
    }
}

/// What the machines' system calls cost.
fn prices(all: &[Results]) -> Table {
    let mut table = table("ns a system call", all, None);
    for (name, before) in &all[0].prices {
        let mut cells = vec![name.clone()];
        for (at, results) in all.iter().enumerate() {
            let price = results.prices.get(name).copied();
            let told = |price: Option<String>| price.unwrap_or_else(|| NOTHING.into());
            cells.push(told(price.map(short)));
            if at > 0 {
                let ratio = price.filter(|_| *before > 0.0).map(|price| price / before);
                cells.push(told(ratio.map(|ratio| format!("{}×", short(ratio)))));
            }
        }
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    /// What is shown of the made-up results, and of these when they are multiplied.
    fn beside(times: impl Fn(&str, &str) -> f64) -> String {
        let (before, mut now) = (made_up::results(), made_up::results());
        for run in &mut now.samples {
            for (key, value) in &mut run.outcome.metrics {
                *value *= times(&run.peer, key);
            }
        }
        text(&[before, now], &Options::default())
    }

    #[test]
    fn what_changed_beyond_the_band_of_both_stands_on_top() {
        let cheaper =
            |peer: &str, key: &str| if (peer, key) == ("threads", "cpu_us") { 0.5 } else { 1.0 };
        let text = beside(cheaper);
        let (changed, tables) = text.split_once("\n\n").expect("two parts");
        let rows: Vec<&str> = changed.lines().skip(2).collect();
        let row = "threads: CPU µs | 8.24 (8.08–8.40) 2× | 4.12 (4.04–4.20) ≈ | 0.50× ±6 % |";
        assert_eq!(rows, ["chat-200", "chat-1000"].map(|name| format!("| {name}, {row}")));
        assert!(tables.contains("| chat-1000 | A, n=5 | B, n=5 | B by A |"), "{tables}");
        assert!(
            tables.contains("| node: CPU µs | 4.16 (4.08–4.24) ≈ | 4.16 (4.08–4.24) ≈ | ≈ ±6 % |")
        );
        assert!(tables.contains("| send | 1000 | 1000 | 1× |"), "{tables}");
    }

    #[test]
    fn what_is_within_the_band_or_among_the_other_runs_is_no_change() {
        assert!(beside(|_, _| 1.05).starts_with("Nothing changed."));
        // Beyond the band, but its least runs are among ours.
        let mut wide = made_up::results();
        for run in wide.samples.iter_mut().filter(|run| run.round > 2) {
            run.outcome.set("cpu_us", run.outcome.metrics["cpu_us"] * 3.0);
        }
        let text = text(&[made_up::results(), wide], &Options::default());
        assert!(text.starts_with("Nothing changed.") && text.contains("≈ ±6 %"), "{text}");
    }

    #[test]
    fn nothing_is_judged_without_a_band() {
        let mut alone = made_up::results();
        alone.samples.retain(|run| run.peer != crate::results::OURS_AGAIN);
        alone.samples.iter_mut().for_each(|run| run.outcome.set("cpu_us", 40.0));
        let text = text(&[made_up::results(), alone], &Options::default());
        assert!(text.starts_with("Nothing changed."), "{text}");
        assert!(text.contains("| ours: CPU µs | 4.12 (4.04–4.20) | 40 | 9.71× |"), "{text}");
    }
}
