//! What is told of a run, and how two peers stand to each other in it.

use crate::results::{Bound, OURS, OURS_AGAIN, Results, Sample};
use crate::stats::{Spread, Standing, band, spread, standing};
use crate::workload::{Load, Workload};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metric {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) more_is_better: bool,
    /// Told, but no reason to rank.
    pub(crate) aside: bool,
}

const fn less(key: &'static str, title: &'static str) -> Metric {
    Metric { key, title, more_is_better: false, aside: false }
}

const fn more(key: &'static str, title: &'static str) -> Metric {
    Metric { key, title, more_is_better: true, aside: false }
}

const fn aside(key: &'static str, title: &'static str) -> Metric {
    Metric { key, title, more_is_better: false, aside: true }
}

const CPU: Metric = less("cpu_us", "CPU µs");
const P50: Metric = aside("p50_us", "p50 µs");
const P99: Metric = less("p99_us", "p99 µs");
const P999: Metric = aside("p999_us", "p99.9 µs");
const MAX: Metric = aside("max_us", "max µs");
const RSS: Metric = aside("rss_kib", "RSS KiB");
const LATE: Metric = aside("late_p99_us", "generator late, p99 µs");

const ECHO: [Metric; 6] = [CPU, more("rate", "round trips/s"), P50, P99, P999, MAX];
const OPEN: [Metric; 7] = [CPU, P50, P99, P999, MAX, RSS, LATE];
const CLOSED: [Metric; 6] = [CPU, more("rate", "deliveries/s"), P50, P99, P999, MAX];
const FAN: [Metric; 4] =
    [less("last_p50_ms", "last has it, ms"), CPU, aside("last_max_ms", "worst, ms"), P50];
const KEYS: [Metric; 2] = [CPU, LATE];
const STALLED: [Metric; 9] = [
    aside("undelivered_share", "share not delivered"),
    P50,
    P99,
    MAX,
    less("grown_mib", "memory grown, MiB"),
    CPU,
    RSS,
    aside("kernel_mib", "unsent in the kernel, MiB"),
    LATE,
];
const TIME: [Metric; 6] = [
    CPU,
    less("spread_ms", "last behind first, ms"),
    aside("late_ms", "first behind its second, ms"),
    aside("drift_ms", "drift, ms a tick"),
    aside("repeated", "repeated"),
    aside("skipped", "left out"),
];
const IDLE: [Metric; 4] = [
    less("rss_client_bytes", "RSS bytes a client"),
    aside("pss_client_bytes", "PSS bytes a client"),
    less("rss_empty_kib", "RSS empty, KiB"),
    aside("rss_full_kib", "RSS full, KiB"),
];
const BURST: [Metric; 5] =
    [less("all_ms", "all served, ms"), CPU, P50, P99, aside("waited_1s", "waited 1 s or longer")];
const CHURN: [Metric; 4] = [more("rate", "clients/s"), CPU, P50, P99];
const START: [Metric; 1] = [less("start_ms", "ms to the first byte")];

/// What is told of a workload; the first is its figure.
pub(crate) fn metrics(load: &Load) -> &'static [Metric] {
    match load {
        Load::Echo { rate: 0, .. } => &ECHO,
        Load::Chat { rate: 0, speakers: 1, burst: 1, .. } => &FAN,
        Load::Chat { rate: 0, .. } => &CLOSED,
        Load::Echo { .. } | Load::Chat { .. } | Load::Editing { .. } => &OPEN,
        Load::Keys { .. } => &KEYS,
        Load::Stalled { .. } => &STALLED,
        Load::Time { .. } => &TIME,
        Load::Idle { .. } => &IDLE,
        Load::Burst { .. } => &BURST,
        Load::Churn { .. } => &CHURN,
        Load::Start => &START,
    }
}

/// The least system calls one message needs, in nanoseconds.
pub(crate) fn floor(results: &Results, workload: &Workload) -> Option<f64> {
    let price = |name: &str| results.prices.get(name).copied();
    match workload.load {
        Load::Echo { .. } => Some(price("send")? + price("recv")?),
        Load::Chat { .. } | Load::Editing { .. } | Load::Time { .. } | Load::Stalled { .. } => {
            price("send")
        }
        Load::Burst { greeted: true, .. } => Some(price("accept")? + price("send")?),
        Load::Burst { .. } | Load::Churn { .. } => {
            Some(price("accept")? + price("send")? + price("recv")?)
        }
        Load::Idle { .. } | Load::Keys { .. } | Load::Start => None,
    }
}

