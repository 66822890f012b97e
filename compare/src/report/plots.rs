//! The pictures: which figures go on which axes.

use std::collections::HashSet;

use super::cell::{mark, usual};
use super::design::{HELD, pairs, runtime};
use super::svg::{Axis, DASHED, DOTTED, Lines, Series, Stroke, THICK, THIN, draw};
use crate::peers::Lane;
use crate::results::{Facts, OURS, Results};

pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// `None` when nothing of it was measured, or one point only.
    pub(crate) draw: fn(&Results) -> Option<String>,
}

#[rustfmt::skip]
pub(crate) const PLOTS: [Plot; 4] = [
    Plot { name: "cpu-latency", about: "CPU of one delivery against the time within which 99 % of them come, a point for each number of lines a second: towards the left it costs less, towards the bottom it comes sooner", draw: cpu_and_latency },
    Plot { name: "design", about: "CPU by design: from each runtime as documented to the same design on it, which is what the design gives; what still differs at the right is the runtime", draw: designs },
    Plot { name: "memory", about: "Memory of the chat server by idle clients", draw: memory },
    Plot { name: "stalled", about: "One client never reads: what the others notice", draw: stalled_reader },
];

const NOTE: &str = "thick: ours; thin: the same design; dashed: as documented; dotted: the floor";

/// Lines a second that 100 clients say.
const RATES: [(&str, &str); 3] =
    [("chat-200", "200"), ("chat-1000", "1,000"), ("chat-5000", "5,000")];

/// A place on each axis, and of how many runs it is.
type Point = (f64, f64, usize);

/// A curve for each peer that has one.
fn chart(
    results: &Results,
    workload: &str,
    title: &str,
    axes: [Axis; 2],
    points: impl Fn(&str) -> Option<Vec<Point>>,
) -> Option<String> {
    let curves = results.peers.iter().filter_map(|it| Some((it, &*it.name, points(&it.name)?)));
    let lines = lines(results, workload, title, axes, curves.collect());
    Lines { note: NOTE, ..lines }.draw()
}

/// Curves of peers, each under a name. The title says if the workload was held to fewer clients, and
/// of how many runs they are; so does the name of one that is of fewer.
fn lines(
    results: &Results,
    workload: &str,
    title: &str,
    [x, y]: [Axis; 2],
    curves: Vec<(&Facts, &str, Vec<Point>)>,
) -> Lines {
    let least = |points: &[Point]| points.iter().map(|point| point.2).min();
    let most = curves.iter().filter_map(|it| least(&it.2)).max().unwrap_or(0);
    let series = curves.iter().filter_map(|(facts, name, points)| {
        let least = least(points)?;
        let mark = if least == most { String::new() } else { mark(least, most) };
        let points = points.iter().map(|(x, y, _)| (*x, *y)).collect();
        let (name, color) = (format!("{name}{mark}"), color(results, &facts.name));
        Some(Series { name, color, stroke: stroke(facts), points })
    });
    let title = format!("{title}{}, {}", results.held(workload), usual(most));
    Lines { title, note: "", x, y, series: series.collect() }
}

/// One for each runtime, in all pictures.
fn color(results: &Results, peer: &str) -> usize {
    let (mut seen, runtimes) = (HashSet::new(), results.peers.iter().map(|it| runtime(&it.name)));
    runtimes.filter(|it| seen.insert(*it)).position(|it| it == runtime(peer)).unwrap_or(0)
}

fn stroke(Facts { name, lane, .. }: &Facts) -> Stroke {
    match lane {
        _ if name == OURS => THICK,
        lane if lane == Lane::AsDocumented.name() => DASHED,
        lane if lane == Lane::Floor.name() => DOTTED,
        _ => THIN,
    }
}

fn axis(label: &str, log: bool) -> Axis {
    Axis { label: label.into(), log, ticks: &[] }
}

