//! A member's place in the backlog: which lines it has still to take, and their copying out.
//!
//! What a member is due, in this order: the bytes in `pending` (the rest of a line that it took in
//! part, then what it alone was told, with the lines that [`Cursor::hold`] put before that), and the
//! lines from number `next` on, without its own.
//!
//! ```text
//! pending  "lo\r\n"             fill copied 4 bytes pending, 4 of line 7 and 5 of line 9, and the
//! line 7   "hi\r\n"   ◄ next    socket took 12 of these 13: consume(12) passes what is pending,
//! line 8   its own              line 7, its own line 8 and all but one byte of line 9. Now "\n" is
//! line 9   "you\r\n"            pending, and next is 10.
//! ```
//!
//! [`Cursor::fill`] copies from the front of that sequence and moves nothing, since the socket may
//! take fewer bytes than it is given. [`Cursor::consume`] moves behind all of it, or walks the
//! same sequence for as many bytes as were written. The rest of the line in which they end moves to
//! `pending`, so `next` never stands within a line, and the backlog may drop any line between two
//! writes.

use std::task::Waker;

use super::backlog::{Author, Backlog, Batch};
use super::{Fill, PENDING_BYTES};

pub(super) struct Cursor {
    pub(super) author: Author,
    /// Number of the next line to take.
    pub(super) next: u64,
    /// Set once the member has left: it takes the lines before this number, and then no more.
    pub(super) left_at: Option<u64>,
    /// How many lines of its own the backlog has dropped from `next` on: it did not miss those.
    pub(super) own_dropped: u64,
    /// Lines missed that it has not been told of.
    missed: u64,
    /// Bytes for this member alone, to be taken before any line.
    pub(super) pending: Vec<u8>,
    /// Lines that begin in `pending`, to be counted once all of it is taken.
    held: u64,
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
            held: 0,
            waker: None,
        }
    }

    /// Whether there may be something to take of the lines before number `rung`, or the end.
    pub(super) fn is_ready(&self, rung: u64) -> bool {
        let has_left = self.left_at.is_some();
        has_left || self.missed > 0 || !self.pending.is_empty() || self.next < rung
    }

    /// Copies what is pending and as many whole lines behind it as fit into `buffer`, which must
    /// have room for the longest line.
    pub(super) fn fill(&mut self, backlog: &Backlog, buffer: &mut [u8]) -> Fill {
        let end = self.end(backlog);
        self.pass_dropped(backlog.numbers().start.min(end));
        // The caller tells the member how many, and `pending` must have room for that: so what is
        // pending goes out first, and no line before the notice.
        if self.pending.is_empty() && self.missed > 0 {
            return Fill::Missed(std::mem::take(&mut self.missed));
        }
        let told = self.pending.len();
        buffer[..told].copy_from_slice(&self.pending);
        let end = if self.missed == 0 { end } else { self.next };
        let mut batch = backlog.copy(self.next..end, self.author, &mut buffer[told..]);
        batch.bytes += told;
        if batch.bytes > 0 {
            return Fill::Bytes(batch);
        }
        // Behind lines of its own.
        self.next = batch.next;
        match self.left_at {
            Some(left_at) if self.next >= left_at => Fill::End,
            _ => Fill::Nothing,
        }
    }

    /// Makes the lines that are due pending too, unless that and `room` bytes more are too many: what
    /// this member is told next then stands behind them. They take half of the place at most, so that
    /// no answer is lost for them.
    pub(super) fn hold(&mut self, backlog: &Backlog, room: usize) {
        if self.pending.len() + backlog.bytes_from(self.next) + room > PENDING_BYTES / 2 {
            return;
        }
        let mut held = vec![0; PENDING_BYTES];
        match self.fill(backlog, &mut held) {
            Fill::Bytes(batch) => {
                held.truncate(batch.bytes);
                self.pending = held;
                self.next = batch.next;
                self.held += batch.lines;
            }
            Fill::Missed(lines) => self.missed = lines,
            Fill::Nothing | Fill::End => {}
        }
    }

    /// Moves past the first `bytes` of what `fill` has copied; returns how many lines begin in
    /// them. The room MUST be as it was then.
    pub(super) fn consume(&mut self, backlog: &Backlog, batch: Batch, bytes: usize) -> u64 {
        if bytes < batch.bytes {
            return self.consume_part(backlog, bytes);
        }
        // An idle member holds no memory for it.
        self.pending = Vec::new();
        self.next = batch.next;
        batch.lines + std::mem::take(&mut self.held)
    }

    fn consume_part(&mut self, backlog: &Backlog, bytes: usize) -> u64 {
        let told = bytes.min(self.pending.len());
        self.pending.drain(..told);
        let (mut left, mut lines) = (bytes - told, 0);
        if self.pending.is_empty() {
            lines = std::mem::take(&mut self.held);
        }
        while left > 0 {
            if !self.is_own(backlog, self.next) {
                for part in backlog.line(self.next) {
                    let taken = left.min(part.len());
                    left -= taken;
                    // Empty but for the line in which the bytes end, which is the last one here.
                    self.pending.extend_from_slice(&part[taken..]);
                }
                lines += 1;
            }
            self.next += 1;
        }
        lines
    }

    /// Moves to line `kept`, the oldest there is: the lines before it were missed, but for its own.
    fn pass_dropped(&mut self, kept: u64) {
        if self.next < kept {
            self.missed += kept - self.next - self.own_dropped;
            self.own_dropped = 0;
            self.next = kept;
        }
    }

    /// The number of the line before which this member's reading ends for now.
    fn end(&self, backlog: &Backlog) -> u64 {
        self.left_at.unwrap_or(backlog.numbers().end)
    }

    fn is_own(&self, backlog: &Backlog, number: u64) -> bool {
        backlog.author(number) == Some(self.author)
    }
}
