//! The generator on another host.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::the_error;

/// Any but root.
const NOBODY: u32 = 65_534;

#[test]
fn who_may_not_make_a_network_namespace_is_told_what_it_takes() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    if fs::metadata("/proc/self").expect("it is there").uid() == 0 {
        command.uid(NOBODY);
    }
    let (code, said) = the_error(&command.arg("net").output().expect("it is built"));
    assert_eq!(code, Some(2));
    assert!(said.contains("root") && said.contains("unshare -rn"), "{said}");
}
