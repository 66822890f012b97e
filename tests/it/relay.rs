//! One room on many servers, joined by a real Redis: what is told by the tests of each file is left
//! out, and said to be, where `redis-server` is not installed.

mod cut;
mod engine;
mod host;
mod names;
mod proxy;
mod refusals;
mod strangers;
mod talk;

use std::path::Path;

use crate::harness::{Client, Server};
use engine::Engine;

const CUT_OFF: &str = "*** cut off from the other servers; ";
const TOGETHER: &str = "*** together with the other servers again";

/// What `--relay` gets for a socket at this path.
fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// A chat whose room the engine joins with others, whether or not it does already.
fn alone(engine: &Engine, options: &[&str]) -> Server {
    let relay = unix(&engine.socket());
    Server::start("chat", &[&["--rate", "0", "--relay", &relay], options].concat())
}

/// A chat that shares its room.
#[track_caller]
fn chat(engine: &Engine, options: &[&str]) -> Server {
    let server = alone(engine, options);
    server.logged("shares its room");
    server
}

/// Two such chats, and a guest on each who has read of the other.
#[track_caller]
fn pair(engine: &Engine) -> ([Server; 2], [Client; 2]) {
    let servers = [chat(engine, &[]), chat(engine, &[])];
    let guests = [0, 1].map(|n| servers[n].guest(&mut []));
    (servers, met(guests))
}

/// The guests, once all of them have read who of the others came.
#[track_caller]
fn met<const N: usize>(mut guests: [Client; N]) -> [Client; N] {
    for speaker in 0..N {
        guests[speaker].send("here\r\n");
        let line = format!("<{}> here", guests[speaker].name);
        for listener in (0..N).filter(|it| *it != speaker) {
            guests[listener].skip_to(&line);
        }
    }
    guests
}

/// Says numbered lines.
#[track_caller]
fn say(guest: &mut Client, numbers: impl Iterator<Item = u64>) {
    let lines: String = numbers.map(|n| format!("{n}\r\n")).collect();
    guest.send(lines);
}

/// What a guest read of another's numbered lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    numbers: Vec<u64>,
    /// Lines that it was told it missed.
    missed: u64,
}

impl Heard {
    /// Takes a line, if it is one that `author` said, or tells of lost ones.
    fn take(&mut self, author: &str, line: &str) {
        let said = line.strip_prefix(&format!("<{author}> "));
        let number = said.and_then(|it| it.split(' ').next());
        self.numbers.extend(number.and_then(|it| it.parse::<u64>().ok()));
        if let Some(missed) = line.strip_prefix("*** you missed ") {
            let count = missed.split(' ').next().unwrap_or_default();
            self.missed += count.parse::<u64>().expect("a number");
        }
    }

    /// Each of the lines up to `last` was read once, in order, or counted as missed.
    #[track_caller]
    fn accounts_for(&self, last: u64) {
        assert!(self.numbers.is_sorted_by(|a, b| a < b), "not in order, or twice: {self:?}");
        assert!(self.numbers.last().is_none_or(|it| *it <= last), "not said: {self:?}");
        let total = self.numbers.len() as u64 + self.missed;
        assert_eq!(total, last, "neither read nor missed, or both: {self:?}");
    }
}

/// What `reader` reads of `author`, until it knows of so many lines that it read or missed them.
#[track_caller]
fn hears_of(reader: &mut Client, author: &str, lines: u64) -> Heard {
    let mut heard = Heard::default();
    while heard.numbers.len() as u64 + heard.missed < lines {
        heard.take(author, &reader.line());
    }
    heard.accounts_for(lines);
    heard
}

/// What `reader` reads of `author`, up to the line with this number.
#[track_caller]
fn hears(reader: &mut Client, author: &str, last: u64) -> Heard {
    let mut heard = Heard::default();
    while heard.numbers.last() != Some(&last) {
        heard.take(author, &reader.line());
    }
    heard
}

/// All of the numbered lines up to `last`, and nothing missed.
#[track_caller]
fn hears_all(reader: &mut Client, author: &str, last: u64) {
    let heard = hears(reader, author, last);
    assert_eq!(heard, Heard { numbers: (1..=last).collect(), missed: 0 });
}

/// The lines that a newcomer reads of the past, which end with `*** now:`.
#[track_caller]
fn past(newcomer: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != "*** now:") {
        lines.push(newcomer.line());
    }
    lines
}
