//! What a telnet client's commands do in the chat, byte by byte.

use std::io::Read;

use crate::harness::{Server, eventually, speaks};

#[test]
fn the_server_says_no_telnet_before_the_client_does() {
    let server = Server::start("chat", &[]);
    let mut ann = server.client();
    ann.expect_bytes(b"*** welcome, you are guest1. nobody else is here yet\r\n");
    let mut bob = server.guest(&mut []);
    bob.send("hi\r\n");
    ann.expect_bytes(b"*** guest2 joined (2 here)\r\n<guest2> hi\r\n");
}

#[test]
fn every_option_a_client_offers_is_refused_and_none_is_shown() {
    let server = Server::start("chat", &[]);
    let mut putty = server.guest(&mut []);
    putty.send(b"\xff\xfb\x18\xff\xfb\x20\xff\xfd\x01\xff\xfd\x03\xff\xfe\x05\xff\xfc\x06");
    putty.expect_bytes(
        b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00\xff\xfe\x18\xff\xfe\x20\xff\xfc\x01\xff\xfc\x03",
    );
    let mut bob = server.guest(&mut [&mut putty]);
    putty.send(b"\xff\xfa\x18\x00\x50\x00\x18\xff\xf0");
    speaks(&mut putty, &mut bob, "hello");
}

#[test]
fn a_client_that_speaks_telnet_is_asked_once_to_send_its_bytes_as_they_are() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    speaks(&mut ann, &mut bob, "no telnet yet");
    speaks(&mut bob, &mut ann, "nor here");
    ann.send(b"\xff\xf1");
    ann.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00");
    ann.send(b"\xff\xfb\x00\xff\xfd\x00\xff\xfe\x00\xff\xf1");
    speaks(&mut ann, &mut bob, "and now as it is");
    speaks(&mut bob, &mut ann, "no further word");
}

#[test]
fn a_timing_mark_is_answered_each_time() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    ann.send(b"\xff\xf1");
    ann.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00");
    for _ in 0..3 {
        ann.send(b"\xff\xfd\x06");
        ann.expect_bytes(b"\xff\xfb\x06");
    }
}

#[test]
fn are_you_there_has_a_visible_answer() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    ann.send(b"\xff\xf6");
    ann.expect("*** yes, still here");
    ann.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00");
    ann.send(b"half a line\xff\xf6");
    ann.expect("");
    ann.expect("*** yes, still here");
}

#[test]
fn a_command_cut_at_every_byte_is_still_one() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let bytes = b"he\xff\xfd\x06l\xff\xfa\x18\xff\xff\xff\xf0lo\r\n";
    for (before, byte) in (0..).zip(bytes) {
        ann.send([*byte]);
        eventually("read", || server.stats()["bytes_in"] == before + 1);
    }
    ann.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00\xff\xfb\x06");
    bob.expect("<guest1> hello");
}

#[test]
fn each_way_to_leave_is_understood() {
    let server = Server::start("chat", &[]);
    let mut witness = server.guest(&mut []);
    for goodbye in [&b"\xff\xec"[..], b"\x04", b"\xff\xf4\xff\xf4", b"\x03\x03"] {
        let mut ann = server.guest(&mut [&mut witness]);
        ann.send(goodbye);
        witness.expect(format_args!("*** {} left", ann.name));
        if goodbye[0] == 0x03 || goodbye[1..].starts_with(b"\xf4") {
            ann.expect("");
            ann.expect("*** ^C again to leave");
        }
        if goodbye[1..].starts_with(b"\xf4") {
            ann.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00");
        }
        ann.expect_eof();
    }
}

#[test]
fn a_flood_of_requests_is_not_answered_by_a_flood() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    ann.send(b"\xff\xfd\x06".repeat(100_000));
    speaks(&mut ann, &mut bob, "done");
    ann.half_close();
    let mut answers = Vec::new();
    ann.stream.read_to_end(&mut answers).expect("the server closes");
    assert!(answers.len() <= 3 * 100, "{} bytes of answers", answers.len());
}

#[test]
fn a_suboption_that_never_ends_holds_no_memory() {
    let server = Server::start("chat", &["--rate", "0"]);
    let mut ann = server.guest(&mut []);
    let before = server.status("VmRSS");
    ann.send(b"\xff\xfa");
    ann.send("x".repeat(4 << 20));
    eventually("read", || server.stats()["bytes_in"] == (4 << 20) + 2);
    let grown = server.status("VmRSS").saturating_sub(before);
    assert!(grown < 256, "{grown} KiB");
}
