//! A line editor for clients that send each key at once: keys in, what the screen has to show out.
//! No I/O.
//!
//! What is typed stands in the last row that was written, scrolled sideways where it is longer than
//! the window, and the lines of the talk stand above it: before they are written the row is erased,
//! and behind them it is drawn again. So the talk is on the screen as any other client has it, and
//! the half-typed line below it.
//!
//! Keys only note what is due; [`Editor::frame`] makes one redraw of any number of them. So the
//! screen of a client that reads slowly costs no more than one row.

mod keys;
mod line;
mod recall;
mod row;

use std::ops::Range;

use keys::{Key, Keys};
use line::{LINE_BYTES, Line, is_mark};
use recall::{RECALL_BYTES, Recall};
use row::{Due, Row};

/// Bytes of one redraw, at most: the line, and what moves the cursor.
pub(crate) const ROW_BYTES: usize = LINE_BYTES + 64;

/// Bytes that erase the row, at most.
pub(crate) const ERASE_BYTES: usize = 8;

/// Bytes that an editor holds at most beside what an idle one does: the line, the lines said, a line
/// put aside for one of those, and the rest of a redraw that was taken in part.
pub(crate) const EDITOR_BYTES: usize = 2 * LINE_BYTES + RECALL_BYTES + ROW_BYTES;

/// What the keys came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    /// A line is finished, or went over the bytes of one: this is it, in the closed alphabet of
    /// `text`.
    Line(String),
    /// ^C: what was typed is dropped.
    Interrupt,
    /// ^C once more with no other key between, or ^D on an empty line.
    Leave,
}

/// What is written at once, see [`Editor::frame`].
#[derive(Debug)]
pub(crate) struct Frame {
    /// Where it stands in the buffer.
    pub(crate) bytes: Range<usize>,
    /// Where the lines end in it, and the row begins.
    middle: usize,
    /// The row before it was drawn.
    row: Row,
}

/// The line that one client types, and the row in which it stands.
#[derive(Debug)]
pub(crate) struct Editor {
    keys: Keys,
    line: Line,
    row: Row,
    /// The lines said last; none before the first.
    recall: Option<Box<Recall>>,
    /// The rest of a redraw that the client has taken in part; what is written next.
    unsent: Vec<u8>,
    /// Set while a line is written in part: the rest of it follows at the cursor.
    is_within: bool,
    /// The last key was ^C.
    interrupted: bool,
    /// Set by each key, until [`rest`](Self::rest).
    used: bool,
}

impl Editor {
    /// An editor for a window of so many columns; with 0 it is unknown, and taken for 80. In `ascii`
    /// what is typed is shown as `?` where it is not ASCII.
    pub(crate) fn new(columns: u16, ascii: bool) -> Editor {
        Editor {
            keys: Keys::default(),
            line: Line::default(),
            row: Row::new(columns, ascii),
            recall: None,
            unsent: Vec::new(),
            is_within: false,
            interrupted: false,
            used: false,
        }
    }

    /// Takes one byte that the client sent.
    pub(crate) fn key(&mut self, byte: u8) -> Option<Edited> {
        self.used = true;
        let (mut input, mut edited) = (&[byte][..], None);
        while let Some(key) = self.keys.next(&mut input) {
            let interrupted = std::mem::replace(&mut self.interrupted, key == Key::Interrupt);
            // One at most: a byte is one key, and U+FFFD before it ends no line.
            edited = match key {
                Key::Interrupt if interrupted => Some(Edited::Leave),
                Key::Interrupt => self.interrupt(),
                Key::EndOfInput if self.line.text().is_empty() => Some(Edited::Leave),
                Key::Enter => self.enter(),
                Key::Char(c) => self.insert(c),
                key => self.edit(key),
            };
        }
        edited
    }

    /// The client's window has so many columns; 0 is unknown.
    pub(crate) fn set_columns(&mut self, columns: u16) {
        self.row.set_columns(columns);
    }

    /// Whether there is anything to write beside lines.
    pub(crate) fn is_due(&self) -> bool {
        !self.unsent.is_empty() || self.row.is_due()
    }

