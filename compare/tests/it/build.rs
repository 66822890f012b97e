//! What it costs to build a peer.

use std::fs;
use std::process::Command;

use crate::{folder, lines, the_error};

#[test]
fn a_peer_is_built_from_nothing_and_its_cost_told() {
    let folder = folder("build");
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(["build", "--peers", "threads,node"]).env("CARGO_TARGET_DIR", &folder);
    let output = command.output().expect("it is built");
    let said = lines(&output.stdout);
    let head = "| peer | s, from nothing | crates | program, KiB | lines of code |";
    assert_eq!(said[0], head);
    let row: Vec<&str> = said[2].trim_matches(['|', ' ']).split(" | ").collect();
    assert_eq!(row[0], "threads");
    assert!(row[1..].iter().all(|it| it.parse::<f64>().is_ok_and(|it| it > 0.0)), "{row:?}");
    assert_eq!(output.status.code(), Some(0));
    assert!(!folder.join("compare-cold").exists(), "nothing is left");
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn of_what_is_not_built_it_is_told_why() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    let output = command.args(["build", "--peers", "node"]).output().expect("it is built");
    let why = "node is a script, or ours with an option: nothing to build";
    assert_eq!(the_error(&output), (Some(0), why.into()));
    assert_eq!(lines(&output.stdout), [""; 0]);
}
