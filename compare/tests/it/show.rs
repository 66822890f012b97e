//! Results side by side.

use std::fs;
use std::process::{Command, Output};

use crate::{folder, the_error};

fn show(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.arg("show").args(arguments).output().expect("it is built")
}

#[test]
fn what_cannot_be_shown_is_told_in_one_line() {
    let folder = folder("show");
    let torn = folder.join("results.json");
    fs::write(&torn, "{").expect("written");
    let (torn, folder_of) = (torn.to_string_lossy(), folder.to_string_lossy());
    for (arguments, code, told) in [
        (&["a.json"][..], 2, "show needs 2 to 8 results, files or folders of finished runs"),
        (&["a", "b", "--only", "chat"], 2, "unknown workload 'chat'"),
        (&["a", "b", "--quick"], 2, "--quick is not for `compare show`"),
        (&["/nowhere/a.json", "b"], 1, "cannot read /nowhere/a.json, which a finished run has"),
        (&["Cargo.toml", "b"], 2, "Cargo.toml is no result: give a run's folder, or the results"),
        (&[&*folder_of, "b"], 1, &format!("{torn} is damaged")),
    ] {
        let (exit, said) = the_error(&show(arguments));
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.starts_with(&format!("compare: {told}")), "{said}");
    }
    fs::remove_dir_all(folder).expect("it is ours");
}
