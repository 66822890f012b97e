//! How fast one may speak, and that nothing of it is lost.

use std::time::{Duration, Instant};

use crate::harness::{Server, speaks};

#[test]
fn a_paste_of_a_thousand_lines_is_not_held_back() {
    let server = Server::start("chat", &["--rate", "1"]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let paste: String = (0..1000).map(|n| format!("line {n}\r\n")).collect();
    ann.send(paste);
    for n in 0..1000 {
        bob.expect(format_args!("<guest1> line {n}"));
    }
}

#[test]
fn one_over_its_pace_is_slowed_and_loses_nothing() {
    let server = Server::start("chat", &["--rate", "50", "--burst", "10"]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let started = Instant::now();
    let paste: String = (0..60).map(|n| format!("line {n}\r\n")).collect();
    ann.send(paste);
    speaks(&mut bob, &mut ann, "meanwhile");
    for n in 0..60 {
        bob.expect(format_args!("<guest1> line {n}"));
    }
    // The ten of the burst at once, the others 20 ms apart, the last of which bob need not await.
    assert!(started.elapsed() >= Duration::from_millis(20 * 49));
}

#[test]
fn one_who_leaves_while_held_back_is_still_heard_to_the_end() {
    let server = Server::start("chat", &["--rate", "50", "--burst", "1"]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    ann.send("1\r\n2\r\n3\r\n4\r\n5\r\nthe end");
    ann.half_close();
    for said in ["1", "2", "3", "4", "5", "the end"] {
        bob.expect(format_args!("<guest1> {said}"));
    }
    bob.expect("*** guest1 left");
}

#[test]
fn one_who_only_writes_is_not_read_while_half_the_log_waits_for_it() {
    let server = Server::start("chat", &["--rate", "0", "--stall", "60", "--dead", "70"]);
    let mut bob = server.guest(&mut []);
    let mut eve = server.guest(&mut [&mut bob]);
    let mut ann = server.guest_over(server.small_client(), &mut [&mut bob, &mut eve]);
    let line = "x".repeat(900) + "\r\n";
    for _ in 0..1000 {
        bob.send(&line);
        eve.said();
    }
    ann.send_until_blocked(line.repeat(100).as_bytes());
    bob.send("ann is not in the way\r\n");
    eve.skip_to("<guest1> ann is not in the way");
}
