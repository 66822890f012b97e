//! The first page: each question's answer in words. Whatever it says of a peer is a cell of the
//! tables, between backticks; what was not measured is not answered.

use std::collections::BTreeMap;

use super::metric::{FROZEN, Metric, metric};
use crate::peers::Lane;
use crate::results::{Facts, OURS, Results};
use crate::stats::{Standing, standing};
use crate::workload;

struct Question {
    title: &'static str,
    workload: &'static str,
    /// By the first everybody is judged who has an answer, by the others as far as they are ranked.
    criteria: &'static [Criterion],
}

struct Criterion {
    key: &'static str,
    /// Before those who are best by it; none where it is only told.
    best: &'static str,
    /// Below ours, as ours, above ours.
    words: [&'static str; 3],
}

const CPU: Criterion = Criterion {
    key: "cpu_us",
    best: "The least CPU",
    words: ["less CPU", "equal CPU", "more CPU"],
};
const DELAY: Criterion = Criterion {
    key: "p99_us",
    best: "The lowest latency",
    words: ["lower latency", "equal latency", "higher latency"],
};
const MEMORY: Criterion = Criterion {
    key: "rss_client_bytes",
    best: "The least memory",
    words: ["less memory", "equal memory", "more memory"],
};
/// In a room in which somebody never reads: those who make the others wait need no memory for him.
const BOUNDED: Criterion =
    Criterion { best: "The lowest latency, channels without a bound aside", ..DELAY };
const GROWN: Criterion = Criterion { key: "grown_mib", best: "", ..MEMORY };

const STALLED: &str = "stalled";
const ECHO: &str = "echo-50";

/// The picture of CPU against p99 answers the first, and opens the page.
#[rustfmt::skip]
const QUESTIONS: [Question; 4] = [
    Question { title: "Which runtime for a room?", workload: "chat-1000", criteria: &[CPU, DELAY] },
    Question { title: "Which runtime for a room in which somebody never reads?", workload: STALLED, criteria: &[BOUNDED, GROWN] },
    Question { title: "Which runtime for an echo?", workload: ECHO, criteria: &[CPU, DELAY] },
    Question { title: "Which runtime for 10,000 idle clients of a chat?", workload: "idle-chat", criteria: &[MEMORY] },
];

/// What is told of those that answer nothing.
const FLOOR: &str = "the floor, epoll by hand";
const NO_PAUSE: &str = "ours without its pause";
const UNBOUNDED: &str = "not considered, since they queue without a bound for a client that never \
reads, however little of it a run of seconds shows";

/// The chats in which a channel grows for one who does not read: no run is so long that the figures
/// would tell them from those that are bounded.
const GROWING: [&str; 2] = ["tokio-documented", "tokio-multi"];

/// Acknowledgements are delayed by 40 ms on Linux, and Nagle's algorithm waits for them; a server
/// that took more of its core than this was late for other reasons, and so is an echo, of which one
/// message is under way.
const DELAYED_ACK_US: std::ops::Range<f64> = 25e3..60e3;
const IDLE: f64 = 0.6;

const LATE: &str = "p99 of about 40 ms, as with Nagle's algorithm (no TCP_NODELAY), which waits for \
acknowledgements that Linux delays";

/// Up to so many peers are told one by one, more by the first and the last.
const FEW: usize = 3;

pub(crate) fn page(results: &Results) -> String {
    QUESTIONS.iter().map(|question| question.answer(results)).collect()
}

/// Who stands to ours in the same way, by each criterion that they are ranked by.
type Groups<'a> = BTreeMap<Vec<Option<Standing>>, Vec<&'a str>>;

impl Question {
    fn answer(&self, results: &Results) -> String {
        let Question { title, workload: name, criteria } = self;
        let Some(workload) = workload::find(name).filter(|_| results.rounds(name) > 0) else {
            let why = format!("It was not measured: `compare run --only {name}`.");
            return format!("\n## {title}\n\n{why}\n");
        };
        let groups = self.groups(results);
        let metrics: Vec<_> = criteria.iter().filter_map(|it| metric(name, it.key)).collect();
        let heads: Vec<String> = metrics.iter().map(|it| results.head(name, it)).collect();
        let claims = |peers: &[&str]| claims(results, name, &metrics, peers);
        let (held, best, heads) =
            (results.held(name), self.best(results, &groups), heads.join("; "));
        let source = format!("{}: [{name}](#{name}), {heads}", workload.about);
        let mut text =
            format!("\n## {title}{held}\n\n**{best}** ({source})\n\n- {}", claims(&[OURS]));
        for (standings, peers) in groups {
            let known = criteria.iter().zip(&standings).filter_map(|(it, at)| Some((it, (*at)?)));
            let words = known.map(|(it, at)| it.words[at as usize]).collect::<Vec<_>>().join(", ");
            let is_equal = standings.iter().flatten().all(|it| *it == Standing::Equal);
            let words = if is_equal { "as ours" } else { &words };
            text += &format!("\n- {words}: {}", claims(&peers));
        }
        for (what, peers) in self.others(results, &metrics).iter().filter(|it| !it.1.is_empty()) {
            text += &format!("\n- {what}: {peers}");
        }
        text + "\n"
    }

