//! The report: tables, verdicts and pictures from the results.

mod metric;
mod plots;
mod svg;
mod tables;
mod verdict;

use std::fs;
use std::path::Path;

use crate::Result;
use crate::results::Results;

/// Writes report.md and the pictures beside results.json again.
pub(crate) fn again(directory: &Path) -> Result<()> {
    write(&Results::read(&directory.join("results.json"))?, directory)
}

pub(crate) fn write(results: &Results, directory: &Path) -> Result<()> {
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
    fs::write(directory.join("report.md"), text)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod made_up {
    //! Results that nobody measured.

    use crate::machine::Card;
    use crate::results::{Facts, OURS, OURS_AGAIN, Outcome, Results, Sample, Trace};
    use crate::workload::Extent;

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
        let facts = |name: &str| Facts { name: name.into(), ..Facts::default() };
        Results {
            card: Card::default(),
            extent: Extent::Usual,
            seed: 1,
            minutes: 1.0,
            prices: [("send".to_owned(), 1000.0), ("recv".to_owned(), 500.0)].into(),
            peers: names.map(facts).into(),
            skipped: vec![("go".into(), "go is not installed".into())],
            samples,
            traces: vec![trace(OURS, 1.0), trace("raw-epoll", 0.5), trace("threads", 1.0)],
            traced_with: Some("perf trace -s".into()),
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
