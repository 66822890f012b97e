//! What others than chats write into the engine.

use super::engine::Engine;
use super::pair;
use crate::harness::{eventually, speaks};

const FIELDS: [&str; 6] = ["origin", "sequence", "here", "kind", "name", "text"];

/// The command that writes an entry with these values.
fn entry(values: [&[u8]; 6]) -> Vec<Vec<u8>> {
    let mut command: Vec<Vec<u8>> = ["XADD", "room:lobby", "*"].map(Vec::from).into();
    for (field, value) in FIELDS.iter().zip(values) {
        command.extend([field.as_bytes().to_vec(), value.to_vec()]);
    }
    command
}

#[test]
fn what_strangers_write_is_skipped_or_cleaned() {
    let Some(engine) = Engine::start("relay-strangers", &[]) else { return };
    let (_servers, [mut ann, mut bob]) = pair(&engine);
    let mut stranger = engine.client();
    let long = "x".repeat(100 * 1024).into_bytes();
    let huge = u64::MAX.to_string();
    let skipped: [[&[u8]; 6]; 11] = [
        [b"", b"1", b"1", b"said", b"eve", b"no origin"],
        [b"what", b"1", b"1", b"said", b"eve", b"no number"],
        [b"fffffffffffffffff", b"1", b"1", b"said", b"eve", b"too large an origin"],
        [b"e", b"-1", b"1", b"said", b"eve", b"below zero"],
        [b"e", b"99999999999999999999", b"1", b"said", b"eve", b"too large"],
        [b"e", b"1", b"", b"said", b"eve", b"nobody knows how many"],
        [b"e", b"1", b"1", b"sung", b"eve", b"no such kind"],
        [b"e", b"1", b"1", b"said", b"eve> hi <eve", b"two at once"],
        [b"e", b"1", b"1", b"said", b"***", b"not the server"],
        [b"e", b"1", b"1", b"said", &long, b"a name of 100 KiB"],
        [b"e", b"1", b"1", b"left", b"eve", b"joined, and all of you are fools"],
    ];
    for values in skipped {
        stranger.ask(&entry(values)).expect("it is written");
    }
    stranger.ask(&["XADD", "room:lobby", "*", "no", "line"]).expect("it is written");
    stranger.ask(&["XADD", "room:lobby", "*", "", ""]).expect("it is written");
    let told = "\x1b[2J\x07*** welcome\r\n<ann> \u{202e}I am\u{9b}31m a fool".as_bytes();
    let cleaned: [[&[u8]; 6]; 2] = [
        [b"e", b"1", b"1", b"said", b"eve\x1b", told],
        [b"e", b"2", huge.as_bytes(), b"said", b"eve", &long],
    ];
    for values in cleaned {
        stranger.ask(&entry(values)).expect("it is written");
    }
    for guest in [&mut ann, &mut bob] {
        let line = guest.line();
        assert!(line.starts_with("<eve") && line.ends_with(" a fool"), "{line:?}");
        let is_closed = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(line.chars().all(is_closed), "{line:?}");
        assert_eq!(guest.line(), format!("<eve> {}", "x".repeat(4000)));
    }
    speaks(&mut ann, &mut bob, "hello");
    speaks(&mut bob, &mut ann, "hello");
}

#[test]
fn however_much_strangers_write_at_once_the_talk_goes_on() {
    let Some(engine) = Engine::start("relay-much", &[]) else { return };
    let (servers, [mut ann, mut bob]) = pair(&engine);
    let long = "x".repeat(100 * 1024);
    servers[1].hold();
    let before = engine.count(&["XLEN", "room:lobby"]);
    for _ in 0..40 {
        engine.ask(&["XADD", "room:lobby", "*", "no", &long]);
    }
    let many = [["XADD", "room:lobby", "*"].as_slice(), &["no"; 40_000]].concat();
    engine.ask(&many);
    let large = [["XADD", "room:lobby", "*"].as_slice(), &[long.as_str(); 128]].concat();
    (0..8).for_each(|_| drop(engine.ask(&large)));
    let said = "y".repeat(1000);
    ann.send(format!("{said}\r\n"));
    eventually("written", || engine.count(&["XLEN", "room:lobby"]) >= 40 + 1 + 8 + 1 + before);
    servers[1].go_on();
    bob.expect(format_args!("<{}> {said}", ann.name));
    speaks(&mut ann, &mut bob, "hello");
    speaks(&mut bob, &mut ann, "hello");
}

/// What servers say of themselves stands in a hash.
#[test]
fn servers_that_are_none_and_numbers_that_cannot_be_harm_nobody() {
    let Some(engine) = Engine::start("relay-hash", &[]) else { return };
    let huge = u64::MAX;
    for (letters, beat) in [
        ("x", format!("e {huge} 0 {huge} {huge} eve <eve> *** \x1b[2J")),
        ("y", format!("f {huge} 0 {huge} {huge} eve")),
        ("z", "no beat".to_owned()),
        ("ABC", String::new()),
    ] {
        engine.ask(&["HSET", "room:lobby:servers", letters, &beat]);
    }
    let (_servers, [mut ann, mut bob]) = pair(&engine);
    let [v, w] = ["c", "d"].map(|origin| format!("{origin} 1 0 {huge} 1 eve"));
    engine.ask(&["HSET", "room:lobby:servers", "v", &v, "w", &w]);
    // The next beats of both read them.
    bob.skip_to(format_args!("*** you missed {huge} lines"));
    ann.skip_to(format_args!("*** you missed {huge} lines"));
    ann.send("hello\r\n");
    bob.expect_said(format_args!("<{}> hello", ann.name));
}
