//! Where ours leads, where others lead, where they are equal, and why: all from the figures.

use std::collections::{BTreeMap, BTreeSet};

use super::count::{SINGLE, mark, usual};
use super::metric::{Comparison, FROZEN, Metric, compare, metrics, value};
use super::svg::short;
use crate::peers::{self, Lane};
use crate::results::{OURS, Results};
use crate::stats::{Spread, Standing};
use crate::workload::{Load, WORKLOADS, Workload};

/// Acknowledgements are delayed by 40 ms on Linux: a server that leaves Nagle's algorithm on
/// waits for them.
const DELAYED_ACK_MS: std::ops::Range<f64> = 25.0..60.0;

/// Differences below these are no reason.
const CALLS: f64 = 0.05;
const SWITCHES: f64 = 10.0;
const THREADS: f64 = 4.0;

pub(crate) fn verdict(results: &Results) -> String {
    let (mut leads, mut trails, mut equal) = (frozen(results), String::new(), String::new());
    let mut explained = BTreeSet::new();
    for workload in WORKLOADS {
        for metric in metrics(&workload.load).iter().filter(|metric| !metric.aside) {
            let [ahead, behind, level] = sorted(results, &workload, metric);
            let rounds = results.rounds(workload.name);
            let what = format!("\n- **{}, {}**, {}:", workload.name, metric.title, usual(rounds));
            let times = |c: &Comparison| format!("{}×{}", short(c.ratio), mark(c.n, rounds));
            let mut told = |(peer, c): &(&str, Comparison)| {
                // Once a workload is enough: the counts are the same for all its metrics.
                let new = explained.insert((workload.name, peer.to_string()));
                let why = if new { why(results, &workload, peer) } else { String::new() };
                format!("\n  - {} {}{why}", named(peer), times(c))
            };
            if let Some((furthest, others)) = behind.split_first() {
                leads += &what;
                let others = others.iter().map(|(peer, c)| format!(" {peer} {}", times(c)));
                leads += &others.collect::<Vec<_>>().join(",");
                leads += &told(furthest);
            }
            if !level.is_empty() {
                let others = level.iter();
                let others =
                    others.map(|(peer, c)| format!(" {}{}", named(peer), mark(c.n, rounds)));
                equal += &(what.clone() + &others.collect::<Vec<_>>().join(","));
            }
            if !ahead.is_empty() {
                trails += &what;
                trails += &ahead.iter().map(told).collect::<String>();
            }
        }
    }
    let or_nothing = |text: String| if text.is_empty() { "\n- nowhere".into() } else { text };
    format!(
        "\n## Where it leads\n\nTheirs by ours; for the furthest, what was counted in the same \
         workload, theirs first:\n{}\n\n## Where others lead, and why\n\nTheirs by ours, and what \
         was counted, theirs first:\n{}\n\n## Where they are equal\n{}\n{}",
        or_nothing(leads),
        or_nothing(trails),
        or_nothing(equal),
        failures(results),
    )
}

/// The floor is nobody's rival.
fn named(peer: &str) -> String {
    let floor = peers::find(peer).is_some_and(|peer| peer.lane == Lane::Floor);
    if floor { format!("{peer} (the floor)") } else { peer.into() }
}

/// Who let one stalled reader keep the others from reading.
fn frozen(results: &Results) -> String {
    let rounds = results.rounds("stalled");
    let share = |peer: &str| value(results, "stalled", peer, "undelivered_share");
    let percent =
        |share: &Spread| format!("{:.0} %{}", share.median * 100.0, mark(share.n, rounds));
    let names = results.peers.iter().map(|facts| facts.name.as_str());
    let frozen: Vec<String> = names
        .filter_map(|peer| Some((peer, share(peer).filter(|share| share.median >= FROZEN)?)))
        .map(|(peer, share)| format!("{peer} {}", percent(&share)))
        .collect();
    if frozen.is_empty() {
        return String::new();
    }
    let ours = share(OURS).map_or("not measured".into(), |share| percent(&share));
    format!(
        "\n- **stalled, deliveries that did not come to those who read**, because one did not, {}, \
         ours {ours}: {}",
        usual(rounds),
        frozen.join(", ")
    )
}

