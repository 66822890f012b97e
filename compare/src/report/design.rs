//! What the design gives and what the runtime gives: each runtime as documented beside the same
//! design on it.

use super::cell::{mark, ratio};
use super::metric::metric;
use super::table::{NOTHING, Table};
use crate::peers::Lane;
use crate::results::{Facts, Results};

/// Workload and metric in which they are held against each other.
pub(super) const HELD: [(&str, &str); 2] = [("chat-1000", "cpu_us"), ("echo-50", "cpu_us")];

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
    let held = HELD.into_iter().filter_map(|(name, key)| Some((name, metric(name, key)?)));
    let heads = held.clone().flat_map(|(name, metric)| {
        let documented = format!("{name}, {}: as documented", results.head(name, metric));
        [documented, "the same design".into(), "by that".into()]
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
    if table.is_empty() {
        return String::new();
    }
    format!(
        "\n## The design, or the runtime?\n\nBeside each figure stands how it stands to ours. *By \
         that* is as documented by the same design: what the design gives on that runtime. What \
         still differs in one design is the runtime.\n\n{}",
        table.text()
    )
}
