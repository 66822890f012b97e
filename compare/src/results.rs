//! What is written to results.json: every raw run, the machine, the peers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::workload::{self, Extent};

/// What stands over every report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) memory_mib: u64,
    pub(crate) descriptors: u64,
    pub(crate) server_core: usize,
    pub(crate) generator_core: usize,
    pub(crate) virtual_machine: bool,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    /// Digest of this program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) compare: String,
    /// Seconds since 1970.
    pub(crate) taken: u64,
}

/// What kept a run from being faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bound {
    /// The server's core was full.
    Server,
    /// The generator's core was full, or it was late: the run is not ranked.
    Client,
    /// Both cores were full: only the server's CPU is ranked.
    Both,
    /// Neither: the rate asked for, or the wake-ups between the two, decide.
    #[default]
    Neither,
}

/// What came of one run, as the generator tells it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why the run does not count.
    pub(crate) fault: Option<String>,
    pub(crate) bound: Bound,
    /// The host had moved the two cores: the run is not ranked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) apart: bool,
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Points of a curve, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) series: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Outcome {
    pub(crate) fn invalid(why: impl ToString) -> Outcome {
        Outcome { fault: Some(why.to_string()), ..Outcome::default() }
    }

    pub(crate) fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.get(metric).copied()
    }

    /// To the last digit.
    pub(crate) fn count(&mut self, what: &str, number: u64) {
        self.metrics.insert(what.into(), number as f64);
    }

    pub(crate) fn set(&mut self, metric: &str, value: f64) {
        // Six digits: the rest is noise.
        let digits = 5 - value.abs().log10().floor().clamp(-30.0, 5.0) as i32;
        let scale = 10_f64.powi(digits);
        let rounded = if value == 0.0 { 0.0 } else { (value * scale).round() / scale };
        self.metrics.insert(metric.into(), rounded);
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) round: usize,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// System calls per message, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) calls: BTreeMap<String, f64>,
}

impl Trace {
    pub(crate) fn of(run: &Sample) -> Trace {
        let calls = run.outcome.metrics.iter().filter_map(|(name, value)| {
            name.strip_prefix("call:").map(|name| (name.to_owned(), *value))
        });
        let (workload, peer) = (run.workload.clone(), run.peer.clone());
        Trace { workload, peer, calls: calls.collect() }
    }
}

/// What a peer is, apart from how fast.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) lane: String,
    pub(crate) runtime: String,
    pub(crate) version: String,
    /// Lines of its source that are neither blank nor comment.
    pub(crate) code_lines: Option<usize>,
    pub(crate) crates: Option<usize>,
    /// To build it from nothing, as `compare build` took them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build_seconds: Option<f64>,
    /// Bytes of the stripped binary; none for scripts.
    pub(crate) size: Option<u64>,
    /// Of the files that are run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) digest: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) card: Card,
    pub(crate) extent: Extent,
    pub(crate) seed: u64,
    /// The options that chose workloads, peers, rounds and clients, as they are given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) chosen: String,
    /// More runs were to come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
    pub(crate) minutes: f64,
    /// Nanoseconds a system call, by name.
    pub(crate) prices: BTreeMap<String, f64>,
    pub(crate) peers: Vec<Facts>,
    /// Peer (and server) left out, and why.
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) traces: Vec<Trace>,
    pub(crate) traced_with: Option<String>,
}

/// What ours is called when it runs against itself.
pub(crate) const OURS: &str = "ours";
pub(crate) const OURS_AGAIN: &str = "ours-again";

/// Share of both cores that others may take in a run; a tenth of the runs may have more.
const DISTURBED: f64 = 0.1;

