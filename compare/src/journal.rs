//! Keeps each run as it ends, so that nothing is lost when the comparison is broken off: a file of
//! JSON lines, to which is only added. The first holds the results without a run.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::cores;
use crate::options::Options;
use crate::place::{self, JOURNAL, RESULTS};
use crate::results::{Facts, Results, Sample, Trace};
use crate::wrong::Wrong;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its system calls were counted, and its times count for nothing.
    pub(crate) traced: bool,
    /// What it took, waiting included.
    pub(crate) seconds: f64,
    #[serde(flatten)]
    pub(crate) run: Sample,
}

pub(crate) struct Journal {
    file: File,
    /// It ends within a line, on which no other may follow.
    torn: bool,
    pub(crate) begun: Results,
    pub(crate) entries: Vec<Entry>,
}

impl Journal {
    pub(crate) fn begin(folder: &Path, begun: Results) -> Result<Journal> {
        fs::create_dir_all(folder)?;
        let file = OpenOptions::new().append(true).create_new(true).open(folder.join(JOURNAL))?;
        let mut journal = Journal { file, torn: false, begun: begun.clone(), entries: Vec::new() };
        journal.write(&begun)?;
        Ok(journal)
    }

    /// # Errors
    /// When there is none, or its first line is not whole. Any other line that is not whole counts
    /// as a run that was not made.
    pub(crate) fn open(folder: &Path) -> Result<Journal> {
        let file = OpenOptions::new().append(true).open(folder.join(JOURNAL))?;
        let text = fs::read(folder.join(JOURNAL))?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let begun = lines.next().and_then(read).ok_or("its first line is damaged")?;
        let torn = text.last().is_some_and(|byte| *byte != b'\n');
        Ok(Journal { file, torn, begun, entries: lines.filter_map(read).collect() })
    }

