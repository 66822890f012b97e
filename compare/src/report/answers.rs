//! The first page: each question's answer in words. Whatever it says of a peer is a cell of the
//! tables, between backticks; what was not measured is not answered.

use std::collections::BTreeMap;

use super::metric::{FROZEN, Metric, metric};
use crate::peers::Lane;
use crate::results::{OURS, Results, Sample};
use crate::stats::Standing;
use crate::workload;

struct Question {
    title: &'static str,
    workload: &'static str,
    criteria: &'static [Criterion],
}

struct Criterion {
    key: &'static str,
    best: &'static str,
    /// Below ours, as ours, above ours.
    words: [&'static str; 3],
}

const CPU: Criterion = Criterion {
    key: "cpu_us",
    best: "The least CPU",
    words: ["less CPU", "as much CPU", "more CPU"],
};
const DELAY: Criterion =
    Criterion { key: "p99_us", best: "The soonest", words: ["sooner", "as soon", "later"] };
const MEMORY: Criterion = Criterion {
    key: "rss_client_bytes",
    best: "The least memory",
    words: ["less memory", "as much memory", "more memory"],
};

/// The picture of CPU against p99 answers the first, and opens the page.
#[rustfmt::skip]
const QUESTIONS: [Question; 4] = [
    Question { title: "Which runtime for a room?", workload: "chat-1000", criteria: &[CPU, DELAY] },
    Question { title: "Which one for a room in which somebody never reads?", workload: "stalled", criteria: &[DELAY] },
    Question { title: "Which runtime for an echo?", workload: "echo-50", criteria: &[CPU] },
    Question { title: "Which runtime for ten thousand idle ones?", workload: "idle-chat", criteria: &[MEMORY] },
];

/// Acknowledgements are delayed by 40 ms on Linux, and Nagle's algorithm waits for them; a server
/// that took more of its core than this was late for other reasons.
const DELAYED_ACK_US: std::ops::Range<f64> = 25e3..60e3;
const IDLE: f64 = 0.6;

const LATE: &str = "about 40 ms late, as with Nagle's algorithm (no TCP_NODELAY), which waits for \
acknowledgements that Linux delays";

/// Up to so many peers are told one by one, more by the first and the last.
const FEW: usize = 3;

pub(crate) fn page(results: &Results) -> String {
    QUESTIONS.iter().map(|question| question.answer(results)).collect()
}

/// Who stands to ours in the same way, by each criterion.
type Groups<'a> = BTreeMap<Vec<Standing>, Vec<&'a str>>;

impl Question {
    fn answer(&self, results: &Results) -> String {
        let Question { title, workload, criteria } = self;
        let groups = self.groups(results);
        if groups.is_empty() {
            let why = match results.runs(workload, OURS).next() {
                Some(_) => {
                    format!("[{workload}](#{workload}) has too few runs that may be ranked.")
                }
                None => format!("It was not measured: `compare run --only {workload}`."),
            };
            return format!("\n## {title}\n\n{why}\n");
        }
        let metrics: Vec<_> = criteria.iter().filter_map(|it| metric(workload, it.key)).collect();
        let heads: Vec<String> = metrics.iter().map(|it| results.head(workload, it)).collect();
        let about = workload::find(workload).map_or("", |workload| workload.about);
        let claims = |peers: &[&str]| claims(results, workload, &metrics, peers);
        let (best, heads, ours) = (self.best(&groups), heads.join("; "), claims(&[OURS]));
        let source = format!("{about}: [{workload}](#{workload}), {heads}");
        let mut text = format!("\n## {title}\n\n**{best}** ({source})\n\n- {ours}");
        for (standings, peers) in groups {
            let words = criteria.iter().zip(&standings).map(|(it, at)| it.words[*at as usize]);
            let words: Vec<&str> = words.collect();
            text += &match standings.iter().all(|it| *it == Standing::Equal) {
                true => format!("\n- as ours: {}", claims(&peers)),
                false => format!("\n- {}: {}", words.join(", "), claims(&peers)),
            };
        }
        for (what, peers) in
            self.others(results, &metrics).into_iter().filter(|it| !it.1.is_empty())
        {
            text += &format!("\n- {what}: {peers}");
        }
        text + "\n"
    }

