//! The report: tables, verdicts and pictures from the results.

pub(crate) mod count;
pub(crate) mod metric;
mod plots;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod tables;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::journal::Journal;
use crate::place::{self, JOURNAL, REPORT, RESULTS};
use crate::results::Results;
use crate::wrong::Wrong;

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
    let mut pictures = Vec::new();
    for plot in plots::PLOTS {
        let file = directory.join(format!("{}.svg", plot.name));
        match (plot.draw)(results) {
            Some(svg) => {
                fs::write(file, svg)?;
                pictures.push((plot.name, plot.about));
            }
            // One of an earlier run would be taken for this one's.
            None => _ = fs::remove_file(file),
        }
    }
    let mut text = tables::head(results);
    text += &tables::summary(results);
    text += &verdict::verdict(results);
    for (name, about) in pictures {
        text += &format!("\n![{about}]({name}.svg)\n\n*{about}*\n");
    }
    text += &tables::workloads(results);
    text += &tables::foot(results);
    let report = directory.join(REPORT);
    fs::write(&report, text)?;
    Ok(report.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::scratch;

    #[test]
    fn the_whole_path_of_the_report_is_told_and_all_pictures_in_it_are_there() {
        let folder = scratch("report");
        let up = folder.join("..").join(folder.file_name().expect("its name"));
        let report = write(&made_up::results(), &up).expect("written");
        assert!(report.is_absolute());
        assert_eq!(report, folder.canonicalize().expect("it is there").join(REPORT));
        let text = fs::read_to_string(&report).expect("it is there");
        let linked: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_suffix(".svg)")?.split("](").nth(1))
            .collect();
        assert_eq!(linked, ["cpu-latency", "cpu-by-rate", "latency", "system-calls"]);
        assert!(linked.iter().all(|name| folder.join(format!("{name}.svg")).exists()));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}

#[cfg(test)]
pub(crate) mod made_up {
    //! Results that nobody measured.

    use crate::results::{Facts, OURS, OURS_AGAIN, Outcome, Results, Sample, Trace};

    /// Ours takes 4 µs, the same once more; "raw-epoll" 2 µs, "threads" 8 µs and "node" 4.04 µs.
    pub(crate) fn results() -> Results {
        let mut samples = Vec::new();
        for round in 1..=5 {
            let wobble = 1.0 + 0.01 * round as f64;
            let peers = [
                (OURS, 4.0),
                (OURS_AGAIN, 4.0),
                ("raw-epoll", 2.0),
                ("threads", 8.0),
                ("node", 4.04),
            ];
            for (peer, micros) in peers {
                for workload in ["chat-200", "chat-1000"] {
                    samples.push(sample(workload, peer, round, micros * wobble));
                }
            }
        }
        let mut lost = sample("chat-1000", "asyncio", 1, 1.0);
        lost.outcome.fault = Some("lines: 1 dropped".into());
        samples.push(lost);
        let trace = |peer: &str, calls: f64| Trace {
            workload: "chat-1000".into(),
            peer: peer.into(),
            calls: [("sendto".to_owned(), calls), ("epoll_wait".to_owned(), 0.1)].into(),
        };
        let names = [OURS, "raw-epoll", "threads", "node", "asyncio"];
        let facts =
            |name: &str| Facts { name: name.into(), lane: "made up".into(), ..Facts::default() };
        Results {
            seed: 1,
            minutes: 1.0,
            prices: [("send".to_owned(), 1000.0), ("recv".to_owned(), 500.0)].into(),
            peers: names.map(facts).into(),
            skipped: vec![("go".into(), "go is not installed".into())],
            samples,
            traces: vec![trace(OURS, 1.0), trace("raw-epoll", 0.5), trace("threads", 1.0)],
            traced_with: Some("perf trace -s".into()),
            ..Results::default()
        }
    }

    fn sample(workload: &str, peer: &str, round: usize, micros: f64) -> Sample {
        let mut outcome = Outcome::default();
        for (metric, value) in [("cpu_us", micros), ("p50_us", 100.0), ("p99_us", 300.0)] {
            outcome.set(metric, value);
        }
        outcome.spectrum = vec![(100_000, 98), (300_000, 2)];
        let (workload, peer) = (workload.into(), peer.into());
        Sample { workload, peer, round, outcome }
    }
}
