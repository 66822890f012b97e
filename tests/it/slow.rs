//! Clients that read slowly, or not for a while: as long as they take something they stay.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::harness::{Client, Server, eventually};

/// What is far above the seconds that these tests take counts as a client that never reads.
const LIMITS: [&str; 4] = ["--stall", "3", "--dead", "4"];

/// Three times --dead.
const LONG: Duration = Duration::from_secs(12);

#[test]
fn a_steady_reader_of_a_kibibyte_a_second_gets_every_byte() {
    let long_lines = format!("%T{}", "t".repeat(3000));
    let time = Server::start("time", &[&LIMITS[..], &["--format", &long_lines]].concat());
    let echo = Server::start("echo", &LIMITS);
    let chat = Server::start("chat", &[&LIMITS[..], &["--rate", "0"]].concat());
    let mut readers = [&time, &echo, &chat].map(Server::small_client);
    readers[2].line();
    let mut speaker = chat.guest(&mut [&mut readers[2]]);

    let sent: Vec<u8> = (0..60_000_u32).map(|n| (n / 7) as u8).collect();
    readers[1].send(&sent);
    let said: String = (0..300).map(|n| format!("{n}{}\r\n", "c".repeat(500))).collect();
    speaker.send(&said);
    let mut read = [const { Vec::new() }; 3];
    read_steadily(&mut readers, &mut read, 1024, LONG);

    let [time, echo, chat] = &mut readers;
    finish(echo, &mut read[1], sent.len());
    assert!(read[1] == sent);
    let due = said.split_inclusive('\n').map(|line| format!("<guest2> {line}"));
    let due = due.collect::<String>().into_bytes();
    finish(chat, &mut read[2], due.len());
    assert!(read[2] == due);
    let begun = read[0].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let len = "12:34:56".len() + 3000 + 2;
    finish(time, &mut read[0], begun + len);
    assert!(read[0].chunks(len).all(|line| line[8..] == *("t".repeat(3000) + "\r\n").as_bytes()));
}

/// Linux' TCP_USER_TIMEOUT counts from the first of the two.
#[test]
fn one_who_reads_nothing_for_a_second_twice_is_not_cut() {
    let server = Server::start("echo", &LIMITS);
    let mut client = server.small_client();
    let started = Instant::now();
    let mut pause = || {
        client.send([b'x'; 30_000]);
        let paused = Instant::now();
        eventually("time to read on", || paused.elapsed() > Duration::from_secs(1));
        client.expect_bytes(&[b'x'; 30_000]);
        client.send("prompt");
        client.expect_bytes(b"prompt");
    };
    pause();
    eventually("later", || started.elapsed() > Duration::from_secs(6));
    pause();
}

#[test]
fn a_fin_is_answered_by_all_that_was_sent_however_slowly_it_is_read() {
    let server = Server::start("echo", &LIMITS);
    let mut clients = [server.small_client()];
    clients[0].send([b'x'; 60_000]);
    clients[0].half_close();
    let mut read = [Vec::new()];
    read_steadily(&mut clients, &mut read, 2 * 1024, Duration::from_secs(6));
    finish(&mut clients[0], &mut read[0], 60_000);
    clients[0].expect_eof();
    assert!(server.logged("closed").contains("reason=left"));
}

#[test]
fn one_who_says_goodbye_and_takes_nothing_loses_its_place_after_dead() {
    let server = Server::start("echo", &["--stall", "1", "--dead", "2"]);
    let mut client = server.small_client();
    client.send([b'x'; 30_000]);
    client.half_close();
    server.logged("closed");
    eventually("cut", || server.stats()["clients"] == 0);
    client.expect_reset();
}

#[test]
fn one_who_takes_nothing_of_what_the_kernel_holds_for_it_is_cut_after_dead() {
    let server = Server::start("echo", &["--stall", "1", "--dead", "2"]);
    let mut client = server.small_client();
    client.send([b'x'; 30_000]);
    let closed = server.logged("closed");
    assert!(closed.contains("reason=stalled"), "{closed}");
    assert!(closed.contains("bytes_out=30000"), "{closed}");
    eventually("cut", || server.stats()["clients"] == 0);
    client.expect_reset();
}

#[test]
fn one_who_leaves_has_its_time_to_read_although_the_server_is_stopped_meanwhile() {
    let server = Server::start("chat", &["--rate", "0"]);
    let mut leaver = server.small_client();
    leaver.line();
    let mut speaker = server.guest(&mut [&mut leaver]);
    speaker.send(format!("{}\r\n", "x".repeat(600)).repeat(300));
    eventually("said", || server.stats()["lines_in"] == 300);
    leaver.half_close();
    assert!(speaker.line().starts_with("*** guest1 left"));
    server.hold();
    let held = Instant::now();
    eventually("longer than two seconds", || held.elapsed() > Duration::from_millis(2200));
    server.go_on();
    for _ in 0..300 {
        assert_eq!(leaver.line().len(), "<guest2> ".len() + 600);
    }
    leaver.expect_eof();
}

/// Takes `rate` bytes a second from each, in twenty portions.
fn read_steadily(clients: &mut [Client], read: &mut [Vec<u8>], rate: usize, time: Duration) {
    let (started, mut due) = (Instant::now(), Duration::ZERO);
    while due < time {
        due += Duration::from_millis(50);
        eventually("time to read on", || started.elapsed() >= due);
        for (client, read) in clients.iter_mut().zip(&mut *read) {
            finish(client, read, read.len() + rate / 20);
        }
    }
}

/// Reads on until it has `len` bytes.
#[track_caller]
fn finish(client: &mut Client, read: &mut Vec<u8>, len: usize) {
    let mut socket = client.socket();
    let begun = read.len();
    read.resize(len.max(begun), 0);
    socket.read_exact(&mut read[begun..]).expect("it is not cut");
}