    /// What makes place for whole lines; the row is drawn again with the next [frame](Self::frame).
    pub(crate) fn erase(&mut self) -> &'static [u8] {
        self.row.erase(&self.line)
    }

    /// Whether the rest of a redraw has to be written before any line.
    pub(crate) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Frames lines for one write. They take `lines` bytes of the buffer, none if the editor [is
    /// behind](Self::is_behind), from [`ERASE_BYTES`] on: before them comes what makes place for
    /// them, behind them the row, where there is room for it.
    pub(crate) fn frame(&mut self, buffer: &mut [u8], lines: usize) -> Frame {
        let (mut start, middle) = (ERASE_BYTES, ERASE_BYTES + lines);
        if lines > 0 && !self.is_within {
            let erase = self.erase();
            start -= erase.len();
            buffer[start..ERASE_BYTES].copy_from_slice(erase);
        }
        let row = self.row;
        let mut drawn = std::mem::take(&mut self.unsent);
        if drawn.is_empty() && buffer.len() - middle >= ROW_BYTES {
            self.row.draw(&self.line, &mut drawn);
        }
        let end = middle + drawn.len();
        buffer[middle..end].copy_from_slice(&drawn);
        Frame { bytes: start..end, middle, row }
    }

    /// Notes that the first `n` bytes of a frame were written; returns how many of them are lines.
    pub(crate) fn written(&mut self, frame: Frame, buffer: &[u8], n: usize) -> usize {
        let Frame { bytes, middle, row } = frame;
        let at = bytes.start + n;
        if at < middle {
            // Nothing of the row was.
            self.row = row;
            self.unsent = buffer[at.min(ERASE_BYTES)..ERASE_BYTES].to_vec();
        } else {
            self.unsent = buffer[at..bytes.end].to_vec();
        }
        let at = at.clamp(ERASE_BYTES, middle);
        if at > ERASE_BYTES {
            // Answers of telnet are no line, and whole.
            self.is_within = at < middle && buffer[at - 1] != b'\n';
        }
        at - ERASE_BYTES
    }

    /// The same for a client whose task waits until all is written.
    pub(crate) fn framed(&mut self, lines: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; ERASE_BYTES + lines.len() + ROW_BYTES];
        buffer[ERASE_BYTES..ERASE_BYTES + lines.len()].copy_from_slice(lines);
        let frame = self.frame(&mut buffer, lines.len());
        buffer[frame.bytes].to_vec()
    }

    /// The next redraw leaves the terminal as it was before the first, at the start of a row. Returns
    /// the line begun.
    pub(crate) fn end(&mut self) -> String {
        self.row.want(Due::End);
        self.line.take()
    }

    /// Forgets the lines said.
    pub(crate) fn forget(&mut self) {
        self.recall = None;
    }

    /// Frees the lines said, unless a key was pressed since the last time this was called, or one of
    /// them is in the row, or a line is put aside for one; true while there are any.
    pub(crate) fn rest(&mut self) -> bool {
        let used = std::mem::take(&mut self.used);
        let is_empty = self.line.text().is_empty();
        self.recall.take_if(|recall| !used && !recall.is_needed(is_empty));
        self.recall.is_some()
    }

    fn interrupt(&mut self) -> Option<Edited> {
        self.take();
        Some(Edited::Interrupt)
    }

    fn enter(&mut self) -> Option<Edited> {
        let said = self.take();
        self.say(said)
    }

    /// Empties the line.
    fn take(&mut self) -> String {
        self.row.want(Due::All);
        if let Some(recall) = &mut self.recall {
            recall.leave();
        }
        self.line.take()
    }

    fn say(&mut self, said: String) -> Option<Edited> {
        if !said.trim().is_empty() {
            self.recall.get_or_insert_default().add(&said);
        }
        Some(Edited::Line(said))
    }

    /// Where there is no more room in the line, what stands before the cursor is said.
    fn insert(&mut self, c: char) -> Option<Edited> {
        let end = self.line.text().len();
        let is_behind = self.line.cursor() == end;
        if !self.line.accepts(c) {
            return None;
        }
        if self.line.has_room_for(c) {
            self.line.insert(c);
            self.row.want(if is_behind { Due::Tail(end as u16) } else { Due::All });
            return None;
        }
        let rest = self.line.text().len() - self.line.cursor();
        let is_full = self.line.cursor() == 0 || rest + c.len_utf8() > LINE_BYTES;
        if is_full || c == char::REPLACEMENT_CHARACTER || is_mark(c) {
            return None;
        }
        let rest = self.line.split_off();
        let said = self.take();
        self.line.set(rest);
        self.line.go(0);
        self.line.insert(c);
        self.say(said)
    }

    fn edit(&mut self, key: Key) -> Option<Edited> {
        let Editor { line, row, recall, .. } = self;
        let changed = match key {
            Key::Left => line.go(line.before()),
            Key::Right => line.go(line.behind()),
            Key::WordLeft => line.go(line.word_before()),
            Key::WordRight => line.go(line.word_behind()),
            Key::Home => line.go(0),
            Key::End => line.go(line.text().len()),
            Key::Backspace => line.cut(line.before()..line.cursor()),
            Key::Delete | Key::EndOfInput => line.cut(line.cursor()..line.behind()),
            Key::KillToStart => line.cut(0..line.cursor()),
            Key::KillToEnd => line.cut(line.cursor()..line.text().len()),
            Key::KillWord => line.cut(line.word_before()..line.cursor()),
            Key::Transpose => line.transpose(),
            Key::Up => recall.as_mut().is_some_and(|it| it.up(line)),
            Key::Down => recall.as_mut().is_some_and(|it| it.down(line)),
            Key::Clear => {
                row.want(Due::Screen);
                false
            }
            Key::Char(_) | Key::Enter | Key::Interrupt => false,
        };
        if changed {
            row.want(Due::All);
        }
        None
    }
}

#[cfg(test)]
mod tests;
