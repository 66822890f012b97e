//! What is told of a workload, and how two peers stand to each other in it.

use crate::results::{Bound, OURS, OURS_AGAIN, Results, Sample};
use crate::stats::{Spread, Standing, band, spread, standing};
use crate::workload::{self, Load};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metric {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Told, but no reason to rank. Of all others less is better.
    pub(crate) aside: bool,
}

const fn less(key: &'static str, title: &'static str) -> Metric {
    Metric { key, title, aside: false }
}

const fn aside(key: &'static str, title: &'static str) -> Metric {
    Metric { key, title, aside: true }
}

const CPU: Metric = less("cpu_us", "CPU µs");
const P50: Metric = aside("p50_us", "p50 µs");
const P99: Metric = less("p99_us", "p99 µs");
const P999: Metric = aside("p999_us", "p99.9 µs");
const MAX: Metric = aside("max_us", "max µs");
const RSS: Metric = aside("rss_kib", "RSS KiB");
const LATE: Metric = aside("late_p99_us", "generator late, p99 µs");
const TRIPS: Metric = aside("rate", "round trips/s");
const DELIVERIES: Metric = aside("rate", "deliveries/s");
const CLIENTS: Metric = aside("rate", "clients/s");
const LAST: Metric = less("last_p50_ms", "last has it, ms");
const WORST: Metric = aside("last_max_ms", "worst, ms");
const UNDELIVERED: Metric = aside("undelivered_share", "share not delivered");
const GROWN: Metric = less("grown_mib", "memory grown, MiB");
const UNSENT: Metric = aside("kernel_mib", "unsent in the kernel, MiB");
const SPREAD: Metric = less("spread_ms", "last behind first, ms");
const BEHIND: Metric = aside("late_ms", "first behind its second, ms");
const DRIFT: Metric = aside("drift_ms", "drift, ms a tick");
const REPEATED: Metric = aside("repeated", "repeated");
const SKIPPED: Metric = aside("skipped", "left out");
const OF_A_CLIENT: Metric = less("rss_client_bytes", "RSS bytes a client");
const PSS: Metric = aside("pss_client_bytes", "PSS bytes a client");
const EMPTY: Metric = less("rss_empty_kib", "RSS empty, KiB");
const FULL: Metric = aside("rss_full_kib", "RSS full, KiB");
const ALL: Metric = less("all_ms", "all served, ms");
const WAITED: Metric = aside("waited_1s", "waited 1 s or longer");
const FIRST_BYTE: Metric = less("start_ms", "ms to the first byte");

impl Metric {
    /// Its title in the report, and by what its values are divided there: delays are told in ms.
    pub(crate) fn told(&self) -> (String, f64) {
        match self.title.strip_suffix(" µs") {
            Some(what) if self.key != CPU.key => (format!("{what} ms"), 1e3),
            _ => (self.title.to_owned(), 1.0),
        }
    }
}

/// What explains the figures of every workload.
pub(super) const COUNTED: [Metric; 4] = [
    aside("server_share", "server busy, of 1"),
    aside("generator_share", "generator busy, of 1"),
    aside("voluntary", "switches per 1,000 messages"),
    aside("threads", "threads"),
];

/// What is told of a workload; the first that is ranked is its figure.
pub(crate) fn metrics(load: &Load) -> &'static [Metric] {
    match load {
        Load::Echo { rate: 0, .. } => &[CPU, TRIPS, P50, P99, P999, MAX],
        Load::Chat { rate: 0, speakers: 1, burst: 1, .. } => &[LAST, CPU, WORST, P50],
        Load::Chat { rate: 0, .. } => &[CPU, DELIVERIES, P50, P99, P999, MAX],
        Load::Echo { .. } | Load::Chat { .. } | Load::Editing { .. } => {
            &[CPU, P50, P99, P999, MAX, RSS, LATE]
        }
        Load::Keys { .. } => &[CPU, LATE],
        Load::Stalled { .. } => &[UNDELIVERED, P50, P99, MAX, GROWN, CPU, RSS, UNSENT, LATE],
        Load::Time { .. } => &[CPU, SPREAD, BEHIND, DRIFT, REPEATED, SKIPPED],
        Load::Idle { .. } => &[OF_A_CLIENT, PSS, EMPTY, FULL],
        Load::Burst { .. } => &[ALL, CPU, P50, P99, WAITED],
        Load::Churn { .. } => &[CPU, CLIENTS, P50, P99],
        Load::Start => &[FIRST_BYTE],
    }
}

