//! A member's place in the backlog: which lines it has still to take, and their copying out.
//!
//! What a member takes is, in this order: `pending` (the rest of a line that it took in part, then
//! what it was told), and the lines from `next` on that are not its own. [`Cursor::fill`] copies
//! from the front of that sequence without moving; the caller writes, and may get rid of fewer
//! bytes; [`Cursor::consume`] walks the same sequence again for as many bytes as were written.

use std::task::Waker;

use super::Fill;
use super::backlog::{Author, Backlog};

pub(super) struct Cursor {
    pub(super) author: Author,
    /// Number of the next line to take.
    pub(super) next: u64,
    /// The line before which the member left: it takes none from there on.
    pub(super) left_at: Option<u64>,
    /// Lines of its own among those dropped at or after `next`: it did not miss them.
    pub(super) own_dropped: u64,
    /// Lines missed that it has not been told of.
    missed: u64,
    /// Bytes for this member alone.
    pub(super) pending: Vec<u8>,
    /// Woken when something is due to this member alone; the ring would wake everybody.
    pub(super) waker: Option<Waker>,
}

impl Cursor {
    pub(super) fn new(author: Author, next: u64) -> Cursor {
        Cursor {
            author,
            next,
            left_at: None,
            own_dropped: 0,
            missed: 0,
            pending: Vec::new(),
            waker: None,
        }
    }

    /// Whether there may be something to take, or the end.
    pub(super) fn is_ready(&self, backlog: &Backlog) -> bool {
        self.next < self.end(backlog)
            || !self.pending.is_empty()
            || self.left_at.is_some()
            || self.missed > 0
    }

    /// Copies as many whole lines as fit into `buffer`; of the first one as much as fits, so that
    /// a small buffer gets on too.
    pub(super) fn fill(&mut self, backlog: &Backlog, buffer: &mut [u8]) -> Fill {
        self.skip(backlog);
        // A notice of what it missed may not tear a line, so that one is finished first.
        if self.pending.is_empty() && self.missed > 0 {
            return Fill::Missed(std::mem::take(&mut self.missed));
        }
        let size = buffer.len();
        let mut free = put(buffer, &self.pending);
        if self.missed == 0 {
            for number in self.next..self.end(backlog) {
                if self.is_own(backlog, number) {
                    continue;
                }
                let (front, back) = backlog.line(number);
                let is_first = free.len() == size;
                if free.is_empty() || (!is_first && front.len() + back.len() > free.len()) {
                    break;
                }
                free = put(put(free, front), back);
            }
        }
        match size - free.len() {
            0 if self.left_at.is_some_and(|left_at| self.next >= left_at) => Fill::End,
            0 => Fill::Nothing,
            filled => Fill::Bytes(filled),
        }
    }

    /// Moves past the first `bytes` of what `fill` copied; returns the lines that begin in them.
    pub(super) fn consume(&mut self, backlog: &Backlog, bytes: usize) -> u64 {
        let told = bytes.min(self.pending.len());
        self.pending.drain(..told);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        let (mut left, mut lines) = (bytes - told, 0);
        while left > 0 {
            if !self.is_own(backlog, self.next) {
                let (front, back) = backlog.line(self.next);
                let in_front = left.min(front.len());
                let in_back = (left - in_front).min(back.len());
                // The backlog may drop this line before the rest of it is written.
                self.pending.extend_from_slice(&front[in_front..]);
                self.pending.extend_from_slice(&back[in_back..]);
                left -= in_front + in_back;
                lines += 1;
            }
            self.next += 1;
        }
        lines
    }

    /// Moves over what the backlog has dropped, which is missed, and over the member's own lines.
    fn skip(&mut self, backlog: &Backlog) {
        let kept = backlog.first().min(self.end(backlog));
        if self.next < kept {
            self.missed += kept - self.next - self.own_dropped;
            self.own_dropped = 0;
            self.next = kept;
        }
        while self.next < self.end(backlog) && self.is_own(backlog, self.next) {
            self.next += 1;
        }
    }

    /// The number of the line before which this member's reading ends for now.
    fn end(&self, backlog: &Backlog) -> u64 {
        self.left_at.unwrap_or(backlog.next())
    }

    fn is_own(&self, backlog: &Backlog, number: u64) -> bool {
        backlog.author(number) == Some(self.author)
    }
}

/// Copies what fits of `bytes`; returns what is left of `free`.
fn put<'a>(free: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let n = bytes.len().min(free.len());
    let (head, tail) = free.split_at_mut(n);
    head.copy_from_slice(&bytes[..n]);
    tail
}
