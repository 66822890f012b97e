//! How fast one may speak, and that nothing of it is lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::harness::{Client, Server, eventually};

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

/// Lines that are three times as long once they are cleaned.
fn swelling_lines(count: usize) -> Vec<u8> {
    [&[0x80; 999][..], b"\n"].concat().repeat(count)
}

/// One who says this over and over, and reads all that comes, until its socket is shut down.
fn talk_on(client: &Client, said: Vec<u8>) {
    let (mut writer, mut reader) = (copy(client), copy(client));
    std::thread::spawn(move || while writer.write_all(&said).is_ok() {});
    std::thread::spawn(move || while reader.read(&mut [0; 1 << 16]).is_ok_and(|n| n > 0) {});
}

fn copy(client: &Client) -> TcpStream {
    client.socket().try_clone().expect("a socket")
}

#[test]
fn a_crowd_that_speaks_within_its_rate_keeps_no_other_waiting() {
    // Lines without a bound of their own: then all are held to 64 KiB a second, once they have
    // had their MiB at once, and each speaks a whole read of 16 KiB when it is read again.
    let server = Server::start("chat", &["--rate", "1000000", "--burst", "1000000"]);
    let crowd: Vec<Client> = (0..14).map(|_| server.client()).collect();
    for talker in &crowd {
        talk_on(talker, swelling_lines(100));
    }
    let spoken = |least: u64| eventually("spoken", || server.stats()["lines_in"] > least);
    spoken(14 * 1050);
    let (mut ann, mut bob) = (server.guest(&mut []), server.client());
    bob.line();
    let mut drain = copy(&ann);
    std::thread::spawn(move || while drain.read(&mut [0; 1 << 16]).is_ok_and(|n| n > 0) {});
    let mut waits = Vec::new();
    for n in 0..200 {
        let sent = Instant::now();
        ann.send(format!("{n}\r\n"));
        while bob.said() != format!("<{}> {n}", ann.name) {}
        waits.push(sent.elapsed());
        spoken(14 * 1050 + 10 * n);
    }
    // The slowest tenth is left out: on a busy machine one of them may have waited for a core.
    waits.sort();
    assert!(waits[180] < Duration::from_millis(100), "{:?}", &waits[180..]);
    for talker in &crowd {
        talker.socket().shutdown(Shutdown::Both).expect("connected");
    }
}

#[test]
fn those_who_speak_over_and_over_make_nobody_miss_a_line() {
    let server = Server::start("chat", &["--history", "0"]);
    let mut bob = server.guest(&mut []);
    let attackers: Vec<Client> = (0..10)
        .map(|_| {
            let attacker = server.client();
            talk_on(&attacker, swelling_lines(1000));
            attacker
        })
        .collect();
    for _ in 0..3000 {
        let line = bob.line();
        assert!(!line.starts_with("*** you missed"), "{line}");
    }
    for attacker in &attackers {
        attacker.socket().shutdown(Shutdown::Both).expect("connected");
    }
}
