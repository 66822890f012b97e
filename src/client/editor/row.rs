//! The row of the screen in which a line is typed, and what brings it up to date.
//!
//! Nothing is ever written into the last column, so that no terminal goes on to the next row, and
//! none waits to. Where the cursor stands is never told in columns but by saving its place (DECSC),
//! since terminals differ in how wide a character is.

use super::line::{Line, columns, is_mark};

/// Columns of a window whose size is unknown.
const COLUMNS: u16 = 80;

/// To the start of the row. A CR that ends no line is followed by NUL (RFC 854).
const START: &[u8] = b"\r\0";

/// Sets the cursor keys to normal mode (DECCKM), in which PuTTY tells them from those with Ctrl, and
/// switches the brackets around what is pasted on.
const BEGIN: &[u8] = b"\x1b[?1l\x1b[?2004h";

/// Switches these brackets off; normal mode is how the cursor keys are found.
const END: &[u8] = b"\x1b[?2004l";

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    columns: u16,
    /// Shows `?` for what is not ASCII.
    ascii: bool,
    /// The first byte of the line that is shown.
    offset: u16,
    /// Whether anything may stand in the row; otherwise it is empty, and the cursor at its start.
    drawn: bool,
    due: Due,
}

/// What has to be done before the terminal shows the line; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Nothing,
    /// From this byte on, which the line did not have before, the line is written behind the rest.
    Tail(u16),
    /// The row is drawn.
    All,
    /// The same, and what is below is erased: in a narrower window a terminal may have broken the
    /// row.
    Below,
    /// The screen is cleared and the row drawn at its top.
    Screen,
    /// The row is drawn for the first time, and what the client itself showed there goes.
    Begin,
    /// The terminal is left as it was before the first.
    End,
    Over,
}

impl Row {
    pub(super) fn new(columns: u16, ascii: bool) -> Row {
        let mut row = Row { columns: 0, ascii, offset: 0, drawn: true, due: Due::Begin };
        row.set_columns(columns);
        row
    }

    pub(super) fn set_columns(&mut self, columns: u16) {
        let columns = if columns == 0 { COLUMNS } else { columns };
        if std::mem::replace(&mut self.columns, columns) != columns && self.drawn {
            self.want(Due::Below);
        }
    }

    pub(super) fn want(&mut self, due: Due) {
        self.due = match (self.due, due) {
            (Due::Tail(first), Due::Tail(_)) => Due::Tail(first),
            (former, due) => former.max(due),
        };
    }

    pub(super) fn is_due(&self) -> bool {
        !matches!(self.due, Due::Nothing | Due::Over)
    }

    /// What makes the row empty; the line is due again.
    pub(super) fn erase(&mut self, line: &Line) -> &'static [u8] {
        let erase: &[u8] = match self.due {
            Due::Screen => b"\x1b[H\x1b[2J",
            Due::Below if self.drawn => b"\r\0\x1b[J",
            _ if self.drawn => b"\r\0\x1b[K",
            _ => b"",
        };
        self.drawn = false;
        if line.text().is_empty() {
            self.offset = 0;
        }
        if self.due < Due::Begin {
            self.due = if line.text().is_empty() { Due::Nothing } else { Due::All };
        }
        erase
    }

    /// Appends what is due.
    pub(super) fn draw(&mut self, line: &Line, out: &mut Vec<u8>) {
        if !self.is_due() {
            return;
        }
        let former = self.offset;
        self.scroll(line);
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Tail(from) if self.offset == former => {
                self.drawn = true;
                return self.put(&line.text()[usize::from(from)..], out);
            }
            Due::End => {
                out.extend_from_slice(self.erase(line));
                out.extend_from_slice(END);
                self.due = Due::Over;
                return;
            }
            Due::Begin => out.extend_from_slice(BEGIN),
            due @ (Due::Screen | Due::Below) => {
                self.due = due;
                out.extend_from_slice(self.erase(line));
                self.due = Due::Nothing;
            }
            Due::Nothing | Due::Tail(_) | Due::All | Due::Over => {}
        }
        self.draw_all(line, out);
    }

    fn draw_all(&mut self, line: &Line, out: &mut Vec<u8>) {
        let was_drawn = std::mem::replace(&mut self.drawn, !line.text().is_empty());
        let (text, offset, cursor) = (line.text(), usize::from(self.offset), line.cursor());
        let end = offset + prefix(&text[offset..], self.room());
        if was_drawn {
            out.extend_from_slice(START);
        }
        self.put(&text[offset..cursor], out);
        if cursor < end {
            out.extend_from_slice(b"\x1b7");
            self.put(&text[cursor..end], out);
        }
        if was_drawn {
            out.extend_from_slice(b"\x1b[K");
        }
        if cursor < end {
            out.extend_from_slice(b"\x1b8");
        }
    }

    /// Moves the offset where the cursor would not be seen otherwise, by enough that the next keys
    /// need not move it again, and to the start where all of the line has room.
    fn scroll(&mut self, line: &Line) {
        let (room, text, cursor) = (self.room(), line.text(), line.cursor());
        let offset = line.start_at(usize::from(self.offset));
        let offset = if fits(text, room) {
            0
        } else if cursor <= offset {
            suffix(&text[..cursor], room / 3)
        } else if !fits(&text[offset..cursor], room) {
            suffix(&text[..cursor], room - room / 3)
        } else {
            offset
        };
        self.offset = offset as u16;
    }

    /// Columns that the line may take.
    pub(super) fn room(&self) -> usize {
        usize::from(self.columns) - 1
    }

    fn put(&self, text: &str, out: &mut Vec<u8>) {
        if self.ascii {
            out.extend_from_slice(crate::text::to_ascii(text).as_bytes());
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Whether a text takes at most so many columns.
fn fits(text: &str, room: usize) -> bool {
    text.chars().try_fold(room, |left, c| left.checked_sub(columns(c))).is_some()
}

/// Bytes of the clusters at the start of a text that take at most so many columns.
fn prefix(text: &str, room: usize) -> usize {
    let (mut end, mut left) = (0, room);
    for (at, c) in text.char_indices() {
        end = if is_mark(c) { end } else { at };
        let Some(rest) = left.checked_sub(columns(c)) else { return end };
        left = rest;
    }
    text.len()
}

/// Where the clusters begin at the end of a text that take at most so many columns.
fn suffix(text: &str, room: usize) -> usize {
    let (mut start, mut left) = (text.len(), room);
    for (at, c) in text.char_indices().rev() {
        let Some(rest) = left.checked_sub(columns(c)) else { break };
        left = rest;
        start = if is_mark(c) { start } else { at };
    }
    start
}
