//! The pictures: which figures go on which axes.

use super::metric::{is_ranked, value};
use super::svg::{Axis, Bar, Lines, Series, stacked};
use crate::histogram::Histogram;
use crate::peers::{self, Lane, PEERS};
use crate::results::{OURS, Results};
use crate::stats::spread;

pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// `None` when nothing of it was measured.
    pub(crate) draw: fn(&Results) -> Option<String>,
}

#[rustfmt::skip]
pub(crate) const PLOTS: [Plot; 6] = [
    Plot { name: "cpu-by-rate", about: "CPU of one delivery, by the lines a second that 100 clients say", draw: cpu_by_rate },
    Plot { name: "latency", about: "From when a line was due to when it was read, at 1,000 lines a second among 100 clients", draw: latency },
    Plot { name: "memory", about: "Memory of the chat server by idle clients", draw: memory },
    Plot { name: "system-calls", about: "System calls of one delivery, at 1,000 lines a second among 100 clients", draw: system_calls },
    Plot { name: "one-to-many", about: "Until the last of the clients has a line", draw: one_to_many },
    Plot { name: "stalled", about: "One client of 101 never reads: what the others notice, and what it costs", draw: stalled_reader },
];

/// Calls a delivery below which a name has no colour of its own.
const RARE: f64 = 0.02;

/// A curve for each peer that has one.
fn curves(results: &Results, points: impl Fn(&str) -> Option<Vec<(f64, f64)>>) -> Vec<Series> {
    let named = results.peers.iter().map(|facts| facts.name.as_str());
    named
        .filter_map(|name| {
            let points = points(name).filter(|points| !points.is_empty())?;
            let color = PEERS.iter().position(|peer| peer.name == name).unwrap_or(0);
            let floor = peers::find(name).is_some_and(|peer| peer.lane == Lane::Floor);
            let bold = name == OURS;
            Some(Series { name: name.into(), color, bold, dashed: floor, points })
        })
        .collect()
}

/// A metric's medians over workloads that stand for a place on the axis.
fn medians(
    results: &Results,
    at: &[(&str, f64)],
    key: &str,
    peer: &str,
) -> Option<Vec<(f64, f64)>> {
    let points = at
        .iter()
        .filter_map(|(workload, x)| Some((*x, value(results, workload, peer, key)?.median)));
    Some(points.collect())
}

fn axis(label: &str, log: bool, ticks: &[(f64, &str)]) -> Axis {
    let ticks = ticks.iter().map(|(value, label)| (*value, (*label).to_owned())).collect();
    Axis { label: label.into(), log, ticks }
}

fn cpu_by_rate(results: &Results) -> Option<String> {
    let at = [("chat-200", 200.0), ("chat-1000", 1000.0), ("chat-5000", 5000.0)];
    Lines {
        title: "CPU of one delivery".into(),
        x: axis(
            "lines a second, 100 clients",
            true,
            &[(200.0, "200"), (1000.0, "1,000"), (5000.0, "5,000")],
        ),
        y: axis("µs", true, &[]),
        series: curves(results, |peer| medians(results, &at, "cpu_us", peer)),
    }
    .draw()
}

fn latency(results: &Results) -> Option<String> {
    // By how many nines, so that the tail has the room.
    let shares = [0.5, 0.9, 0.99, 0.999, 0.9999];
    let place = |share: f64| -(1.0 - share).log10();
    let labels = ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"];
    let ticks: Vec<(f64, &str)> = shares.iter().map(|share| place(*share)).zip(labels).collect();
    let spectrum = |peer: &str| {
        let ranked = results.runs("chat-1000", peer).filter(|run| is_ranked(run, "p99_us"));
        let runs: Vec<Histogram> = ranked
            .map(|run| {
                let mut delays = Histogram::default();
                let counted = run.outcome.spectrum.iter();
                counted.for_each(|&(nanos, count)| delays.add_many(nanos, count));
                delays
            })
            .collect();
        let steps = (3..=40).map(|step| f64::from(step) / 10.0);
        let median = |nines: f64| {
            let share = 1.0 - 10_f64.powf(-nines);
            Some(spread(runs.iter().map(|run| run.quantile(share) as f64 / 1e3))?.median)
        };
        steps.map(|nines| Some((nines, median(nines)?))).collect()
    };
    Lines {
        title: "Latency, 1,000 lines a second among 100 clients".into(),
        x: axis("share of the deliveries", false, &ticks),
        y: axis("µs from when the line was due", true, &[]),
        series: curves(results, spectrum),
    }
    .draw()
}