    /// Each with the least by the first criterion before the others; the floor is nobody's rival.
    fn groups<'a>(&self, results: &'a Results) -> Groups<'a> {
        let mut groups: BTreeMap<_, Vec<(f64, &str)>> = BTreeMap::new();
        for peer in rivals(results) {
            let found = self.criteria.iter().map(|it| results.compare(self.workload, peer, it.key));
            let Some(found) = found.collect::<Option<Vec<_>>>() else { continue };
            let standings = found.iter().map(|it| it.standing).collect();
            groups.entry(standings).or_default().push((found[0].ratio, peer));
        }
        let sorted = groups.into_iter().map(|(standings, mut peers)| {
            peers.sort_by(|one, other| one.0.total_cmp(&other.0));
            (standings, peers.into_iter().map(|it| it.1).collect())
        });
        sorted.collect()
    }

    /// Those below ours by each criterion, or ours and those that are its equals.
    fn best(&self, groups: &Groups) -> String {
        let named = self.criteria.iter().enumerate().map(|(at, criterion)| {
            let of = |standing| groups.iter().filter(move |it| it.0[at] == standing);
            let mut names: Vec<&str> = of(Standing::Below).flat_map(|it| it.1.clone()).collect();
            if names.is_empty() {
                names = of(Standing::Equal).flat_map(|it| it.1.clone()).collect();
                names.insert(0, OURS);
            }
            format!("{}: {}.", criterion.best, names.join(", "))
        });
        named.collect::<Vec<_>>().join(" ")
    }

    /// Whom no group has, and what else is to be known.
    fn others(&self, results: &Results, metrics: &[&Metric]) -> [(&'static str, String); 4] {
        let name = self.workload;
        let of = |peer: &str, key| results.value(name, peer, key).map(|it| it.median);
        let loses = |it: &&str| of(it, "undelivered_share").is_some_and(|share| share >= FROZEN);
        let is_late = |it: &&str| {
            let waits = of(it, DELAY.key).is_some_and(|p99| DELAYED_ACK_US.contains(&p99));
            waits && of(it, "server_share").is_some_and(|share| share < IDLE)
        };
        let lacks = |it: &&str| {
            let lacks = |c: &Criterion| results.compare(name, it, c.key).is_none();
            let takes_part = |run: &Sample| run.workload == name && run.peer == *it;
            results.samples.iter().any(takes_part) && self.criteria.iter().any(lacks)
        };
        let floor = results.peers.iter().filter(|it| it.lane == Lane::Floor.name());
        let floor: Vec<&str> = floor.map(|it| it.name.as_str()).collect();
        let (lossy, others): (Vec<&str>, Vec<&str>) = rivals(results).partition(loses);
        let named = |holds: &dyn Fn(&&str) -> bool| {
            let names = others.iter().copied().filter(holds);
            names.collect::<Vec<_>>().join(", ")
        };
        let share: Vec<_> = metric(name, "undelivered_share").into_iter().collect();
        [
            ("the floor, epoll by hand", claims(results, name, metrics, &floor)),
            ("the others miss lines (their share)", claims(results, name, &share, &lossy)),
            (LATE, named(&is_late)),
            ("not ranked, or not valid, as the table says", named(&lacks)),
        ]
    }
}

fn rivals(results: &Results) -> impl Iterator<Item = &str> {
    let names = results.peers.iter().filter(|it| it.lane != Lane::Floor.name());
    names.map(|it| it.name.as_str()).filter(|name| *name != OURS)
}

/// The first and the last with their cells, the others by name.
fn claims(results: &Results, workload: &str, metrics: &[&Metric], peers: &[&str]) -> String {
    let claim = |peer: &str| {
        let cells = metrics.iter().map(|it| results.cell(workload, peer, it));
        format!("`{peer}: {}`", cells.collect::<Vec<_>>().join("; "))
    };
    match peers {
        [first, between @ .., last] if peers.len() > FEW => {
            let between = between.join(", ");
            format!("from {} to {}; between them {between}", claim(first), claim(last))
        }
        _ => peers.iter().map(|it| claim(it)).collect::<Vec<_>>().join(", "),
    }
}
