//! What the design gives and what the runtime gives: each runtime as documented beside the same
//! design on it.

use super::cell::{mark, ratio};
use super::metric::metric;
use super::svg::short;
use super::table::{NOTHING, Table};
use crate::peers::Lane;
use crate::results::{Facts, OURS, Results};
use crate::stats::{Spread, spread};

/// Workload and metric in which they are held against each other.
pub(super) const HELD: [(&str, &str); 3] =
    [("chat-1000", "cpu_us"), ("chat-1000", "p99_us"), ("echo-50", "cpu_us")];

const ABOUT: &str = "The design is one log of what was said in the room, and for each client a \
cursor into it and a writer, which writes all that came since in one piece. In a busy room a write \
waits for a pause of at most 10 ms, so that it carries more lines: that saves most of the CPU, and a \
line is delayed by as much (*no-pause* is ours without it).";

/// The runtime in a peer's name.
pub(super) fn runtime(peer: &str) -> &str {
    peer.trim_end_matches("-same-design").trim_end_matches("-documented")
}

/// Of each runtime the peer as documented, and that of the same design.
pub(super) fn pairs(results: &Results) -> impl Iterator<Item = (&Facts, &Facts)> {
    let of = |lane: Lane| results.peers.iter().filter(move |it| it.lane == lane.name());
    of(Lane::SameDesign).filter_map(move |same| {
        let is_same = |it: &&Facts| runtime(&it.name) == runtime(&same.name);
        Some((of(Lane::AsDocumented).find(is_same)?, same))
    })
}

/// A row for each runtime.
pub(super) fn table(results: &Results) -> String {
    let held = HELD.into_iter().filter(|(name, _)| results.rounds(name) > 0);
    let held = held.filter_map(|(name, key)| Some((name, metric(name, key)?)));
    let heads = held.clone().flat_map(|(name, metric)| {
        let documented = format!("{name}, {}: as documented", results.head(name, metric));
        [documented, "the same design".into(), "ratio".into()]
    });
    let mut table = Table::of("runtime", heads);
    for (documented, same) in pairs(results) {
        let mut row = vec![runtime(&same.name).to_owned()];
        for (name, metric) in held.clone() {
            let told = |facts: &Facts| results.cell(name, &facts.name, metric);
            let gives = results.against(&same.name, name, &documented.name, metric.key);
            let gives =
                gives.map(|it| ratio(it.ratio, it.standing) + &mark(it.n, results.rounds(name)));
            row.extend([told(documented), told(same), gives.unwrap_or(NOTHING.into())]);
        }
        table.row(row);
    }
    if table.is_empty() || held.clone().next().is_none() {
        return String::new();
    }
    format!(
        "\n## The design, or the runtime?\n\n{ABOUT}{}\n\nEach figure is followed by its ratio to ours; \
         the third of each three columns is as documented divided by the same design, which is what \
         the design gives on that runtime. What still differs in one design is the runtime.\n\n{}",
        conclusion(results).unwrap_or_default(),
        table.text()
    )
}

/// What both give in a room, in words.
fn conclusion(results: &Results) -> Option<String> {
    let (room, cpu) = HELD[0];
    let given = |(documented, same): (&Facts, &Facts)| {
        Some(results.against(&same.name, room, &documented.name, cpu)?.ratio)
    };
    let gives = range(spread(pairs(results).filter_map(given))?);
    let is_same = |it: &&Facts| it.name == OURS || it.lane == Lane::SameDesign.name();
    let same = results.peers.iter().filter(is_same);
    let left = spread(same.filter_map(|it| Some(results.ranked(room, &it.name, cpu)?.median)))?;
    let left = short(left.max / left.min);
    Some(format!(
        "\n\n**In a room at 1,000 lines a second a runtime as documented takes {gives} times the CPU of the \
         design on the same runtime; with one design the runtimes differ by {left} times at most.**"
    ))
}

fn range(Spread { min, max, .. }: Spread) -> String {
    if min == max { short(min) } else { format!("{} to {}", short(min), short(max)) }
}