impl Results {
    pub(crate) fn read(file: &Path) -> Result<Results> {
        let name = file.display();
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read {name}, which a finished run has: {error}"))?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{name} is damaged: {error}"))?)
    }

    /// Whole or not at all: a half one would pass for a finished run.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let half = file.with_extension("half");
        fs::write(&half, serde_json::to_string(self)? + "\n")?;
        Ok(fs::rename(half, file)?)
    }

    /// The command that made it.
    pub(crate) fn asked(&self) -> String {
        asked(self.extent, self.seed, &self.chosen)
    }

    /// Stands where a workload is named, if `--clients` held it to fewer than its name says.
    pub(crate) fn held(&self, workload: &str) -> String {
        let mut words = self.chosen.split(' ').skip_while(|word| *word != "--clients").skip(1);
        let most = words.next().and_then(|word| word.parse::<usize>().ok());
        let found = workload::find(workload);
        let is_held =
            |most: &usize| found.is_some_and(|it| it.capped(*most).clients() < it.clients());
        most.filter(is_held).map_or(String::new(), |most| format!(" (at most {most} clients)"))
    }

    /// Why nothing of a peer was measured, though it was asked.
    pub(crate) fn unmeasured(&self, peer: &str) -> Option<&str> {
        let runs = self.samples.iter().filter(|run| run.peer == peer);
        let faults: Option<Vec<_>> = runs.map(|run| run.outcome.fault.as_deref()).collect();
        faults?.first().copied()
    }

    /// What else ran on the two cores, where that is more than figures bear.
    pub(crate) fn disturbed(&self) -> Option<String> {
        let shares = self.samples.iter().filter_map(|run| run.outcome.get("others_share"));
        let shares: Vec<f64> = shares.collect();
        let busy = shares.iter().filter(|share| **share >= DISTURBED).count();
        let (all, most) = (shares.len(), DISTURBED * 100.0);
        (busy * 10 > all).then(|| {
            format!(
                "In {busy} of {all} runs other programs took {most:.0} % of the two cores and more: do \
                 not trust the figures, and measure when nothing else runs."
            )
        })
    }

    /// Of a workload, by the peer that has most of them.
    pub(crate) fn rounds(&self, workload: &str) -> usize {
        let samples = self.samples.iter().filter(|sample| sample.workload == workload);
        samples.map(|sample| sample.round).max().unwrap_or(0)
    }

    fn of(&self, workload: &str, peer: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |run| run.workload == workload && run.peer == peer)
    }

    /// Valid runs of a peer, by round.
    pub(crate) fn runs(&self, workload: &str, peer: &str) -> impl Iterator<Item = &Sample> {
        self.of(workload, peer).filter(|run| run.outcome.fault.is_none())
    }

    pub(crate) fn trace(&self, workload: &str, peer: &str) -> Option<&Trace> {
        self.traces.iter().find(|trace| trace.workload == workload && trace.peer == peer)
    }

    /// The peer's first fault in a workload.
    pub(crate) fn fault(&self, workload: &str, peer: &str) -> Option<&str> {
        self.of(workload, peer).find_map(|run| run.outcome.fault.as_deref())
    }
}

/// The seed where none is given.
pub(crate) const SEED: u64 = 1;

/// The command of these options.
pub(crate) fn asked(extent: Extent, seed: u64, chosen: &str) -> String {
    let command = ["run --quick", "run", "run --full", "bench"][extent as usize];
    let seed = if seed == SEED { String::new() } else { format!("--seed {seed}") };
    let all = [command, &seed, chosen];
    all.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::report::made_up;

    #[test]
    fn others_on_the_cores_are_told_from_more_than_a_tenth_of_the_runs_on() {
        let mut results = made_up::results();
        assert_eq!(results.disturbed(), None);
        let all = results.samples.len();
        for (at, run) in results.samples.iter_mut().enumerate() {
            run.outcome.set("others_share", if at < all / 10 { 0.2 } else { 0.02 });
        }
        assert_eq!(results.disturbed(), None);
        results.samples.iter_mut().take(all / 2).for_each(|it| it.outcome.set("others_share", 0.2));
        let said = results.disturbed().expect("half of them");
        assert!(said.starts_with("In 25 of 51 runs other programs took 10 % of"), "{said}");
    }

    #[test]
    fn a_workload_is_held_to_fewer_clients_than_its_name_says_and_not_to_as_many() {
        let held = |most: usize| {
            let chosen = format!("--only stalled --clients {most} --rounds 2");
            ["stalled", "start"]
                .map(|name| Results { chosen: chosen.clone(), ..Results::default() }.held(name))
        };
        // The one who never reads is beside the 100.
        assert_eq!(held(100), ["", ""]);
        assert_eq!(held(99), [" (at most 99 clients)", ""]);
    }

    #[test]
    fn nothing_of_a_peer_is_measured_only_if_all_of_its_runs_failed() {
        let mut results = made_up::results();
        assert_eq!(results.unmeasured("nobody"), None);
        let mut valid = results.samples.last().expect("of asyncio, which failed").clone();
        assert_eq!(results.unmeasured("asyncio"), Some("lines: 1 dropped"));
        valid.outcome.fault = None;
        results.samples.push(valid);
        assert_eq!(results.unmeasured("asyncio"), None);
    }
}
