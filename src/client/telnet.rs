//! A telnet client's bytes, turned into lines and the few commands that matter (RFC 854). No I/O.
//!
//! It serves clients that speak no telnet just as well: PuTTY raw, nc, ncat. Nothing is negotiated
//! before the client has sent a telnet command, unless the service has sent the [`FIRST_OFFER`].
//! Then it is asked for BINARY (RFC 856), see `REQUESTS`. One that says by itself that it knows the
//! size of its window is offered the editor, where the service has one: that we show what is typed
//! (ECHO, RFC 857), and that it sends each key at once (SGA, RFC 858). Every other option is refused,
//! and a client that does not agree stays in the line mode that it starts in. Any input may be split
//! at any byte.

use crate::text::{character_start, continues_character};

/// Bytes of a line without its end, at most; a longer one is split at a character.
pub(crate) const LINE_BYTES: usize = 1000;

/// Answers to telnet commands that a client gets for nothing; each finished line earns one more,
/// and so does each byte that was sent as a command. Two polite peers would otherwise talk for ever
/// (RFC 1143), and a flood of requests would be answered by a flood.
pub(crate) const REPLIES: u8 = 40;

/// Bytes of a suboption, at most. The only one we ask for has five, so a longer one has lost its end:
/// what follows is skipped up to the end of that line, and then read again.
const SUBOPTION_BYTES: u8 = 64;

/// Bytes of the suboption that tells the size of a window: the option, two for its columns and two
/// for its rows (RFC 1073).
const SIZE_BYTES: u8 = 5;

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
    /// For the reader: it has agreed to the editor, or agrees no more.
    Edit(bool),
    /// For the reader: it sent this byte to the editor.
    Key(u8),
    /// For the reader: its window has so many columns; 0 is unknown.
    Columns(u16),
    /// Keys have changed what the editor shows; told by the reader, once it has taken them all.
    Typed,
}

/// What offers the editor to a client that has said nothing yet.
pub(crate) const FIRST_OFFER: [u8; 9] =
    [IAC, WILL, ECHO, IAC, WILL, GO_AHEAD, IAC, DO, WINDOW_SIZE];

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
const WINDOW_SIZE: u8 = 31;
const TIMING_MARK: u8 = 6;
const GO_AHEAD: u8 = 3;
const ECHO: u8 = 1;
const BINARY: u8 = 0;

/// What we say by ourselves, in this order; each is due once.
const DUE: [[u8; 2]; 8] = [
    [DO, BINARY],
    [WILL, BINARY],
    [WONT, BINARY],
    [WILL, ECHO],
    [WILL, GO_AHEAD],
    [DO, WINDOW_SIZE],
    [WONT, ECHO],
    [WONT, GO_AHEAD],
];

/// Those of [`DUE`], as bits, that a client is sent once it has used a command: a request to send
/// its bytes as they are typed, the same offered by us, and the offer withdrawn.
///
/// The telnet of inetutils takes bytes of UTF-8 characters for control keys until it is asked for
/// BINARY. The offer sets its terminal right: it has taken 0x85 for the key that turns the
/// keyboard's echo off, and forgets that when an option of ours changes.
const REQUESTS: u8 = 0b0000_0111;

/// Those that offer the editor, and those that take the offer back.
const OFFER: u8 = 0b0011_1000;
const END_OF_OFFER: u8 = 0b1100_0000;

/// The parser of one client's bytes: call [`next`](Self::next) until it has no more events.
#[derive(Debug, Default)]
pub(crate) struct Telnet {
    state: State,
    binary: Binary,
    editing: Editing,
    /// What of [`DUE`] is to be sent.
    due: u8,
    /// Its DO BINARY is still to come, as the answer to our WILL.
    offered: bool,
    /// A CR ended the last line: an LF or NUL that follows belongs to it.
    after_cr: bool,
    /// Replies given and not earned again, at most [`REPLIES`].
    replies: u8,
    /// The columns of its window, once it has said.
    columns: u16,
    /// The last two bytes of a suboption that may be those columns.
    size: [u8; 2],
    line: Vec<u8>,
    /// Bytes at the start of `line` that are the last event's line; at most [`LINE_BYTES`].
    taken: u16,
}

/// Whether the client sends its bytes as they are typed (RFC 856).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Binary {
    /// It was not asked: it has used no telnet command, and may be a program that would show ours
    /// to a person.
    #[default]
    Unasked,
    Asked,
    /// It said WONT: a WILL that follows is its own wish, and wants an answer.
    Refused,
    Agreed,
}

