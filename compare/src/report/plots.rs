//! The pictures: which figures go on which axes.

use super::count;
use super::metric::{is_ranked, value};
use super::svg::{Axis, Bar, Lines, Series, stacked};
use crate::histogram::Histogram;
use crate::peers::{self, Lane, PEERS};
use crate::results::{OURS, Results};
use crate::stats::{Spread, spread};

pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// `None` when nothing of it was measured, or one point only.
    pub(crate) draw: fn(&Results) -> Option<String>,
}

#[rustfmt::skip]
pub(crate) const PLOTS: [Plot; 7] = [
    Plot { name: "cpu-latency", about: "CPU of one delivery against the time within which 99 % of them come, at 200, 1,000 and 5,000 lines a second among 100 clients: towards the left it costs less, towards the bottom it comes sooner", draw: cpu_and_latency },
    Plot { name: "cpu-by-rate", about: "CPU of one delivery, by the lines a second that 100 clients say", draw: cpu_by_rate },
    Plot { name: "latency", about: "From when a line was due to when it was read, at 1,000 lines a second among 100 clients", draw: latency },
    Plot { name: "memory", about: "Memory of the chat server by idle clients", draw: memory },
    Plot { name: "system-calls", about: "System calls of one delivery, at 1,000 lines a second among 100 clients", draw: system_calls },
    Plot { name: "one-to-many", about: "Until the last of the clients has a line", draw: one_to_many },
    Plot { name: "stalled", about: "One client of 101 never reads: what the others notice, and what it costs", draw: stalled_reader },
];

/// Lines a second that 100 clients say.
const RATES: [(&str, f64); 3] = [("chat-200", 200.0), ("chat-1000", 1000.0), ("chat-5000", 5000.0)];

/// Calls a delivery below which a name has no colour of its own.
const RARE: f64 = 0.02;

/// A place on each axis, and of how many runs it is.
type Point = (f64, f64, usize);

/// A curve for each peer that has one.
fn chart(
    results: &Results,
    title: &str,
    x: Axis,
    y: Axis,
    points: impl Fn(&str) -> Option<Vec<Point>>,
) -> Lines {
    let names = results.peers.iter().map(|facts| facts.name.as_str());
    let curves: Vec<(&str, Vec<Point>)> =
        names.filter_map(|name| Some((name, points(name)?))).collect();
    let counts = curves.iter().flat_map(|(_, points)| points).map(|point| point.2);
    let most = counts.max().unwrap_or(0);
    let series = curves.into_iter().filter_map(|(name, points)| curve(name, &points, most));
    let title = format!("{title}, {}", count::usual(most));
    Lines { title, x, y, series: series.collect() }
}

fn curve(name: &str, points: &[Point], usual: usize) -> Option<Series> {
    let counts = || points.iter().map(|point| point.2);
    let count = count::range(counts().min()?, counts().max()?, usual);
    Some(Series {
        name: format!("{name}{count}"),
        color: PEERS.iter().position(|peer| peer.name == name).unwrap_or(PEERS.len()),
        bold: name == OURS,
        dashed: peers::find(name).is_some_and(|peer| peer.lane == Lane::Floor),
        points: points.iter().map(|(x, y, _)| (*x, *y)).collect(),
    })
}

/// A metric's medians over workloads that stand for a place on the axis.
fn medians(results: &Results, at: &[(&str, f64)], key: &str, peer: &str) -> Option<Vec<Point>> {
    let points = at.iter().filter_map(|(workload, x)| {
        let Spread { median, n, .. } = value(results, workload, peer, key)?;
        Some((*x, median, n))
    });
    Some(points.collect())
}

/// A curve that the first valid run of a peer drew.
fn drawn(results: &Results, workload: &str, peer: &str, key: &str) -> Option<Vec<Point>> {
    let points = results.runs(workload, peer).next()?.outcome.series.get(key)?;
    Some(points.iter().map(|(x, y)| (*x, *y, 1)).collect())
}

fn axis(label: &str, log: bool, ticks: &[(f64, &str)]) -> Axis {
    let ticks = ticks.iter().map(|(value, label)| (*value, (*label).to_owned())).collect();
    Axis { label: label.into(), log, ticks }
}

