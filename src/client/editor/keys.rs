//! The keys that a client's bytes stand for: characters of UTF-8, control characters, and the
//! sequences of xterm, PuTTY, the Linux console and telnet.exe (ECMA-48). No I/O; the bytes may be
//! split anywhere.

/// A key of the editor; all others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character to insert, which may be none that can be shown.
    Char(char),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    KillToStart,
    KillToEnd,
    KillWord,
    Transpose,
    /// ^L: the screen is to be cleared.
    Clear,
    /// ^C.
    Interrupt,
    /// ^D.
    EndOfInput,
}

/// Turns bytes into keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: State,
    /// The first two parameters of a control sequence.
    parameters: [u16; 2],
    /// Within a bracketed paste, where no control character is a key but a line end, and the second
    /// of two ^C, for the case that the end of the paste was lost.
    pasting: bool,
    /// The last byte of text was ^C.
    after_interrupt: bool,
    /// The last key was CR: an LF or NUL that follows belongs to it.
    after_cr: bool,
    /// The character begun and not finished.
    begun: [u8; 4],
    len: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Text,
    /// The last byte was ESC.
    Escape,
    /// A control sequence, in its parameter of this number.
    Control(u8),
    /// The last two bytes were ESC O.
    Single,
    /// The last three bytes were ESC [ [: a function key of the Linux console.
    Function,
}

impl Keys {
    /// Consumes `input` up to the end of the next key; `None` when all of it is consumed. Of bytes
    /// that are no UTF-8, each maximal subpart of a character is U+FFFD, as in `text`.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Key> {
        while let Some((&byte, rest)) = input.split_first() {
            if self.len > 0 && !self.continues(byte) {
                self.len = 0;
                return Some(Key::Char(char::REPLACEMENT_CHARACTER));
            }
            if self.goes_on(byte) {
                *input = rest;
                if let Some(key) = self.step(byte) {
                    return Some(key);
                }
            }
        }
        None
    }

    /// Whether a byte belongs to the sequence begun, if one is; otherwise that is given up, and the
    /// byte is one of its own.
    fn goes_on(&mut self, byte: u8) -> bool {
        let goes_on = match self.state {
            State::Text => true,
            State::Escape => matches!(byte, b'[' | b'O' | b'b' | b'f' | 0x08 | 0x7f),
            State::Control(_) | State::Single | State::Function => (0x20..0x7f).contains(&byte),
        };
        if !goes_on {
            self.state = State::Text;
        }
        goes_on
    }

    fn step(&mut self, byte: u8) -> Option<Key> {
        let key = match (std::mem::take(&mut self.state), byte) {
            (State::Text, _) => return self.text(byte),
            (State::Escape, b'[') => {
                self.parameters = [0; 2];
                self.state = State::Control(0);
                None
            }
            (State::Escape, b'O') => {
                self.state = State::Single;
                None
            }
            (State::Escape, b'b') => Some(Key::WordLeft),
            (State::Escape, b'f') => Some(Key::WordRight),
            (State::Escape, _) => Some(Key::KillWord),
            (State::Control(number), b' '..=b'?') => {
                self.state = State::Control(self.parameter(number, byte));
                None
            }
            (State::Control(_), b'~') => self.numbered(),
            (State::Control(_), b'[') => {
                self.state = State::Function;
                None
            }
            (State::Function, _) => None,
            // With a modifier above Shift: Alt, Ctrl, or more of them.
            (State::Control(_), b'C') if self.parameters[1] > 2 => Some(Key::WordRight),
            (State::Control(_), b'D') if self.parameters[1] > 2 => Some(Key::WordLeft),
            // With Ctrl, PuTTY's and rxvt's: a terminal whose cursor keys are in normal mode, which
            // the row sets, sends this for no arrow alone.
            (State::Single, b'C' | b'c') => Some(Key::WordRight),
            (State::Single, b'D' | b'd') => Some(Key::WordLeft),
            (State::Control(_) | State::Single, _) => lettered(byte),
        };
        key.filter(|_| !self.pasting)
    }

    /// Takes a byte of a parameter; returns the number of the one that goes on.
    fn parameter(&mut self, number: u8, byte: u8) -> u8 {
        if let (Some(value), b'0'..=b'9') = (self.parameters.get_mut(usize::from(number)), byte) {
            *value = value.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
        }
        if byte == b';' { number.saturating_add(1) } else { number }
    }

    fn numbered(&mut self) -> Option<Key> {
        match self.parameters[0] {
            1 | 7 => return Some(Key::Home),
            4 | 8 => return Some(Key::End),
            3 => return Some(Key::Delete),
            200 => self.pasting = true,
            201 => self.pasting = false,
            _ => {}
        }
        None
    }

    fn text(&mut self, byte: u8) -> Option<Key> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        if std::mem::replace(&mut self.after_interrupt, byte == 0x03) && byte == 0x03 {
            self.pasting = false;
        }
        let key = match byte {
            b'\n' if after_cr => return None,
            b'\r' | b'\n' => return Some(Key::Enter),
            b'\t' => return Some(Key::Char(' ')),
            0x20..0x7f => return Some(Key::Char(char::from(byte))),
            0x80.. => return self.character(byte),
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfInput,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7f => Key::Backspace,
            0x0b => Key::KillToEnd,
            0x0c => Key::Clear,
            0x14 => Key::Transpose,
            0x15 => Key::KillToStart,
            0x17 => Key::KillWord,
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            _ => return None,
        };
        (!self.pasting).then_some(key)
    }

    /// Takes a byte beyond ASCII; a character once it is whole.
    fn character(&mut self, byte: u8) -> Option<Key> {
        self.begun[usize::from(self.len)] = byte;
        self.len += 1;
        let c = match std::str::from_utf8(&self.begun[..usize::from(self.len)]) {
            Ok(whole) => whole.chars().next(),
            Err(error) if error.error_len().is_none() => return None,
            Err(_) => Some(char::REPLACEMENT_CHARACTER),
        };
        self.len = 0;
        c.map(Key::Char)
    }

    /// Whether a byte may come next in the character begun.
    fn continues(&mut self, byte: u8) -> bool {
        let len = usize::from(self.len);
        self.begun[len] = byte;
        let begun = std::str::from_utf8(&self.begun[..=len]);
        begun.map_or_else(|error| error.error_len().is_none(), |_| true)
    }
}

fn lettered(byte: u8) -> Option<Key> {
    match byte {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}
