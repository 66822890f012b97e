//! The program as a user starts it, with servers in Python: as they are, and broken in one place.

mod build;
mod load;
mod net;
mod own;
mod show;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("compare-it-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A copy in `folder` of a script of this package, in which `from` has become `to`.
#[track_caller]
fn changed(folder: &Path, script: &str, from: &str, to: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let source = fs::read_to_string(source).expect("it is there");
    assert!(source.contains(from), "{from}");
    let copy = folder.join("changed.py");
    fs::write(&copy, source.replace(from, to)).expect("written");
    copy
}

fn lines(said: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(said).lines().map(str::to_owned).collect()
}

/// The one line on standard error, and the exit code.
#[track_caller]
fn the_error(output: &Output) -> (Option<i32>, String) {
    let mut said = lines(&output.stderr);
    assert_eq!(said.len(), 1, "{said:?}");
    (output.status.code(), said.remove(0))
}
