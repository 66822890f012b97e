//! Where runs lie: each in a folder of its own below cargo's target directory. The report that is
//! committed is written by `publish` alone.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::date;
use crate::peers::{above, here};
use crate::wrong::Wrong;

/// Every raw run, once all of them are made: a folder without it is unfinished.
pub(crate) const RESULTS: &str = "results.json";
pub(crate) const REPORT: &str = "report.md";
/// Each run as it ended.
pub(crate) const JOURNAL: &str = "runs.jsonl";

pub(crate) fn published() -> PathBuf {
    here().join("report")
}

/// The folder that holds the runs' folders.
pub(crate) fn runs() -> PathBuf {
    target(std::env::var_os("CARGO_TARGET_DIR")).join("compare")
}

/// The smoke test's, which each one writes anew.
pub(crate) fn smoke() -> PathBuf {
    target(std::env::var_os("CARGO_TARGET_DIR")).join("compare-smoke")
}

/// Where something is built from nothing.
pub(crate) fn cold() -> PathBuf {
    target(std::env::var_os("CARGO_TARGET_DIR")).join("compare-cold")
}

fn target(asked: Option<OsString>) -> PathBuf {
    let asked = asked.filter(|asked| !asked.is_empty());
    asked.map_or_else(|| above().join("target"), PathBuf::from)
}

/// A new run's folder: `out`, or one that is named after the time. It is made when the first is kept
/// there, so that a run which never begins leaves none.
///
/// # Errors
/// When it cannot be made, or something would be lost in it.
pub(crate) fn fresh(out: Option<&Path>) -> Result<PathBuf, Wrong> {
    let folder = out.map_or_else(by_time, Path::to_owned);
    let wrong = |why: String| Wrong(format!("--out {}: {why}", folder.display()));
    let is_new = !folder.exists();
    let made = fs::create_dir_all(&folder).and_then(|()| folder.canonicalize());
    let made = made.map_err(|error| wrong(format!("it cannot be made: {error}")))?;
    if published().canonicalize().is_ok_and(|published| published == made) {
        return Err(wrong("only `compare publish` writes there; give another".into()));
    }
    if [RESULTS, JOURNAL].iter().any(|file| made.join(file).exists()) {
        return Err(wrong("it holds a run; give another, or --resume".into()));
    }
    if is_new {
        let _holds_something = fs::remove_dir(&made);
    }
    Ok(made)
}

fn by_time() -> PathBuf {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    runs().join(date::stamp(now.as_secs()))
}

/// The folders below `runs` that hold such a file, that of the newest one first.
pub(crate) fn holding(runs: &Path, file: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries
        .filter_map(|entry| {
            let written = fs::metadata(entry.path().join(file)).and_then(|meta| meta.modified());
            Some((written.ok()?, entry.path()))
        })
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// A folder of a test's own, empty.
#[cfg(test)]
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("compare-{}-{name}", std::process::id()));
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_writes_below_target_unless_told_otherwise() {
        assert_eq!(target(None), above().join("target"));
        assert_eq!(target(Some("".into())), above().join("target"));
        assert_eq!(target(Some("/elsewhere".into())), Path::new("/elsewhere"));
        assert_eq!(by_time().parent(), Some(&*runs()));
        assert!(!by_time().starts_with(published()));
    }

    #[test]
    fn no_run_writes_over_a_report() {
        let report = fs::read(published().join(REPORT)).expect("it is committed");
        let refused = fresh(Some(&published())).expect_err("it is the published one").0;
        assert!(refused.contains("only `compare publish` writes there"), "{refused}");
        assert_eq!(fs::read(published().join(REPORT)).expect("it is there"), report);

        let folder = scratch("over");
        assert!(fresh(Some(&folder)).is_ok());
        fs::write(folder.join(RESULTS), "{}").expect("written");
        let refused = fresh(Some(&folder)).expect_err("it holds a run").0;
        assert!(refused.contains("it holds a run") && !refused.contains('\n'), "{refused}");
        fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn the_newest_run_comes_first() {
        let runs = scratch("newest");
        for (name, age) in [("b", 10), ("c", 20), ("a", 5)] {
            fs::create_dir(runs.join(name)).expect("a folder");
            let file = fs::File::create(runs.join(name).join(JOURNAL)).expect("a file");
            let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(time).expect("its time");
        }
        fs::create_dir(runs.join("empty")).expect("a folder");
        assert_eq!(holding(&runs, JOURNAL), ["a", "b", "c"].map(|name| runs.join(name)));
        fs::remove_dir_all(runs).expect("it is ours");
    }
}