/// One of a workload's.
pub(super) fn metric(workload: &str, key: &str) -> Option<&'static Metric> {
    let workload = workload::find(workload)?;
    metrics(&workload.load).iter().find(|metric| metric.key == key)
}

/// How two stand to each other in one metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// One by the other: the median over the rounds that both have.
    pub(crate) ratio: f64,
    /// How many of these there are.
    pub(crate) n: usize,
    pub(crate) standing: Standing,
}

impl Results {
    /// Of the runs that may be ranked; of all, where none may.
    pub(crate) fn value(&self, workload: &str, peer: &str, key: &str) -> Option<Spread> {
        let all = || self.runs(workload, peer).filter_map(|it| it.outcome.get(key));
        self.ranked(workload, peer, key).or_else(|| spread(all()))
    }

    /// Of the runs that may be ranked alone.
    pub(crate) fn ranked(&self, workload: &str, peer: &str, key: &str) -> Option<Spread> {
        spread(self.rounds_of(workload, peer, key).into_iter().map(|(_, value)| value))
    }

    /// How a peer stands to ours. `None` where most rounds have no pair of runs that may be ranked.
    pub(crate) fn compare(&self, workload: &str, peer: &str, key: &str) -> Option<Comparison> {
        self.against(OURS, workload, peer, key)
    }

    /// The same with another in the place of ours.
    pub(super) fn against(
        &self,
        base: &str,
        workload: &str,
        peer: &str,
        key: &str,
    ) -> Option<Comparison> {
        let Spread { median: ratio, n, .. } = spread(self.ratios(base, workload, peer, key))?;
        let standing = standing(ratio, self.equals(workload, key)?.0);
        (n * 2 > self.rounds(workload)).then_some(Comparison { ratio, n, standing })
    }

    /// The band that ours against itself gives, and of how many rounds.
    pub(crate) fn equals(&self, workload: &str, key: &str) -> Option<(f64, usize)> {
        let again = self.ratios(OURS, workload, OURS_AGAIN, key);
        let n = again.len();
        // One or two rounds tell little of how far equals can be apart.
        let least = if n < 3 { 0.15 } else { 0.0 };
        (n > 0).then(|| (band(again).max(least), n))
    }

    /// Theirs by the base's, pair by pair: runs of the same round that may both be ranked.
    fn ratios(&self, base: &str, workload: &str, peer: &str, key: &str) -> Vec<f64> {
        let bases = self.rounds_of(workload, base, key);
        let base = |round| bases.iter().find(|it| it.0 == round && it.1 > 0.0);
        let theirs = self.rounds_of(workload, peer, key).into_iter();
        theirs.filter_map(|(round, value)| Some(value / base(round)?.1)).collect()
    }

    /// Round by round, where it may be ranked.
    fn rounds_of(&self, workload: &str, peer: &str, key: &str) -> Vec<(usize, f64)> {
        let ranked = self.runs(workload, peer).filter(|run| is_ranked(run, key));
        ranked.filter_map(|run| Some((run.round, run.outcome.get(key)?))).collect()
    }
}

/// Share of deliveries that did not come from which a server counts as frozen.
pub(super) const FROZEN: f64 = 0.001;

/// What a message costs the server may be told where the generator was full as well; how fast it
/// was may not. A server that froze beside a stalled reader saved all the work it did not do.
pub(super) fn is_ranked(sample: &Sample, key: &str) -> bool {
    let undelivered = sample.outcome.get(UNDELIVERED.key);
    let limited = match sample.outcome.bound {
        Bound::Client => true,
        Bound::Both => key != CPU.key,
        Bound::Server | Bound::Neither => false,
    };
    !limited && !sample.outcome.apart && undelivered.unwrap_or(0.0) < FROZEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn peers_stand_to_ours_as_they_were_made_up() {
        let results = made_up::results();
        let stands = |peer| results.compare("chat-1000", peer, CPU.key).map(|it| it.standing);
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
            assert!(results.compare("chat-1000", "threads", CPU.key).is_none());
        }
    }
}
