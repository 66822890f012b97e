//! What the servers take of a machine, and what the library takes of the world.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Server, eventually};

/// smol's reactor keeps a helper thread; our own driver none.
const SMOL_REACTOR: bool = cfg!(not(feature = "one-thread"));

#[test]
fn a_server_is_one_thread() {
    for name in ["echo", "time", "chat"] {
        let server = Server::start(name, &[]);
        let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send("hello\r\n");
            client.line();
        }
        server.signal(Signal::USR1);
        server.logged("stats");
        // A new thread bears its parent's name until it has given itself its own.
        let threads = if SMOL_REACTOR { vec!["async-io", name] } else { vec![name] };
        eventually("as many threads", || server.threads() == threads);
    }
}

/// As with RLIMIT_NPROC or TasksMax in a small host; root is above such limits.
#[cfg(feature = "one-thread")]
#[test]
fn a_server_runs_where_no_thread_may_be_started() {
    use std::os::unix::process::CommandExt;

    use crate::harness::binary;

    const NOBODY: u32 = 65_534;
    let copy = std::env::temp_dir().join(format!("smol-servers-{}", std::process::id()));
    std::fs::copy(binary("chat"), &copy).expect("room for a copy that everybody may run");
    let mut command = Command::new("prlimit");
    command.arg("--nproc=0:0").arg(&copy);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY);
    }
    let server = Server::start_command(&mut command);
    std::fs::remove_file(&copy).expect("the copy");
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    bob.send("hello\r\n");
    assert_eq!(ann.line(), "<guest2> hello");
}

#[test]
fn an_idle_client_of_the_chat_costs_less_than_two_kibibytes_and_on_our_driver_one_and_a_half() {
    const CLIENTS: u64 = 1000;
    // smol's reactor has an entry for each as well.
    const MOST: u64 = if SMOL_REACTOR { 2 * CLIENTS } else { 3 * CLIENTS / 2 };
    let server = Server::start("chat", &[]);
    let _warm: Vec<_> = (0..100).map(|_| server.guest(&mut [])).collect();
    let before = server.status("VmRSS");
    let _idle: Vec<_> = (0..CLIENTS).map(|_| server.guest(&mut [])).collect();
    let grown = server.status("VmRSS") - before;
    assert!(grown < MOST, "{grown} KiB for {CLIENTS} clients");
}

#[test]
fn an_idle_client_with_the_editor_costs_a_quarter_of_a_kibibyte_more_at_most() {
    const CLIENTS: u64 = 1000;
    // IAC DO ECHO and IAC DO SGA; the mark of pastes is what the editor writes first.
    let (agreed, begun) = (b"\xff\xfd\x01\xff\xfd\x03", b"\x1b[?2004h");
    let grown = |edits: bool| {
        let server = Server::start("chat", &["--edit", "--history", "0"]);
        let enter = || {
            let mut client = server.client();
            client.stream.read_until(b'\n', &mut Vec::new()).expect("a welcome");
            let mut shown = Vec::new();
            if edits {
                client.send(agreed);
                while !shown.ends_with(begun) {
                    client.stream.read_until(begun[7], &mut shown).expect("an editor");
                }
            }
            client
        };
        let _warm: Vec<_> = (0..100).map(|_| enter()).collect();
        let before = server.status("VmRSS");
        let _idle: Vec<_> = (0..CLIENTS).map(|_| enter()).collect();
        server.status("VmRSS") - before
    };
    let (without, with) = (grown(false), grown(true));
    assert!(with < without + CLIENTS / 4, "{with} KiB, and {without} without");
}

#[test]
fn one_over_its_rate_holds_four_kibibytes_of_its_input_at_most() {
    const CLIENTS: u64 = 500;
    let server = Server::start("chat", &["--rate", "1", "--burst", "1"]);
    let mut hasty: Vec<_> = (0..CLIENTS).map(|_| server.guest(&mut [])).collect();
    let before = server.status("VmRSS");
    for client in &mut hasty {
        client.send("much at once\r\n".repeat(1100));
    }
    eventually("read from all", || server.stats()["bytes_in"] >= CLIENTS * 4096);
    let grown = server.status("VmRSS") - before;
    assert!(grown < 7 * CLIENTS, "{grown} KiB for {CLIENTS} clients");
}

#[test]
fn the_servers_need_at_most_forty_one_crates() {
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
    assert!(crates.len() <= 41, "{}: {crates:?}", crates.len());
}