    /// Each with the least by the first criterion before the others.
    fn groups<'a>(&self, results: &'a Results) -> Groups<'a> {
        let mut groups = Groups::new();
        for (_, peer) in self.ranked(results, self.criteria[0].key) {
            let compare = |it: &Criterion| results.compare(self.workload, peer, it.key);
            let standings = self.criteria.iter().map(|it| Some(compare(it)?.standing));
            groups.entry(standings.collect()).or_default().push(peer);
        }
        groups
    }

    /// Rivals by ours, those with the least before the others.
    fn ranked<'a>(&self, results: &'a Results, key: &str) -> Vec<(f64, &'a str)> {
        let ratio = |peer| Some((results.compare(self.workload, peer, key)?.ratio, peer));
        let mut all: Vec<_> = self.of(results, None).filter_map(ratio).collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        all
    }

    /// Who has least by each criterion, and those that are its equals.
    fn best(&self, results: &Results, groups: &Groups) -> String {
        if groups.is_empty() {
            let is_valid = |it: &str| results.runs(self.workload, it).next().is_some();
            let why = match (is_valid(OURS), self.of(results, None).any(is_valid)) {
                (true, true) => "Too few runs may be ranked",
                (true, false) => "Beside ours no runtime has a valid run",
                (false, _) => "Ours has no valid run",
            };
            return format!("{why}: there is no answer.");
        }
        let asked = self.criteria.iter().filter(|it| !it.best.is_empty());
        let named = asked.filter_map(|Criterion { key, best, .. }| {
            let mut all = self.ranked(results, key);
            let (least, band) = (all.first()?.0.min(1.0), results.equals(self.workload, key)?.0);
            all.insert(0, (1.0, OURS));
            all.retain(|(ratio, _)| standing(ratio / least, band) == Standing::Equal);
            let names: Vec<&str> = all.into_iter().map(|(_, peer)| peer).collect();
            Some(format!("{best}: {}.", names.join(", ")))
        });
        named.collect::<Vec<_>>().join(" ")
    }

    /// Whom no group has, and what else is to be known.
    fn others(&self, results: &Results, metrics: &[&Metric]) -> [(&'static str, String); 7] {
        let name = self.workload;
        let of = |peer: &str, key| results.value(name, peer, key).map(|it| it.median);
        let loses = |it: &&str| of(it, "undelivered_share").is_some_and(|share| share >= FROZEN);
        let is_late = |it: &&str| {
            let waits = of(it, DELAY.key).is_some_and(|p99| DELAYED_ACK_US.contains(&p99));
            name != ECHO && waits && of(it, "server_share").is_some_and(|share| share < IDLE)
        };
        let is_valid = |it: &&str| results.runs(name, it).next().is_some();
        let lacks = |it: &&str| results.compare(name, it, self.criteria[0].key).is_none();
        let (lossy, others): (Vec<&str>, Vec<&str>) = self.of(results, None).partition(loses);
        let named = |holds: &dyn Fn(&&str) -> bool| {
            let names = others.iter().copied().filter(holds);
            names.collect::<Vec<_>>().join(", ")
        };
        let told = |why| {
            let peers: Vec<&str> = self.of(results, Some(why)).filter(is_valid).collect();
            (why, claims(results, name, metrics, &peers))
        };
        let fault = |it: &Facts| match is_valid(&&*it.name) {
            true => None,
            false => Some(format!("{} ({})", it.name, results.fault(name, &it.name)?)),
        };
        let faults: Vec<String> = results.peers.iter().filter_map(fault).collect();
        let share: Vec<_> = metric(name, "undelivered_share").into_iter().collect();
        [
            told(NO_PAUSE),
            told(FLOOR),
            told(UNBOUNDED),
            ("the others miss lines (their share)", claims(results, name, &share, &lossy)),
            (LATE, named(&is_late)),
            (
                "not ranked, since too few of its runs may be, or not in the rounds of ours",
                named(&|it| is_valid(it) && lacks(it)),
            ),
            ("not valid", faults.join(", ")),
        ]
    }

    /// Those that are rivals of ours, or those that are none for this reason.
    fn of<'a>(
        &self,
        results: &'a Results,
        why: Option<&'static str>,
    ) -> impl Iterator<Item = &'a str> {
        let is_stalled = self.workload == STALLED;
        let kept = move |facts: &&Facts| {
            why == match &*facts.name {
                "no-pause" => Some(NO_PAUSE),
                name if is_stalled && GROWING.contains(&name) => Some(UNBOUNDED),
                _ => (facts.lane == Lane::Floor.name()).then_some(FLOOR),
            }
        };
        let names = results.peers.iter().filter(kept).map(|it| it.name.as_str());
        names.filter(|name| *name != OURS)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn what_grows_without_a_bound_is_what_the_peers_say_of_themselves() {
        let said = std::fs::read_to_string(crate::peers::here().join("peers/README.md"));
        let said = said.expect("it is there");
        let growing = said.lines().filter(|line| line.contains("| no bound |"));
        let names: Vec<_> = growing.filter_map(|line| line.split('`').nth(1)).collect();
        assert_eq!(names, GROWING);
    }

    #[test]
    fn the_first_page_says_why_there_is_no_answer_and_who_is_none() {
        let page = |change: fn(&mut Results)| {
            let mut results = made_up::results();
            change(&mut results);
            super::page(&results)
        };
        let said = |page: &str, what: &str| assert!(page.contains(what), "{what} in {page}");
        let apart =
            page(|results| results.samples.iter_mut().for_each(|it| it.outcome.apart = true));
        let not_measured = "It was not measured: `compare run --only echo-50`.";
        said(&apart, &format!("\n## Which runtime for an echo?\n\n{not_measured}\n"));
        let room = "\n## Which runtime for a room?\n\n**";
        said(&apart, &format!("{room}Too few runs may be ranked: there is no answer.** ("));
        let alone = page(|results| {
            let left = ["ours", "ours-again", "raw-epoll", "asyncio"];
            results.samples.retain(|run| left.contains(&&*run.peer));
        });
        said(
            &alone,
            &format!("{room}Beside ours no runtime has a valid run: there is no answer.**"),
        );
        let floor = "`raw-epoll: 2.06 (2.02–2.10) 0.50×; 0.30 ≈`";
        said(&alone, "\n\n- `ours: 4.12 (4.04–4.20); 0.30`\n- the floor, epoll by hand: ");
        said(&alone, &format!("by hand: {floor}\n- not valid: asyncio (lines: 1 dropped)\n"));
        let pause = page(|results| made_up::rename(results, "node", "no-pause"));
        said(&pause, &format!("{room}The least CPU: ours. The lowest latency: ours, threads.** ("));
        said(&pause, "\n- ours without its pause: `no-pause: 4.16 (4.08–4.24) ≈; 0.30 ≈`\n");
        let mut results = made_up::results();
        for run in &mut results.samples {
            run.outcome.set("p99_us", 40e3);
            run.outcome.set("server_share", 0.1);
        }
        said(&super::page(&results), "Nagle's");
        results.samples.iter_mut().for_each(|run| run.workload = "echo-50".into());
        assert!(!super::page(&results).contains("Nagle's"), "an echo has nothing to hold back");
        let fewer = page(|results| results.chosen = "--only chat-1000 --clients 5".into());
        said(&fewer, "\n## Which runtime for a room? (at most 5 clients)\n");
    }
}