    pub(crate) fn add(&mut self, entry: Entry) -> Result<()> {
        self.write(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    pub(crate) fn holds(&self, workload: &str, peer: &str, round: usize, traced: bool) -> bool {
        self.of(workload, peer).any(|entry| entry.run.round == round && entry.traced == traced)
    }

    /// Runs of a peer that were not valid.
    pub(crate) fn failures(&self, workload: &str, peer: &str) -> usize {
        self.of(workload, peer).filter(|entry| entry.run.outcome.fault.is_some()).count()
    }

    fn of<'a>(&'a self, workload: &'a str, peer: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.run.workload == workload && entry.run.peer == peer)
    }

    /// All that is known until now.
    pub(crate) fn results(&self) -> Results {
        let mut results = self.begun.clone();
        results.minutes = self.entries.iter().map(|entry| entry.seconds).sum::<f64>() / 60.0;
        for Entry { traced, run, .. } in &self.entries {
            match (traced, &run.outcome.fault) {
                (false, _) => results.samples.push(run.clone()),
                (true, None) => results.traces.push(Trace::of(run)),
                (true, Some(_)) => {}
            }
        }
        cores::mark(&mut results.samples);
        results
    }

    /// One write for a line, which is on the disk before the next run.
    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let before = if self.torn { "\n" } else { "" };
        let line = serde_json::to_string(line)?;
        self.file.write_all(format!("{before}{line}\n").as_bytes())?;
        self.torn = false;
        Ok(self.file.sync_data()?)
    }
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

/// The folder of the newest unfinished run that was asked for with the same options.
pub(crate) fn unfinished(options: &Options) -> std::result::Result<PathBuf, Wrong> {
    let all = || place::holding(&place::runs(), JOURNAL);
    let folders = options.out.clone().map_or_else(all, |out| vec![out]);
    let folders = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
    let mut other = None;
    for folder in folders.filter(|folder| !folder.join(RESULTS).exists()) {
        let Ok(journal) = Journal::open(&folder) else { continue };
        if journal.begun.asked() == options.asked() {
            return Ok(folder);
        }
        other.get_or_insert((folder, journal.begun.asked()));
    }
    Err(Wrong(match other {
        Some((folder, asked)) => format!(
            "no unfinished run has these options: {} was begun with `{asked}`; leave out --resume",
            folder.display()
        ),
        None => "there is no unfinished run; leave out --resume".into(),
    }))
}

/// # Errors
/// When what is measured now is not what was measured then.
pub(crate) fn take_up(folder: &Path, now: &Results) -> Result<Journal> {
    let journal = Journal::open(folder)?;
    if let Some(why) = difference(&journal.begun, now) {
        let folder = folder.display();
        return Err(Wrong(format!(
            "{folder} cannot go on: {why}; leave out --resume (`compare report` shows its runs)"
        ))
        .into());
    }
    eprintln!("going on with {} after {} runs", folder.display(), journal.entries.len());
    Ok(journal)
}

/// What keeps a run made now from standing beside those made then.
fn difference(then: &Results, now: &Results) -> Option<String> {
    let machine = |results: &Results| {
        let card = &results.card;
        let cores = (card.cores, card.server_core, card.generator_core);
        (card.cpu.clone(), card.kernel.clone(), cores, card.descriptors)
    };
    let same = |one: &Facts, other: &Facts| {
        (&one.name, &one.version, &one.digest) == (&other.name, &other.version, &other.digest)
    };
    let lacks = |one: &Results, other: &Results| {
        let found = |facts: &&Facts| !other.peers.iter().any(|others| same(facts, others));
        one.peers.iter().find(found).map(|facts| facts.name.clone())
    };
    let another = lacks(then, now).or_else(|| lacks(now, then));
    let skipped = |it: &Results| it.skipped.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    let said = |differs: bool, what: &str| differs.then(|| what.to_owned());
    said(machine(then) != machine(now), "the machine is another one, or set up otherwise")
        .or(said(then.card.compare != now.card.compare, "compare is another build"))
        .or(said(then.traced_with != now.traced_with, "system calls are counted with another tool"))
        .or(another
            .map(|it| format!("{it} is another build, or takes part in only one of the two")))
        .or(said(skipped(then) != skipped(now), "other peers are left out"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::scratch;
    use crate::report::made_up;

    /// A journal of the first four made-up runs, and what was begun.
    fn four_runs(name: &str) -> (PathBuf, Results, Vec<Sample>) {
        let mut begun = made_up::results();
        begun.traces.clear();
        let mut runs = std::mem::take(&mut begun.samples);
        runs.truncate(4);
        let folder = scratch(name);
        let mut journal = Journal::begin(&folder, begun.clone()).expect("begun");
        for run in &runs {
            let entry = Entry { traced: false, seconds: 30.0, run: run.clone() };
            journal.add(entry).expect("kept");
        }
        (folder, begun, runs)
    }

    fn cut(folder: &Path, bytes: u64) {
        let file = OpenOptions::new().write(true).open(folder.join(JOURNAL)).expect("it is there");
        let length = file.metadata().expect("its length").len();
        file.set_len(length - bytes).expect("cut");
    }

    #[test]
    fn each_run_is_kept_as_it_ends() {
        let (folder, _, runs) = four_runs("whole");
        let results = Journal::open(&folder).expect("taken up").results();
        let told = |runs: &[Sample]| serde_json::to_string(runs).expect("JSON");
        assert_eq!(told(&results.samples), told(&runs));
        assert!((results.minutes - 2.0).abs() < 1e-9);
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_torn_last_line_costs_its_run_and_no_other() {
        let (folder, _, runs) = four_runs("torn");
        cut(&folder, 20);
        let holds = |journal: &Journal, run: &Sample| {
            journal.holds(&run.workload, &run.peer, run.round, false)
        };
        let mut journal = Journal::open(&folder).expect("taken up");
        assert_eq!(journal.entries.len(), 3);
        assert!(holds(&journal, &runs[2]) && !holds(&journal, &runs[3]));
        let again = Entry { traced: false, seconds: 1.0, run: runs[3].clone() };
        journal.add(again).expect("kept");
        let journal = Journal::open(&folder).expect("taken up again");
        assert!(runs.iter().all(|run| holds(&journal, run)));
        assert_eq!(journal.entries.len(), 4);
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn only_the_same_options_are_taken_up_and_only_unfinished() {
        let (folder, begun, _) = four_runs("options");
        let same = Options { out: Some(folder.clone()), ..Options::default() };
        assert!(unfinished(&same).is_ok());
        let other = Options { only: vec!["start".into()], ..same.clone() };
        let refused = unfinished(&other).expect_err("other options").0;
        assert!(refused.contains("was begun with `run`") && !refused.contains('\n'), "{refused}");
        begun.write(&folder.join(RESULTS)).expect("finished");
        let refused = unfinished(&same).expect_err("finished").0;
        assert!(refused.contains("there is no unfinished run"), "{refused}");
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn another_build_or_machine_is_not_taken_up() {
        let (folder, begun, _) = four_runs("build");
        assert!(take_up(&folder, &begun).is_ok());
        let refused = |change: fn(&mut Results)| {
            let mut now = begun.clone();
            change(&mut now);
            take_up(&folder, &now).err().expect("another").to_string()
        };
        let built = refused(|now| now.peers[1].digest = "other".into());
        assert!(built.contains("raw-epoll is another build"), "{built}");
        assert!(refused(|now| _ = now.peers.pop()).contains("asyncio"));
        assert!(refused(|now| now.card.compare = "other".into()).contains("compare is another"));
        assert!(refused(|now| now.card.kernel = "other".into()).contains("the machine is another"));
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
