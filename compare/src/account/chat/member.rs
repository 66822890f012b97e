//! One who takes part in a round: what it says, what it hears, and how it goes.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::order::Hearing;
use crate::Result;
use crate::account::client::Client;
use crate::stats::Dice;

/// Bytes that no line shows: IAC NOP, a timing mark, AYT, two characters typed and erased.
const UNSEEN: [&[u8]; 4] = [b"\xff\xf1", b"\xff\xfd\x06", b"\xff\xf6", b"zz\x7f\x08"];

/// ^D.
const END_OF_FILE: u8 = 4;

pub(super) struct Member {
    client: Client,
    pub(super) hearing: Hearing,
    /// Its lines, as others are to hear them behind its name.
    pub(super) says: Vec<String>,
    out: Vec<u8>,
    sent: usize,
    /// It goes once it has said all: with its last line unfinished, or with ^D.
    half_closes: bool,
    leaves: bool,
    /// The server has closed its connection, as it was to.
    pub(super) is_gone: bool,
}

impl Member {
    pub(super) fn join(
        address: SocketAddr,
        dice: Dice,
        token: &str,
        narrow: bool,
    ) -> Result<Member> {
        Ok(Member {
            client: Client::connect(address, dice, narrow)?,
            hearing: Hearing::new(token),
            says: Vec::new(),
            out: Vec::new(),
            sent: 0,
            half_closes: false,
            leaves: false,
            is_gone: false,
        })
    }

    pub(super) fn hurry(&mut self, now: Instant) {
        self.client.hurry(now);
    }

    /// Says a line that is none of its own.
    pub(super) fn call(&mut self, line: &str) {
        self.out.extend([line, "\n"].concat().bytes());
    }

    /// Gives it all its lines to say, and maybe an end.
    pub(super) fn speak(&mut self, is_long: bool) {
        let Member { client, says, out, .. } = self;
        if is_long {
            // Fast enough for who reads slowly to fall behind.
            client.most[0] = 20_000;
        }
        let dice = &mut client.dice;
        (self.half_closes, self.leaves) = (dice.one_in(20), dice.one_in(20));
        let count = if is_long { 100 + dice.below(600) } else { dice.below(150) };
        let count = if dice.one_in(5) { 0 } else { count };
        for number in 0..count {
            let most = if dice.one_in(4) { 900 } else { 40 };
            let letters = if is_long { 700 + dice.below(250) } else { 1 + dice.below(most) };
            let letter = (b'a' + (number % 26) as u8) as char;
            let line = format!("{number} {}", letter.to_string().repeat(letters));
            out.extend(line.bytes());
            says.push(line);
            if dice.one_in(8) {
                out.extend(UNSEEN[dice.below(4)]);
            }
            if !self.half_closes || number + 1 < count {
                out.extend(if dice.one_in(2) { &b"\r\n"[..] } else { b"\n" });
            }
        }
        if self.leaves && !self.half_closes {
            out.push(END_OF_FILE);
        }
        if dice.one_in(if is_long { 3 } else { 20 }) {
            client.due[1] = Instant::now() + Duration::from_millis(dice.below(800) as u64);
        }
    }

    pub(super) fn goes(&self) -> bool {
        self.half_closes || self.leaves
    }

    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.is_gone || self.client.is_stuck(now)
    }

    /// Sends, reads and goes, as far as it is time to; true when anything moved.
    pub(super) fn step(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<bool> {
        if self.is_gone {
            return Ok(false);
        }
        let moved = self.client.step(now, &self.out[self.sent..], buffer);
        let is_over = self.goes() && self.sent == self.out.len();
        match moved {
            // One who goes and reads slowly is reset after a while.
            Ok((_, Some(0))) | Err(_) if is_over => self.is_gone = true,
            Ok((_, Some(0))) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok((sent, read)) => {
                self.sent += sent;
                self.hearing.take(&buffer[..read.unwrap_or(0)]);
                if is_over && self.half_closes {
                    self.client.half_close();
                }
                return Ok(sent > 0 || read.is_some());
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    pub(super) fn told(&self) -> String {
        let Member { hearing, says, out, sent, .. } = self;
        let Hearing { name, heard, missed, .. } = hearing;
        let (lines, heard, all) = (says.len(), heard.len(), out.len());
        format!(
            "{name} ({lines} lines, {sent} of {all} bytes sent; {heard} heard, {missed} missed)"
        )
    }
}