/// Whether the client has the editor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Editing {
    /// It never will: the service has none, or the client has refused.
    #[default]
    Never,
    /// It will be offered, once the client offers to say the size of its window.
    Possible,
    Offered,
    /// The client leaves it to us to show what is typed.
    Agreed,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Data,
    /// A command: the last byte was IAC.
    Command,
    /// The option of this DO, DONT, WILL or WONT.
    Option(u8),
    /// A suboption that has this many bytes so far.
    Suboption(u8),
    /// A suboption in which the last byte was IAC.
    SuboptionCommand(u8),
    /// A suboption too long to be one: all is skipped up to the end of the line.
    Skip,
}

impl Telnet {
    /// Consumes `input` up to and including the next event; `None` when all of it is consumed.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Event> {
        self.line.drain(..usize::from(self.taken));
        self.taken = 0;
        loop {
            if self.due > 0 {
                return Some(self.say_due());
            }
            let Some((&byte, rest)) = input.split_first() else { break };
            *input = rest;
            if let Some(event) = self.step(byte) {
                return Some(event);
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

    /// The line begun and not ended: at the end of input, the client's last words.
    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.line[usize::from(self.taken)..]
    }

    /// Whether it has sent a telnet command; one that never does may be any program.
    pub(crate) fn is_telnet(&self) -> bool {
        self.binary != Binary::Unasked
    }

    /// The client may have the editor: it was sent [`FIRST_OFFER`], or will be offered it once it
    /// says that it has a window.
    pub(crate) fn offer(&mut self, was_offered: bool) {
        self.editing = if was_offered { Editing::Offered } else { Editing::Possible };
    }

    /// Makes this the line of an [`Event::Line`], of [`LINE_BYTES`] at most.
    pub(crate) fn set_line(&mut self, line: Vec<u8>) {
        self.earn();
        self.taken = line.len() as u16;
        self.line = line;
    }

    /// Makes this the line begun and not ended, behind an event that is no line; of [`LINE_BYTES`]
    /// at most.
    pub(crate) fn set_unfinished(&mut self, line: Vec<u8>) {
        self.taken = 0;
        self.line = line;
    }

    /// Takes the line begun and not ended, behind an event that is no line.
    pub(crate) fn take_unfinished(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }

    /// The columns of the client's window, 0 if it has not said.
    pub(crate) fn columns(&self) -> u16 {
        self.columns
    }

    /// Whether the client has agreed to the editor.
    pub(crate) fn is_editing(&self) -> bool {
        self.editing == Editing::Agreed
    }

    fn say_due(&mut self) -> Event {
        let next = self.due.trailing_zeros() as usize;
        self.due &= self.due - 1;
        let [verb, option] = DUE[next];
        self.offered |= option == BINARY;
        Event::Reply([IAC, verb, option])
    }

    fn step(&mut self, byte: u8) -> Option<Event> {
        match std::mem::take(&mut self.state) {
            State::Data if byte == IAC => self.state = State::Command,
            State::Data => return self.data(byte),
            State::Command => return self.command(byte),
            State::Option(verb) => return self.option(verb, byte),
            State::Suboption(len) if byte == IAC => self.state = State::SuboptionCommand(len),
            State::SuboptionCommand(len) if byte == SE => return self.suboption(len),
            State::Suboption(len) | State::SuboptionCommand(len) if len < SUBOPTION_BYTES => {
                self.state = self.suboption_byte(len, byte);
            }
            State::Skip if matches!(byte, b'\r' | b'\n') => return self.data(byte),
            _ => self.state = State::Skip,
        }
        None
    }

    fn command(&mut self, byte: u8) -> Option<Event> {
        if self.binary == Binary::Unasked && (END_OF_FILE..IAC).contains(&byte) {
            self.binary = Binary::Asked;
            self.due |= REQUESTS;
        }
        if let Some(typed) = self.typed(byte) {
            self.earn();
            return self.text(typed);
        }
        match byte {
            IAC if self.is_editing() => return Some(Event::Key(IAC)),
            IAC => return self.text(IAC),
            DO | DONT | WILL | WONT => self.state = State::Option(byte),
            SB => self.state = State::Suboption(0),
            // As the keys that do the same.
            ERASE_LINE => return self.data(0x15),
            ERASE_CHARACTER => return self.data(0x7f),
            INTERRUPT_PROCESS => return self.data(0x03),
            ARE_YOU_THERE => return self.reply(Event::AreYouThere),
            END_OF_FILE => return Some(Event::Leave),
            _ => {}
        }
        None
    }

    fn option(&mut self, verb: u8, option: u8) -> Option<Event> {
        let answer = match (verb, option) {
            (WILL, BINARY) => match std::mem::replace(&mut self.binary, Binary::Agreed) {
                Binary::Refused => DO,
                _ => return None,
            },
            (WONT, BINARY) => {
                self.binary = Binary::Refused;
                return None;
            }
            (DO, BINARY) if std::mem::take(&mut self.offered) => return None,
            (DO, TIMING_MARK) => WILL,
            (WILL, WINDOW_SIZE) if self.editing == Editing::Possible => {
                self.editing = Editing::Offered;
                self.due |= OFFER;
                return None;
            }
            (_, ECHO | GO_AHEAD | WINDOW_SIZE) if self.editing >= Editing::Offered => {
                return self.negotiate(verb, option);
            }
            (DO, _) => WONT,
            (WILL, _) => DONT,
            _ => return None,
        };
        self.reply(Event::Reply([IAC, answer, option]))
    }

    /// What a client says, that was offered the editor, of the options that it needs.
    fn negotiate(&mut self, verb: u8, option: u8) -> Option<Event> {
        let answer = match (verb, option) {
            (DO, ECHO) if self.editing == Editing::Offered => {
                self.editing = Editing::Agreed;
                return Some(Event::Edit(true));
            }
            // With half of it a client would show nothing of what is typed, or all of it twice.
            (DONT, ECHO | GO_AHEAD) => {
                let former = std::mem::replace(&mut self.editing, Editing::Never);
                self.due |= END_OF_OFFER;
                return (former == Editing::Agreed).then_some(Event::Edit(false));
            }
            (WILL, GO_AHEAD) => DO,
            (WILL, ECHO) => DONT,
            (DO, WINDOW_SIZE) => WONT,
            _ => return None,
        };
        self.reply(Event::Reply([IAC, answer, option]))
    }

    /// Takes a byte of a suboption that has so many before it: in the size of a window, the columns
    /// are the two behind the option.
    fn suboption_byte(&mut self, len: u8, byte: u8) -> State {
        match len {
            0 if byte != WINDOW_SIZE || self.editing < Editing::Offered => {
                // Longer than the size of a window already, and so never one.
                return State::Suboption(SIZE_BYTES + 1);
            }
            1 | 2 => self.size[usize::from(len) - 1] = byte,
            _ => {}
        }
        State::Suboption(len + 1)
    }

    fn suboption(&mut self, len: u8) -> Option<Event> {
        if len != SIZE_BYTES {
            return None;
        }
        self.columns = u16::from_be_bytes(self.size);
        Some(Event::Columns(self.columns))
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

    fn data(&mut self, byte: u8) -> Option<Event> {
        if self.is_editing() {
            return Some(Event::Key(byte));
        }
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' | 0 if after_cr => {}
            b'\r' | b'\n' => return self.end_line(self.line.len()),
            // ^H and DEL; ^W; ^U; ^C; ^D.
            0x08 | 0x7f => self.erase_character(),
            0x17 => self.erase_word(),
            0x15 => self.line.clear(),
            0x03 => return self.interrupt(),
            0x04 if self.line.is_empty() => return Some(Event::Leave),
            0 | 0x04 => {}
            _ => return self.text(byte),
        }
        None
    }

    fn text(&mut self, byte: u8) -> Option<Event> {
        self.after_cr = false;
        if self.line.is_empty() {
            self.line.reserve_exact(64);
        }
        self.line.push(byte);
        if self.line.len() <= LINE_BYTES {
            return None;
        }
        self.end_line(character_start(&self.line, LINE_BYTES))
    }

    /// The first `len` bytes are a line; what stands behind them begins the next one.
    fn end_line(&mut self, len: usize) -> Option<Event> {
        self.taken = len as u16;
        self.earn();
        Some(Event::Line)
    }

    fn interrupt(&mut self) -> Option<Event> {
        self.line.clear();
        Some(Event::Interrupt)
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
        self.replies = self.replies.saturating_sub(1);
    }

    /// This answer, unless the client has had too many.
    fn reply(&mut self, answer: Event) -> Option<Event> {
        let is_due = self.replies < REPLIES;
        self.replies += u8::from(is_due);
        is_due.then_some(answer)
    }
}

#[cfg(test)]
mod tests;