/// A curve that the first valid run of a peer drew.
fn drawn(results: &Results, workload: &str, peer: &str, key: &str) -> Option<Vec<Point>> {
    let points = results.runs(workload, peer).next()?.outcome.series.get(key)?;
    Some(points.iter().map(|(x, y)| (*x, *y, 1)).collect())
}

/// A point for each rate; the title names those that any peer was measured at.
fn cpu_and_latency(results: &Results) -> Option<String> {
    let point = |workload: &str, peer: &str| {
        let get = |key| results.value(workload, peer, key);
        let (cpu, p99) = (get("cpu_us")?, get("p99_us")?);
        Some((cpu.median, p99.median / 1e3, cpu.n.min(p99.n)))
    };
    let points = |peer: &str| Some(RATES.iter().filter_map(|it| point(it.0, peer)).collect());
    let is_measured =
        |rate: &&(&str, &str)| results.peers.iter().any(|it| point(rate.0, &it.name).is_some());
    let rates: Vec<&str> = RATES.iter().filter(is_measured).map(|it| it.1).collect();
    let (first, others) = rates.split_first()?;
    let others = others.join(" and ");
    let title =
        format!("CPU and latency, 100 clients, from {first} lines/s (the names) to {others}");
    let late = axis("ms from when a line was due, 99 % of the deliveries", true);
    let axes = [axis("CPU of one delivery, µs", true), late];
    chart(results, RATES[0].0, &title, axes, points)
}

/// For each workload, from each runtime as documented to the same design on it, with ours at that
/// end and the floor across.
fn designs(results: &Results) -> Option<String> {
    let titles = [
        "CPU of one delivery by design, 1,000 lines a second",
        "CPU of a round trip by design, 50 clients",
    ];
    let charts =
        HELD.iter().filter(|it| it.1 == "cpu_us").zip(titles).map(|((workload, key), title)| {
            let curve = |name, from: Option<&Facts>, to| {
                let at = |x, facts: &Facts| {
                    let found = results.value(workload, &facts.name, key)?;
                    Some((x, found.median, found.n))
                };
                let points = from.map(|from| at(0.0, from)).into_iter().chain([at(1.0, to)]);
                Some((to, name, points.collect::<Option<_>>()?))
            };
            let pairs = pairs(results).map(|(from, to)| (runtime(&to.name), Some(from), to));
            let floor = |it: &&Facts| it.lane == Lane::Floor.name();
            let floors = results.peers.iter().filter(floor).map(|it| (&*it.name, Some(it), it));
            let ours = results.peers.iter().filter(|it| it.name == OURS).map(|it| (OURS, None, it));
            let curves = pairs.chain(floors).chain(ours);
            let curves = curves.filter_map(|(name, from, to)| curve(name, from, to));
            let x = Axis {
                ticks: &[(0.0, "as documented"), (1.0, "the same design")],
                ..axis("", false)
            };
            lines(results, workload, title, [x, axis("µs", true)], curves.collect())
        });
    pairs(results).next()?;
    draw(&charts.collect::<Vec<_>>())
}

fn memory(results: &Results) -> Option<String> {
    let points = |peer: &str| drawn(results, "idle-chat", peer, "rss_mib");
    let axes = [axis("clients", false), axis("MiB resident", false)];
    let title = "Memory by idle clients of the chat, the first run";
    chart(results, "idle-chat", title, axes, points)
}

