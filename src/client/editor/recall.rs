//! The lines that a person said last, to be said again.

use std::collections::VecDeque;

use super::line::Line;

/// Lines kept, at most.
const LINES: usize = 50;

/// Bytes of the lines kept, at most; four of the longest.
const TEXT_BYTES: usize = 4 * 1024;

/// Bytes that they take, at most, beside the line put aside: their text, and what each of them and
/// its place cost.
pub(super) const RECALL_BYTES: usize = TEXT_BYTES + LINES * 64;

#[derive(Debug, Default)]
pub(super) struct Recall {
    /// The oldest first.
    lines: VecDeque<Box<str>>,
    /// Bytes of all of them.
    bytes: usize,
    /// How many lines back the one is that is shown; 0 is the line being typed.
    back: u8,
    /// The line being typed, while another one is shown.
    aside: String,
}

impl Recall {
    /// Adds a line that was said, unless it is the last one again.
    pub(super) fn add(&mut self, said: &str) {
        if self.lines.back().is_some_and(|last| **last == *said) {
            return;
        }
        self.bytes += said.len();
        self.lines.push_back(said.into());
        while self.lines.len() > LINES || self.bytes > TEXT_BYTES {
            let oldest = self.lines.pop_front();
            self.bytes -= oldest.map_or(0, |line| line.len());
        }
    }

    /// Shows the line before; false where there is none.
    pub(super) fn up(&mut self, line: &mut Line) -> bool {
        let Some(at) = self.lines.len().checked_sub(usize::from(self.back) + 1) else {
            return false;
        };
        let former = line.set(self.lines[at].to_string());
        if self.back == 0 {
            self.aside = former;
        }
        self.back += 1;
        true
    }

    /// Shows the line behind, or the one being typed; false where that is shown.
    pub(super) fn down(&mut self, line: &mut Line) -> bool {
        match self.back {
            0 => return false,
            1 => line.set(std::mem::take(&mut self.aside)),
            back => line.set(self.lines[self.lines.len() - usize::from(back) + 1].to_string()),
        };
        self.back -= 1;
        true
    }

    /// What is shown is the line being typed from now on.
    pub(super) fn leave(&mut self) {
        self.back = 0;
        self.aside = String::new();
    }

    /// Whether a line is shown that was said, and not erased, or another one is put aside for it.
    pub(super) fn is_needed(&self, is_empty: bool) -> bool {
        self.back > 0 && !(is_empty && self.aside.is_empty())
    }
}
