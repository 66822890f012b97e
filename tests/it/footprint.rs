//! What the servers take of a machine, and what the library takes of the world.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::{Server, eventually};

#[test]
fn all_code_runs_on_one_thread_beside_smols_own() {
    for name in ["echo", "time", "chat"] {
        let server = Server::start(name, &[]);
        let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send("hello\r\n");
            client.line();
        }
        // A new thread bears its parent's name until it has given itself its own.
        eventually("the two threads", || server.threads() == ["async-io", name]);
    }
}

#[test]
fn an_idle_client_of_the_chat_costs_less_than_four_kibibytes() {
    const CLIENTS: u64 = 1000;
    let server = Server::start("chat", &[]);
    let _warm: Vec<_> = (0..100).map(|_| server.guest(&mut [])).collect();
    let before = server.status("VmRSS");
    let _idle: Vec<_> = (0..CLIENTS).map(|_| server.guest(&mut [])).collect();
    let grown = server.status("VmRSS") - before;
    assert!(grown < 4 * CLIENTS, "{grown} KiB for {CLIENTS} clients");
}

#[test]
fn the_servers_need_at_most_forty_crates() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let crates: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(crates.contains("smol"), "{tree}");
    assert!(crates.len() <= 40, "{}: {crates:?}", crates.len());
}
