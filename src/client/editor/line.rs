//! A line of text with a cursor in it. Knows nothing about windows.
//!
//! It is made of clusters: a character that takes columns, and the marks behind it that take none.
//! The cursor stands between two of them, and a line never begins with a mark. All of it is in the
//! closed alphabet of `text`.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::client::telnet;
use crate::text::{MARKS, is_shown};

/// Bytes of a line, at most: as many as in line mode.
pub(super) const LINE_BYTES: usize = telnet::LINE_BYTES;

/// Variation selector 16: an emoji is meant.
const EMOJI: char = '\u{fe0f}';

#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    cursor: u16,
}

impl Line {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte before which the cursor stands.
    pub(super) fn cursor(&self) -> usize {
        usize::from(self.cursor)
    }

    pub(super) fn has_room_for(&self, c: char) -> bool {
        self.text.len() + c.len_utf8() <= LINE_BYTES
    }

    /// Whether a character may stand where the cursor is.
    pub(super) fn accepts(&self, c: char) -> bool {
        let marks = || self.text[self.before()..self.cursor()].chars().count() - 1;
        is_shown(c) && (!is_mark(c) || self.cursor > 0 && marks() < MARKS)
    }

    /// Inserts a character, which is [accepted](Self::accepts) and [has room](Self::has_room_for),
    /// before the cursor.
    pub(super) fn insert(&mut self, c: char) {
        self.text.insert(self.cursor(), c);
        self.cursor += c.len_utf8() as u16;
    }

    /// Empties it.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Takes out what stands behind the cursor.
    pub(super) fn split_off(&mut self) -> String {
        self.text.split_off(self.cursor())
    }

    /// Puts this clean text in its place, with the cursor behind it.
    pub(super) fn set(&mut self, text: String) -> String {
        self.cursor = text.len() as u16;
        std::mem::replace(&mut self.text, text)
    }

    /// Moves the cursor; false if it is there already.
    pub(super) fn go(&mut self, to: usize) -> bool {
        std::mem::replace(&mut self.cursor, to as u16) != to as u16
    }

    /// Takes these whole clusters out, and leaves the cursor in their place; false if there are none.
    pub(super) fn cut(&mut self, range: Range<usize>) -> bool {
        self.cursor = range.start as u16;
        self.text.drain(range.clone());
        if self.text.is_empty() {
            // An empty line holds no memory.
            self.text = String::new();
        }
        !range.is_empty()
    }

    /// Exchanges the clusters on both sides of the cursor, at the end the last two, and moves behind
    /// them; false where there are none.
    pub(super) fn transpose(&mut self) -> bool {
        if self.behind() == self.cursor() {
            self.cursor = self.before() as u16;
        }
        let (start, middle, end) = (self.before(), self.cursor(), self.behind());
        self.cursor = end as u16;
        if start < middle && middle < end {
            let exchanged: String = self.text.drain(start..middle).collect();
            self.text.insert_str(start + end - middle, &exchanged);
        }
        start < end
    }

    /// The start of the cluster before the cursor.
    pub(super) fn before(&self) -> usize {
        self.start_before(self.cursor())
    }

    /// The end of the cluster behind the cursor.
    pub(super) fn behind(&self) -> usize {
        self.end_behind(self.cursor())
    }

    /// The start of the word before the cursor.
    pub(super) fn word_before(&self) -> usize {
        let (mut start, mut is_within) = (self.cursor(), false);
        let characters = self.text[..start].char_indices().rev();
        for (at, c) in characters.filter(|(_, c)| !is_mark(*c)) {
            if is_within && c.is_whitespace() {
                break;
            }
            is_within |= !c.is_whitespace();
            start = at;
        }
        start
    }

    /// The end of the word behind the cursor.
    pub(super) fn word_behind(&self) -> usize {
        let mut is_within = false;
        let characters = self.text[self.cursor()..].char_indices();
        for (at, c) in characters.filter(|(_, c)| !is_mark(*c)) {
            if is_within && c.is_whitespace() {
                return self.cursor() + at;
            }
            is_within |= !c.is_whitespace();
        }
        self.text.len()
    }

    /// The start of the cluster before the one that begins at a byte.
    pub(super) fn start_before(&self, at: usize) -> usize {
        let start = self.text[..at].char_indices().rev().find(|(_, c)| !is_mark(*c));
        start.map_or(0, |(start, _)| start)
    }

    /// The end of the cluster that begins at a byte.
    pub(super) fn end_behind(&self, at: usize) -> usize {
        let mut characters = self.text[at..].char_indices().skip(1);
        let next = characters.find(|(_, c)| !is_mark(*c));
        next.map_or(self.text.len(), |(end, _)| at + end)
    }

    /// The start of the cluster that holds a byte; the end where there is none.
    pub(super) fn start_at(&self, byte: usize) -> usize {
        if byte >= self.text.len() {
            return self.text.len();
        }
        let is_start = |at: usize| self.text[at..].chars().next().is_some_and(|c| !is_mark(c));
        let mut starts = (0..=byte).rev().filter(|&at| self.text.is_char_boundary(at));
        starts.find(|&at| is_start(at)).unwrap_or(0)
    }
}

/// The columns that a character takes, as the terminal counts them that counts most: in some,
/// U+FE0F makes a wide emoji of a narrow character.
pub(super) fn columns(c: char) -> usize {
    if c == EMOJI { 1 } else { c.width().unwrap_or(0) }
}

/// Whether a character takes no columns.
pub(super) fn is_mark(c: char) -> bool {
    c.width() == Some(0)
}
