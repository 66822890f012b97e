//! A telnet client's bytes, turned into lines and the few commands that matter (RFC 854). No I/O.
//!
//! It serves clients that speak no telnet just as well: PuTTY raw, nc, ncat. Nothing is negotiated
//! before the client has sent a telnet command, and then one option: it is asked for BINARY
//! (RFC 856), since the telnet of inetutils takes bytes of UTF-8 characters for control keys until
//! then (see `Ask`). Every other option is refused, so every client stays in the line mode it starts
//! in. Any input may be split at any byte.

use std::ops::ControlFlow;

use crate::text::{character_start, continues_character};

/// Bytes of a line without its end, at most; a longer one is split at a character.
pub(crate) const LINE_BYTES: usize = 1000;

/// Answers to telnet commands a connection has for free; each finished line earns one more, and so
/// does each byte that was sent as a command. Two polite peers would otherwise talk for ever (RFC 1143), and a flood of requests would be
/// answered by a flood.
pub(crate) const REPLIES: u8 = 40;

/// Bytes of a suboption, at most. We agree to no option that has any, so a longer one has lost its
/// end: what follows is skipped up to the end of that line, and then read again.
const SUBOPTION_BYTES: u8 = 64;

/// What the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It finished a line, or went over [`LINE_BYTES`]: [`Telnet::line`] has the bytes, as typed
    /// and not cleaned.
    Line,
    /// It spoke telnet for the first time, or asked for an option or a timing mark: send these
    /// three bytes.
    Reply([u8; 3]),
    /// It asks whether anybody is there: something visible is due (RFC 854, AYT).
    AreYouThere,
    /// It typed ^C, sent as a character or as telnet's interrupt process: the unfinished line
    /// is dropped.
    Interrupt,
    /// It wants to leave: end of file, or ^D on an empty line.
    Leave,
}

/// The answer to the timing mark that telnet sends behind its ^C (RFC 860).
pub(crate) const TIMING_MARK_REPLY: [u8; 3] = [IAC, WILL, TIMING_MARK];

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const ERASE_LINE: u8 = 248;
const ERASE_CHARACTER: u8 = 247;
const ARE_YOU_THERE: u8 = 246;
const ABORT_OUTPUT: u8 = 245;
const INTERRUPT_PROCESS: u8 = 244;
const BREAK: u8 = 243;
const SE: u8 = 240;
const SUSPEND: u8 = 237;
const END_OF_FILE: u8 = 236;
const TIMING_MARK: u8 = 6;
const BINARY: u8 = 0;

/// What a client is told that has sent its first command, one after the other.
///
/// The telnet of inetutils takes bytes of UTF-8 characters for control keys until it is asked to send
/// its bytes as they are typed. That we would do the same, and then that we do not, sets its
/// terminal right: it has taken 0x85 for its key that turns the echo of the keyboard off and on
/// again, and forgets it when an option of ours changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Do,
    Will,
    Wont,
}

impl Ask {
    fn verb(self) -> u8 {
        match self {
            Ask::Do => DO,
            Ask::Will => WILL,
            Ask::Wont => WONT,
        }
    }

    fn next(self) -> Binary {
        match self {
            Ask::Do => Binary::Due(Ask::Will),
            Ask::Will => Binary::Due(Ask::Wont),
            Ask::Wont => Binary::Asked,
        }
    }
}

/// The machine: feed it with [`next`](Self::next).
#[derive(Debug)]
pub(crate) struct Telnet {
    state: State,
    binary: Binary,
    /// Its DO BINARY is still to come, as the answer to ours.
    offered: bool,
    /// A CR ended the last line: an LF or NUL that follows belongs to it.
    after_cr: bool,
    /// Replies that may still be given.
    credit: u8,
    line: Vec<u8>,
    /// Bytes at the start of `line` that were handed out already; at most [`LINE_BYTES`].
    taken: u16,
}

