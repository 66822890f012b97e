//! Results of several machines or versions side by side: the first is what the others are held
//! against, and what changed beyond the noise of both stands on top.

use std::path::Path;

use crate::Result;
use crate::options::Options;
use crate::place::RESULTS;
use crate::report::cell::{ratio, usual};
use crate::report::metric::{Metric, metrics};
use crate::report::table::{NOTHING, Table};
use crate::report::tables::machine;
use crate::results::{Facts, Results};
use crate::stats::{Spread, Standing, standing};
use crate::workload::WORKLOADS;
use crate::wrong::Wrong;

/// What each of them is called.
const NAMES: [char; 8] = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];

const LEGEND: &str = "A figure is a median, with the least and the most behind it; of a peer, how it \
stood to ours in that result (×, or ≈ where the two were equal) follows. `B by A` is the one median by \
the other. The noise, ±, is how far ours was from itself in A and in B together. ≈ stands for less than \
that, and for runs of B that lie among those of A. Without ±, ours did not run twice in one of them, \
and nothing is judged. Figures of another machine are that machine's: compare what stands to ours.";

/// Prints the tables.
///
/// # Errors
/// When there are fewer than two, too many, one that cannot be read, or nothing to compare.
pub(crate) fn show(options: &Options) -> Result<()> {
    let (files, most) = (&options.named, NAMES.len());
    if !(2..=most).contains(&files.len()) {
        let why = format!("show needs 2 to {most} results, files or folders of finished runs");
        return Err(Wrong(why).into());
    }
    let read = |file: &String| {
        let (name, file) = (file, Path::new(file));
        if file.is_file() && file.extension().is_none_or(|it| it != "json") {
            let why = format!("{name} is no result: give a run's folder, or the {RESULTS} in it");
            return Err(Wrong(why).into());
        }
        Results::read(&if file.is_dir() { file.join(RESULTS) } else { file.to_owned() })
    };
    let all = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    for ((name, file), results) in NAMES.iter().zip(files).zip(&all) {
        println!("{name}: {file}, `{}`: {}\n", results.asked(), machine(&results.card));
    }
    print!("{}", text(&all, options)?);
    Ok(())
}

/// # Errors
/// When the first has nothing that another one has too.
fn text(all: &[Results], options: &Options) -> Result<String> {
    let (mut changed, mut tables) = (table("changed", all), String::new());
    for workload in WORKLOADS.iter().filter(|workload| options.chose(workload.name)) {
        let mut table = table(workload.name, all);
        for metric in metrics(&workload.load).iter().filter(|metric| !metric.aside) {
            let of = |facts: &Facts| row(all, workload.name, &facts.name, metric);
            for (mut row, is_changed) in all[0].peers.iter().filter_map(of) {
                table.row(row.clone());
                if is_changed {
                    row[0] = format!("{}, {}", workload.name, row[0]);
                    changed.row(row);
                }
            }
        }
        if !table.is_empty() {
            tables += &format!("\n{}", table.text());
        }
    }
    if tables.is_empty() {
        let mut why = String::from("no figure may be ranked in A and in another one");
        for (name, results) in NAMES.iter().zip(all) {
            let has = WORKLOADS.iter().map(|it| it.name).filter(|it| results.rounds(it) > 0);
            why += &format!("; {name} has {}", has.collect::<Vec<_>>().join(", "));
        }
        return Err(why.into());
    }
    let changed = if changed.is_empty() { "Nothing changed.\n".into() } else { changed.text() };
    Ok(format!("{changed}\n{LEGEND}\n{tables}"))
}

fn table(head: &str, all: &[Results]) -> Table {
    let heads = NAMES.iter().zip(all).flat_map(|(name, results)| {
        let runs = match results.rounds(head) {
            0 => String::new(),
            n => format!(", {}", usual(n)),
        };
        [format!("{name}{runs}"), format!("{name} by A")]
    });
    // The first is not held against itself.
    Table::of(head, heads.enumerate().filter(|(at, _)| *at != 1).map(|(_, head)| head))
}