/// Of the runs that may be ranked; of all, where none may.
pub(crate) fn value(results: &Results, workload: &str, peer: &str, key: &str) -> Option<Spread> {
    of(results, workload, peer, key, true).or_else(|| of(results, workload, peer, key, false))
}

/// Of the runs that may be ranked alone.
pub(crate) fn ranked(results: &Results, workload: &str, peer: &str, key: &str) -> Option<Spread> {
    of(results, workload, peer, key, true)
}

fn of(results: &Results, workload: &str, peer: &str, key: &str, ranked: bool) -> Option<Spread> {
    let runs = results.runs(workload, peer).filter(|run| !ranked || is_ranked(run, key));
    spread(runs.filter_map(|run| run.outcome.metrics.get(key).copied()))
}

/// How a peer stands to ours in one metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// Theirs by ours: the median over the rounds that both have.
    pub(crate) ratio: f64,
    /// How many of these there are.
    pub(crate) n: usize,
    pub(crate) standing: Standing,
}

/// `None` where most rounds have no pair of runs that may be ranked.
pub(crate) fn compare(
    results: &Results,
    workload: &Workload,
    peer: &str,
    metric: &Metric,
) -> Option<Comparison> {
    let Spread { median: ratio, n, .. } = spread(ratios(results, workload.name, peer, metric.key))?;
    if n * 2 <= results.rounds(workload.name) {
        return None;
    }
    let (band, _) = equals(results, workload.name, metric.key)?;
    Some(Comparison { ratio, n, standing: standing(ratio, band) })
}

/// The band that ours against itself gives, and of how many rounds.
pub(crate) fn equals(results: &Results, workload: &str, key: &str) -> Option<(f64, usize)> {
    let again: Vec<f64> = ratios(results, workload, OURS_AGAIN, key).collect();
    let n = again.len();
    // One or two rounds tell little of how far equals can be apart.
    let least = if n < 3 { 0.15 } else { 0.0 };
    (n > 0).then(|| (band(again).max(least), n))
}

/// Share of deliveries that did not come from which a server counts as frozen.
pub(crate) const FROZEN: f64 = 0.001;

/// What a message costs the server may be told where the generator was full as well; how fast it
/// was may not. A server that froze beside a stalled reader saved all the work it did not do.
pub(super) fn is_ranked(sample: &Sample, key: &str) -> bool {
    let undelivered = sample.outcome.metrics.get("undelivered_share").copied();
    let limited = match sample.outcome.bound {
        Bound::Client => true,
        Bound::Both => key != CPU.key,
        Bound::Server | Bound::Neither => false,
    };
    !limited && !sample.outcome.apart && undelivered.unwrap_or(0.0) < FROZEN
}

/// Pair by pair: runs of the same round that may both be ranked.
fn ratios(results: &Results, workload: &str, peer: &str, key: &str) -> impl Iterator<Item = f64> {
    let ranked = |peer| results.runs(workload, peer).filter(|run| is_ranked(run, key));
    let ours: Vec<&Sample> = ranked(OURS).collect();
    let theirs: Vec<&Sample> = ranked(peer).collect();
    let pairs: Vec<f64> = theirs
        .iter()
        .filter_map(|theirs| {
            let ours = ours.iter().find(|ours| ours.round == theirs.round)?;
            let (ours, theirs) = (ours.outcome.metrics.get(key)?, theirs.outcome.metrics.get(key)?);
            (*ours > 0.0).then(|| theirs / ours)
        })
        .collect();
    pairs.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;
    use crate::workload;

    #[test]
    fn peers_stand_to_ours_as_they_were_made_up() {
        let results = made_up::results();
        let workload = workload::find("chat-1000").expect("it is there");
        let stands = |peer| compare(&results, &workload, peer, &CPU).map(|found| found.standing);
        assert_eq!(stands("raw-epoll"), Some(Standing::Below));
        assert_eq!(stands("threads"), Some(Standing::Above));
        assert_eq!(stands("node"), Some(Standing::Equal));
        assert_eq!(stands("asyncio"), None);
    }

    #[test]
    fn a_run_bound_by_the_client_or_on_cores_apart_is_not_ranked() {
        let spoils: [fn(&mut Sample); 2] =
            [|run| run.outcome.bound = Bound::Client, |run| run.outcome.apart = true];
        for spoil in spoils {
            let mut results = made_up::results();
            results.samples.iter_mut().filter(|run| run.peer == "threads").for_each(spoil);
            let workload = workload::find("chat-1000").expect("it is there");
            assert!(compare(&results, &workload, "threads", &CPU).is_none());
        }
    }
}