/// Whether the client sends its bytes as they are typed (RFC 856).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    /// The client has sent no telnet command, and may be one that would show ours to a person.
    Unasked,
    /// It has: this is the next event.
    Due(Ask),
    Asked,
    /// It said WONT: a WILL that follows is its own wish, and wants an answer.
    Refused,
    Agreed,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Data,
    Command,
    /// After DO, DONT, WILL or WONT: its option comes next.
    Option(u8),
    /// Within a suboption of so many bytes so far.
    Suboption(u8),
    SuboptionCommand(u8),
    /// Behind a suboption that has no end, until the line has one.
    Skip,
}

impl Default for Telnet {
    fn default() -> Self {
        Telnet {
            state: State::Data,
            binary: Binary::Unasked,
            offered: false,
            after_cr: false,
            credit: REPLIES,
            line: Vec::new(),
            taken: 0,
        }
    }
}

impl Telnet {
    /// Consumes `input` up to and including the next event; `None` when all of it is consumed.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Event> {
        self.line.drain(..usize::from(self.taken));
        self.taken = 0;
        loop {
            if let Binary::Due(ask) = self.binary {
                self.binary = ask.next();
                self.offered = true;
                return Some(Event::Reply([IAC, ask.verb(), BINARY]));
            }
            let Some((&byte, rest)) = input.split_first() else { break };
            *input = rest;
            match self.step(byte) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(Found::Line(len)) => {
                    self.taken = len as u16;
                    self.earn();
                    return Some(Event::Line);
                }
                ControlFlow::Break(Found::Reply(verb, option)) if self.spend() => {
                    return Some(Event::Reply([IAC, verb, option]));
                }
                ControlFlow::Break(Found::AreYouThere) if self.spend() => {
                    return Some(Event::AreYouThere);
                }
                ControlFlow::Break(Found::Interrupt) => return Some(Event::Interrupt),
                ControlFlow::Break(Found::Leave) => return Some(Event::Leave),
                ControlFlow::Break(Found::Reply(..) | Found::AreYouThere) => {}
            }
        }
        if self.line.is_empty() {
            self.line = Vec::new();
        }
        None
    }

    /// The line of an [`Event::Line`], until the next call of [`next`](Self::next).
    pub(crate) fn line(&self) -> &[u8] {
        &self.line[..usize::from(self.taken)]
    }

    /// The line left unfinished when the client has said its last; empty when there is none.
    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.line[usize::from(self.taken)..]
    }

    /// Whether it has sent a telnet command; one that never does may be any program.
    pub(crate) fn is_telnet(&self) -> bool {
        self.binary != Binary::Unasked
    }

    fn step(&mut self, byte: u8) -> ControlFlow<Found> {
        match self.state {
            State::Data if byte == IAC => self.state = State::Command,
            State::Data => return self.data(byte),
            State::Command => {
                self.state = State::Data;
                return self.command(byte);
            }
            State::Option(verb) => {
                self.state = State::Data;
                return self.option(verb, byte);
            }
            State::Suboption(len) if byte == IAC => self.state = State::SuboptionCommand(len),
            State::SuboptionCommand(_) if byte == SE => self.state = State::Data,
            State::Suboption(len) | State::SuboptionCommand(len) => {
                let goes_on = len < SUBOPTION_BYTES;
                self.state = if goes_on { State::Suboption(len + 1) } else { State::Skip };
            }
            State::Skip if matches!(byte, b'\r' | b'\n') => {
                self.state = State::Data;
                return self.data(byte);
            }
            State::Skip => {}
        }
        ControlFlow::Continue(())
    }

    fn option(&mut self, verb: u8, option: u8) -> ControlFlow<Found> {
        let answer = match (verb, option) {
            (WILL, BINARY) => {
                let asked = std::mem::replace(&mut self.binary, Binary::Agreed);
                if asked != Binary::Refused {
                    return ControlFlow::Continue(());
                }
                DO
            }
            (WONT, BINARY) => {
                self.binary = Binary::Refused;
                return ControlFlow::Continue(());
            }
            (DO, BINARY) if std::mem::take(&mut self.offered) => {
                return ControlFlow::Continue(());
            }
            (DO, TIMING_MARK) => WILL,
            (DO, _) => WONT,
            (WILL, _) => DONT,
            _ => return ControlFlow::Continue(()),
        };
        ControlFlow::Break(Found::Reply(answer, option))
    }

    fn command(&mut self, byte: u8) -> ControlFlow<Found> {
        if self.binary == Binary::Unasked && (END_OF_FILE..IAC).contains(&byte) {
            self.binary = Binary::Due(Ask::Do);
        }
        if let Some(typed) = self.typed(byte) {
            self.earn();
            return self.text(typed);
        }
        match byte {
            IAC => return self.text(IAC),
            DO | DONT | WILL | WONT => self.state = State::Option(byte),
            SB => self.state = State::Suboption(0),
            ERASE_LINE => self.line.clear(),
            ERASE_CHARACTER => self.erase_character(),
            ARE_YOU_THERE => return ControlFlow::Break(Found::AreYouThere),
            INTERRUPT_PROCESS => return self.interrupt(),
            END_OF_FILE => return ControlFlow::Break(Found::Leave),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// The byte that was typed where the telnet of inetutils sends this command. Until it has
    /// agreed to BINARY it looks for the terminal's control characters without the top bit, so
    /// that 0x83, the second byte of `у`, is its ^C.
    fn typed(&self, command: u8) -> Option<u8> {
        let typed = match command {
            INTERRUPT_PROCESS => 0x83,
            ABORT_OUTPUT => 0x8f,
            SUSPEND => 0x9a,
            BREAK => 0x9c,
            _ => return None,
        };
        let is_meant = self.binary != Binary::Agreed && continues_character(&self.line, typed);
        is_meant.then_some(typed)
    }

    fn data(&mut self, byte: u8) -> ControlFlow<Found> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' | 0 if after_cr => {}
            b'\r' | b'\n' => return ControlFlow::Break(Found::Line(self.line.len())),
            // ^H and DEL; ^W; ^U; ^C; ^D.
            0x08 | 0x7f => self.erase_character(),
            0x17 => self.erase_word(),
            0x15 => self.line.clear(),
            0x03 => return self.interrupt(),
            0x04 if self.line.is_empty() => return ControlFlow::Break(Found::Leave),
            0 | 0x04 => {}
            _ => return self.text(byte),
        }
        ControlFlow::Continue(())
    }

    fn text(&mut self, byte: u8) -> ControlFlow<Found> {
        self.after_cr = false;
        if self.line.is_empty() {
            self.line.reserve_exact(64);
        }
        self.line.push(byte);
        if self.line.len() <= LINE_BYTES {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Found::Line(character_start(&self.line, LINE_BYTES)))
    }

    fn interrupt(&mut self) -> ControlFlow<Found> {
        self.line.clear();
        ControlFlow::Break(Found::Interrupt)
    }

    fn erase_character(&mut self) {
        let start = character_start(&self.line, self.line.len().saturating_sub(1));
        self.line.truncate(start);
    }

    fn erase_word(&mut self) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let end = self.line.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1);
        let start = self.line[..end].iter().rposition(is_space).map_or(0, |space| space + 1);
        self.line.truncate(start);
    }

    fn earn(&mut self) {
        self.credit = (self.credit + 1).min(REPLIES);
    }

    fn spend(&mut self) -> bool {
        let usage = self.credit.checked_sub(1);
        self.credit = usage.unwrap_or(0);
        usage.is_some()
    }
}

enum Found {
    Line(usize),
    Reply(u8, u8),
    AreYouThere,
    Interrupt,
    Leave,
}

#[cfg(test)]
mod tests;