/// A peer's figure in all results, and whether it changed. `None` unless the first has it, and
/// another one too.
fn row(
    all: &[Results],
    workload: &str,
    peer: &str,
    metric: &Metric,
) -> Option<(Vec<String>, bool)> {
    let mut row = vec![format!("{peer}: {}", metric.told().0), all[0].cell(workload, peer, metric)];
    let (mut is_told, mut is_changed) = (false, false);
    for results in &all[1..] {
        let change = change(&all[0], results, workload, peer, metric.key);
        row.push(results.cell(workload, peer, metric));
        row.push(change.as_ref().map_or(NOTHING.into(), |it| it.0.clone()));
        is_told |= change.is_some();
        is_changed |= change.is_some_and(|it| it.1);
    }
    is_told.then_some((row, is_changed))
}

/// The one by the other, and whether that is beyond the noise of both. `None` where one of the two
/// has no runs that may be ranked.
fn change(
    before: &Results,
    now: &Results,
    workload: &str,
    peer: &str,
    key: &str,
) -> Option<(String, bool)> {
    let of = |results: &Results| results.ranked(workload, peer, key);
    let (one, other): (Spread, Spread) = (of(before)?, of(now)?);
    let by_first = (one.median > 0.0).then(|| other.median / one.median)?;
    let noise = |results: &Results| results.equals(workload, key).map(|(band, _)| 1.0 + band);
    // Without both bands it is not known how far equals are apart.
    let Some((one_noise, other_noise)) = noise(before).zip(noise(now)) else {
        return Some((ratio(by_first, Standing::Above), false));
    };
    let band = one_noise * other_noise - 1.0;
    let is_among = one.min <= other.max && other.min <= one.max;
    let standing = if is_among { Standing::Equal } else { standing(by_first, band) };
    let told = format!("{} ±{:.0} %", ratio(by_first, standing), band * 100.0);
    Some((told, standing != Standing::Equal))
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
        text(&[before, now], &Options::default()).expect("figures")
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
    }

    #[test]
    fn what_is_within_the_band_or_among_the_other_runs_is_no_change() {
        assert!(beside(|_, _| 1.05).starts_with("Nothing changed."));
        // Beyond the band, but its least runs are among ours.
        let mut wide = made_up::results();
        for run in wide.samples.iter_mut().filter(|run| run.round > 2) {
            run.outcome.set("cpu_us", run.outcome.metrics["cpu_us"] * 3.0);
        }
        let text = text(&[made_up::results(), wide], &Options::default()).expect("figures");
        assert!(text.starts_with("Nothing changed.") && text.contains("≈ ±6 %"), "{text}");
    }

    #[test]
    fn nothing_is_judged_without_a_band() {
        let mut alone = made_up::results();
        alone.samples.retain(|run| run.peer != crate::results::OURS_AGAIN);
        alone.samples.iter_mut().for_each(|run| run.outcome.set("cpu_us", 40.0));
        let text = text(&[made_up::results(), alone], &Options::default()).expect("figures");
        assert!(text.starts_with("Nothing changed."), "{text}");
        assert!(text.contains("| ours: CPU µs | 4.12 (4.04–4.20) | 40 | 9.71× |"), "{text}");
    }

    #[test]
    fn who_has_what_is_told_where_there_is_nothing_to_compare() {
        let (one, mut other) = (made_up::results(), made_up::results());
        other.samples.retain(|run| run.workload == "chat-200");
        let only = Options { only: vec!["chat-1000".into()], ..Options::default() };
        let why = text(&[one, other], &only).expect_err("B lacks it").to_string();
        assert!(why.starts_with("no figure may be ranked in A and in another one"), "{why}");
        assert!(why.ends_with("; A has chat-200, chat-1000; B has chat-200"), "{why}");
    }
}