fn memory(results: &Results) -> Option<String> {
    let curve =
        |peer: &str| results.runs("idle-chat", peer).next()?.outcome.series.get("rss_mib").cloned();
    Lines {
        title: "Memory by idle clients of the chat".into(),
        x: axis("clients", false, &[]),
        y: axis("MiB resident", false, &[]),
        series: curves(results, curve),
    }
    .draw()
}

fn system_calls(results: &Results) -> Option<String> {
    let bars: Vec<Bar> = results
        .traces
        .iter()
        .filter(|trace| trace.workload == "chat-1000")
        .map(|trace| {
            let mut parts: Vec<(String, f64)> =
                trace.calls.iter().map(|(name, calls)| (name.clone(), *calls)).collect();
            parts.sort_by(|one, other| other.1.total_cmp(&one.1));
            let rare = |part: &&(String, f64)| part.1 < RARE;
            let others: f64 = parts.iter().filter(rare).map(|part| part.1).sum();
            parts.retain(|part| part.1 >= RARE);
            parts.push(("others".into(), others));
            Bar { name: trace.peer.clone(), parts }
        })
        .collect();
    stacked("System calls of one delivery, 1,000 lines a second", "calls a delivery", &bars)
}

fn one_to_many(results: &Results) -> Option<String> {
    let at = [("fan-100", 100.0), ("fan-1000", 1000.0), ("fan-10000", 10_000.0)];
    Lines {
        title: "One to many: until the last has the line".into(),
        x: axis("clients", true, &[(100.0, "100"), (1000.0, "1,000"), (10_000.0, "10,000")]),
        y: axis("ms, the median line", true, &[]),
        series: curves(results, |peer| medians(results, &at, "last_p50_ms", peer)),
    }
    .draw()
}

fn stalled_reader(results: &Results) -> Option<String> {
    let series = |key: &'static str| {
        move |peer: &str| results.runs("stalled", peer).next()?.outcome.series.get(key).cloned()
    };
    let delays = Lines {
        title: "One client never reads: what the others notice".into(),
        x: axis("seconds; a line that ends has ended for all", false, &[]),
        y: axis("ms, the slowest delivery of each 0.1 s", true, &[]),
        series: curves(results, series("worst_ms")),
    };
    let memory = Lines {
        title: "What it costs meanwhile".into(),
        x: axis("seconds", false, &[]),
        y: axis("MiB resident more than at the start", false, &[]),
        series: curves(results, |peer| {
            let memory = series("rss_mib")(peer)?;
            let first = memory.first()?.1;
            Some(memory.into_iter().map(|(time, mib)| (time, (mib - first).max(0.0))).collect())
        }),
    };
    delays.draw_both(&memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let results = made_up::results();
        let drawn = |name: &str| {
            let plot = PLOTS.iter().find(|plot| plot.name == name).expect("a plot");
            (plot.draw)(&results)
        };
        let svg = drawn("cpu-by-rate").expect("three rates");
        assert!(svg.contains(">threads</text>") && !svg.contains(">asyncio</text>"));
        assert!(drawn("latency").is_some() && drawn("system-calls").is_some());
        assert_eq!(drawn("memory"), None);
        assert_eq!(drawn("stalled"), None);
    }
}
