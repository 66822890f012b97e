//! The program shows the commands that its user has to type, however it was started.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_smol-servers");

#[test]
fn by_its_first_argument_a_server_is_called_by_both_words() {
    let help = run(PROGRAM, &["time", "-h"]);
    assert!(text(&help.stdout).contains("\nUsage: smol-servers time [OPTIONS]\n"));
    let error = run(PROGRAM, &["time", "--evry"]);
    assert_eq!(
        text(&error.stderr),
        "smol-servers time: unknown option --evry (smol-servers time -h shows all options)\n"
    );
    assert_eq!(error.status.code(), Some(2));
}

#[test]
fn by_a_link_a_server_is_called_as_the_link() {
    let folder = std::env::temp_dir().join(format!("{}-smol-link", std::process::id()));
    std::fs::create_dir(&folder).expect("a temporary folder");
    let time = folder.join("smol-time");
    symlink(PROGRAM, &time).expect("a new file");
    let help = run(time.to_str().expect("UTF-8"), &["-h"]);
    std::fs::remove_dir_all(&folder).expect("it is ours");
    assert!(text(&help.stdout).contains("\nUsage: smol-time [OPTIONS]\n"));
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}