/// Peers that are better than ours, worse, and equal, each with the strongest first.
fn sorted<'a>(
    results: &'a Results,
    workload: &Workload,
    metric: &Metric,
) -> [Vec<(&'a str, Comparison)>; 3] {
    let mut sorted = [const { Vec::new() }; 3];
    for facts in results.peers.iter().filter(|facts| facts.name != OURS) {
        let Some(comparison) = compare(results, workload, &facts.name, metric) else { continue };
        let place = match (comparison.standing, metric.more_is_better) {
            (Standing::Equal, _) => 2,
            (Standing::Below, false) | (Standing::Above, true) => 0,
            _ => 1,
        };
        sorted[place].push((facts.name.as_str(), comparison));
    }
    let far = |ratio: f64| -ratio.max(1.0 / ratio);
    for place in &mut sorted {
        place.sort_by(|one, other| far(one.1.ratio).total_cmp(&far(other.1.ratio)));
    }
    sorted
}

/// What differs most in what was counted, in words that begin with a colon.
fn why(results: &Results, workload: &Workload, peer: &str) -> String {
    let mut reasons: Vec<String> = Vec::new();
    reasons.extend(calls(results, workload.name, peer));
    let rounds = results.rounds(workload.name);
    let told = |figure: &Spread| short(figure.median) + &mark(figure.n, rounds);
    // Theirs and ours, where they are far from each other.
    let apart = |key: &str, least: f64| {
        let get = |peer| value(results, workload.name, peer, key);
        let (theirs, ours) = (get(peer)?, get(OURS)?);
        let far = (theirs.median - ours.median).abs() > least;
        far.then(|| (told(&theirs), told(&ours)))
    };
    if let Some((theirs, ours)) = apart("voluntary", SWITCHES) {
        reasons.push(format!("{theirs} voluntary switches per 1,000 to {ours}"));
    }
    if let Some((theirs, ours)) = apart("threads", THREADS) {
        reasons.push(format!("{theirs} threads to {ours}"));
    }
    let waited = value(results, workload.name, peer, "waited_1s");
    if let Some(waited) = waited.filter(|waited| waited.median > 0.0) {
        let waited = told(&waited);
        reasons.push(format!("{waited} clients waited a second, for a full accept queue"));
    }
    if waits_for_acknowledgements(results, workload, peer) {
        let what = "its slowest lines take 40 ms, the delayed acknowledgement that Nagle's \
                    algorithm waits for (no TCP_NODELAY), and coalesce meanwhile";
        reasons.push(what.into());
    }
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}

/// System calls per message, and the names that differ most.
fn calls(results: &Results, workload: &str, peer: &str) -> Option<String> {
    let (theirs, ours) =
        (&results.trace(workload, peer)?.calls, &results.trace(workload, OURS)?.calls);
    let total = |calls: &BTreeMap<String, f64>| calls.values().sum::<f64>();
    let get = |calls: &BTreeMap<String, f64>, name: &str| calls.get(name).copied().unwrap_or(0.0);
    let mut names: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    names.sort();
    names.dedup();
    let difference = |name: &str| (get(theirs, name) - get(ours, name)).abs();
    names.sort_by(|one, other| difference(other).total_cmp(&difference(one)));
    let named =
        names.into_iter().filter(|name| difference(name) > CALLS).take(3).map(|name| {
            format!("{name} {} to {}", short(get(theirs, name)), short(get(ours, name)))
        });
    let named: Vec<String> = named.collect();
    let (theirs, ours) = (short(total(theirs)), short(total(ours)));
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    Some(format!("{theirs}{SINGLE} system calls per message to {ours}{SINGLE}{named}"))
}

fn waits_for_acknowledgements(results: &Results, workload: &Workload, peer: &str) -> bool {
    let get = |key| value(results, workload.name, peer, key).map(|spread| spread.median);
    // One to many takes as long by itself.
    let quick = match workload.load {
        Load::Chat { speakers, .. } => speakers > 1,
        Load::Echo { .. } | Load::Stalled { .. } => true,
        _ => false,
    };
    let slow = get("p99_us").is_some_and(|p99| DELAYED_ACK_MS.contains(&(p99 / 1e3)));
    quick && slow && get("server_share").is_some_and(|share| share < 0.6)
}

/// Who was not valid in what, and why.
fn failures(results: &Results) -> String {
    let mut text = String::new();
    for workload in WORKLOADS {
        for facts in &results.peers {
            if let Some(fault) = results.fault(workload.name, &facts.name) {
                let valid = results.runs(workload.name, &facts.name).count();
                let (peer, name) = (&facts.name, workload.name);
                text += &format!("\n- {peer}, {name}: {fault} ({valid} runs were valid)");
            }
        }
    }
    if text.is_empty() { text } else { format!("\n## Runs that were not valid\n{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn losses_stand_there_with_their_reason() {
        let text = verdict(&made_up::results());
        let (leads, rest) = text.split_once("## Where others lead").expect("two parts");
        assert!(leads.contains("**chat-1000, CPU µs**, n=5:\n  - threads 2×"), "{leads}");
        let (trails, equal) = rest.split_once("## Where they are equal").expect("three parts");
        assert!(
            trails.contains("raw-epoll (the floor) 0.50×: 0.60† system calls per message to 1.10†"),
            "{trails}"
        );
        assert!(equal.contains("node"), "{equal}");
        assert!(equal.contains("asyncio, chat-1000: lines: 1 dropped"), "{equal}");
    }
}