fn stalled_reader(results: &Results) -> Option<String> {
    let points = |peer: &str| drawn(results, "stalled", peer, "worst_ms");
    let time = axis("seconds; a line that ends has ended for all", false);
    let axes = [time, axis("ms, the slowest delivery of each 0.1 s", true)];
    let title = "One client of 101 never reads: what the others notice, in the first run";
    chart(results, "stalled", title, axes, points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{PEERS, Peer};
    use crate::report::made_up;
    use crate::report::svg::COLORS;

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let results = made_up::results();
        let svg = cpu_and_latency(&results).expect("two rates");
        assert!(svg.contains(">threads</text>") && !svg.contains(">asyncio</text>"));
        let drawn = [designs, memory, stalled_reader].map(|draw| draw(&results));
        assert_eq!(drawn, [const { None }; 3]);
    }

    #[test]
    fn a_single_point_is_not_drawn() {
        let mut results = made_up::results();
        results.samples.retain(|run| run.workload == "chat-1000");
        assert_eq!(cpu_and_latency(&results), None);
    }

    #[test]
    fn a_picture_says_of_how_many_runs_it_is() {
        let mut results = made_up::results();
        results.samples.retain(|run| run.peer != "node" || run.round < 4);
        results.samples.retain(|run| run.peer != "threads" || run.round == 2);
        let svg = cpu_and_latency(&results).expect("two rates");
        for said in ["to 1,000, n=5<", ">ours<", ">node (n=3)<", ">threads†<"] {
            assert!(svg.contains(said), "{said} in {svg}");
        }
    }

    #[test]
    fn a_picture_says_which_rates_were_measured_and_of_how_many_clients() {
        let held_to = |clients: usize| {
            let mut results = made_up::same_design();
            results.chosen = format!("--peers go --clients {clients}");
            for run in &mut results.samples {
                let is_least = run.workload == "chat-200";
                run.workload = if is_least { "chat-1000" } else { "chat-5000" }.into();
            }
            results
        };
        let five = held_to(5);
        let svg = cpu_and_latency(&five).expect("two rates");
        let held = "(at most 5 clients), n=5<";
        let title = format!(", 100 clients, from 1,000 lines/s (the names) to 5,000 {held}");
        assert!(svg.contains(&title), "{svg}");
        let svg = designs(&five).expect("a pair");
        assert!(svg.contains(&format!("1,000 lines a second {held}")), "{svg}");
        assert!(!designs(&held_to(100)).expect("a pair").contains("at most"));
    }

    #[test]
    fn a_runtime_goes_from_its_documentation_to_the_same_design_in_one_color() {
        let results = made_up::same_design();
        let svg = designs(&results).expect("a pair");
        let names: Vec<&str> = svg.lines().filter(|line| line.contains("\"name ")).collect();
        let said = names.iter().map(|line| line.split(['>', '<']).nth(2).expect("a name"));
        assert_eq!(said.collect::<Vec<_>>(), ["tokio", "ours", "raw-epoll"]);
        let one = |name: &str| color(&results, name);
        assert_eq!(one("tokio-documented"), one("tokio-same-design"));
        assert_ne!(one("tokio-documented"), one("ours"));
    }

    #[test]
    fn each_lane_has_a_stroke_of_its_own() {
        let svg = cpu_and_latency(&made_up::same_design()).expect("two rates");
        let strokes = svg.lines().filter(|line| line.starts_with("<polyline")).map(|line| {
            let (_, stroke) = line.split_once("stroke-width=").expect("a width");
            stroke.split_once(" points").expect("points").0
        });
        let ours = "\"4\" stroke-dasharray=\"none\"";
        let floor = "\"2.4\" stroke-dasharray=\"0 5\"";
        let documented = "\"1.6\" stroke-dasharray=\"7 5\"";
        let same_design = "\"1.6\" stroke-dasharray=\"none\"";
        assert_eq!(strokes.collect::<Vec<_>>(), [ours, floor, documented, same_design]);
    }

    #[test]
    fn no_two_runtimes_have_one_color() {
        // As many as there would be if each had the same design beside it.
        let both = |peer: &Peer| {
            let same = format!("{}-same-design", runtime(peer.name));
            [peer.name.to_owned(), same].map(|name| Facts { name, ..Facts::default() })
        };
        let peers = PEERS.iter().flat_map(both).collect();
        let results = Results { peers, ..Results::default() };
        let of =
            |it: &Facts| (color(&results, &it.name) % COLORS.len(), runtime(&it.name).to_owned());
        let all: HashSet<_> = results.peers.iter().map(of).collect();
        let colors: HashSet<_> = all.iter().map(|it| it.0).collect();
        assert_eq!(all.len(), colors.len(), "{all:?}");
    }
}