/// A point for each rate.
fn cpu_and_latency(results: &Results) -> Option<String> {
    let points = |peer: &str| {
        let of = |key| medians(results, &RATES, key, peer);
        let points = of("cpu_us")?.into_iter().zip(of("p99_us")?);
        Some(points.map(|((_, cpu, n), (_, p99, m))| (cpu, p99 / 1e3, n.min(m))).collect())
    };
    let x = axis("CPU of one delivery, µs", true, &[]);
    let y = axis("ms from when a line was due, 99 % of the deliveries", true, &[]);
    let title = "CPU and latency at 200, 1,000 and 5,000 lines a second (where the name is)";
    chart(results, title, x, y, points).draw()
}

fn cpu_by_rate(results: &Results) -> Option<String> {
    let rates = [(200.0, "200"), (1000.0, "1,000"), (5000.0, "5,000")];
    let x = axis("lines a second, 100 clients", true, &rates);
    let y = axis("µs", true, &[]);
    let points = |peer: &str| medians(results, &RATES, "cpu_us", peer);
    chart(results, "CPU of one delivery", x, y, points).draw()
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
        steps.map(|nines| Some((nines, median(nines)?, runs.len()))).collect()
    };
    let x = axis("share of the deliveries", false, &ticks);
    let y = axis("µs from when the line was due", true, &[]);
    let title = "Latency, 1,000 lines a second among 100 clients";
    chart(results, title, x, y, spectrum).draw()
}

fn memory(results: &Results) -> Option<String> {
    let (x, y) = (axis("clients", false, &[]), axis("MiB resident", false, &[]));
    let points = |peer: &str| drawn(results, "idle-chat", peer, "rss_mib");
    chart(results, "Memory by idle clients of the chat, the first run", x, y, points).draw()
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
    let title = format!("System calls of one delivery, 1,000 lines a second, {}", count::usual(1));
    stacked(&title, "calls a delivery", &bars)
}

fn one_to_many(results: &Results) -> Option<String> {
    let at = [("fan-100", 100.0), ("fan-1000", 1000.0), ("fan-10000", 10_000.0)];
    let clients = [(100.0, "100"), (1000.0, "1,000"), (10_000.0, "10,000")];
    let (x, y) = (axis("clients", true, &clients), axis("ms, the median line", true, &[]));
    let points = |peer: &str| medians(results, &at, "last_p50_ms", peer);
    chart(results, "One to many: until the last has the line", x, y, points).draw()
}

fn stalled_reader(results: &Results) -> Option<String> {
    let series = |key: &'static str| move |peer: &str| drawn(results, "stalled", peer, key);
    let x = axis("seconds; a line that ends has ended for all", false, &[]);
    let y = axis("ms, the slowest delivery of each 0.1 s", true, &[]);
    let title = "One client never reads: what the others notice, in the first run";
    let delays = chart(results, title, x, y, series("worst_ms"));
    let x = axis("seconds", false, &[]);
    let y = axis("MiB resident more than at the start", false, &[]);
    let memory = chart(results, "What it costs meanwhile", x, y, |peer| {
        let memory = series("rss_mib")(peer)?;
        let first = memory.first()?.1;
        Some(memory.into_iter().map(|(time, mib, n)| (time, (mib - first).max(0.0), n)).collect())
    });
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
        for name in ["cpu-latency", "cpu-by-rate"] {
            let svg = drawn(name).expect("two rates");
            assert!(svg.contains(">threads</text>") && !svg.contains(">asyncio</text>"));
        }
        assert!(drawn("latency").is_some() && drawn("system-calls").is_some());
        assert_eq!(drawn("memory"), None);
        assert_eq!(drawn("stalled"), None);
    }

    #[test]
    fn a_single_point_is_not_drawn() {
        let mut results = made_up::results();
        results.samples.retain(|run| run.workload == "chat-1000");
        results.traces.retain(|trace| trace.peer == OURS);
        assert_eq!(cpu_by_rate(&results), None);
        assert_eq!(system_calls(&results), None);
    }

    #[test]
    fn a_picture_says_of_how_many_runs_it_is() {
        let mut results = made_up::results();
        let title = |results: &Results| cpu_by_rate(results).expect("two rates");
        results.samples.retain(|run| run.peer != "node" || run.round < 4);
        results.samples.retain(|run| run.peer != "threads" || run.round == 2);
        let svg = title(&results);
        for said in ["CPU of one delivery, n=5<", ">ours<", ">node (n=3)<", ">threads†<"] {
            assert!(svg.contains(said), "{said} in {svg}");
        }
        assert!(system_calls(&results).expect("three bars").contains("a second, n=1†<"));
    }
}
