//! The bounded log of a room: finished lines, one after another, the oldest dropped first.
//!
//! Lines stand in one ring of bytes, so that a writer copies a run of them without a pointer to
//! each; what the log can cost is one figure.

use std::collections::VecDeque;

/// Who published a line: the slot and the join that held it then. Slots are reused, joins not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) slot: u32,
    pub(super) join: u32,
}

/// What one line costs beside its bytes.
const ENTRY_BYTES: usize = size_of::<Entry>();

/// Bytes of a line that is empty: its end.
const SHORTEST_LINE: usize = 2;

/// Bytes that a log may take before it has any line; a larger one grows by doubling from there.
const AT_ONCE: usize = 4 * 1024 * 1024;

#[derive(Debug)]
struct Entry {
    /// Bytes ever logged, up to and including this line.
    end: u64,
    author: Option<Author>,
}

#[derive(Debug)]
pub(super) struct Backlog {
    bytes: VecDeque<u8>,
    entries: VecDeque<Entry>,
    /// Lines dropped so far, which is the number of the oldest line kept.
    first: u64,
    /// Bytes of the lines dropped so far.
    dropped_bytes: u64,
    limit: usize,
}

impl Backlog {
    /// A log that keeps at most `limit` bytes, entries included, but always the newest line.
    ///
    /// Its rings have their last size at once, and the system gives it page by page as they fill:
    /// grown amid what many clients hold, they would keep glibc from giving that back later.
    pub(super) fn new(limit: usize) -> Backlog {
        let at_once = limit.min(AT_ONCE);
        let bytes = VecDeque::with_capacity(at_once);
        let entries = VecDeque::with_capacity(at_once / (ENTRY_BYTES + SHORTEST_LINE));
        Backlog { bytes, entries, first: 0, dropped_bytes: 0, limit }
    }

    /// Number of the oldest line kept.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Number the next line will have.
    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Appends a line given in two parts, and hands the number and author of each line dropped for it to `dropped`.
    pub(super) fn push(
        &mut self,
        line: [&[u8]; 2],
        author: Option<Author>,
        mut dropped: impl FnMut(u64, Option<Author>),
    ) {
        let len = line[0].len() + line[1].len();
        while self.cost() + len + ENTRY_BYTES > self.limit {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes.drain(..(entry.end - self.dropped_bytes) as usize);
            self.dropped_bytes = entry.end;
            dropped(self.first, entry.author);
            self.first += 1;
        }
        self.reserve(len);
        self.bytes.extend(line[0]);
        self.bytes.extend(line[1]);
        let end = self.dropped_bytes + self.bytes.len() as u64;
        self.entries.push_back(Entry { end, author });
    }

    /// Who published line `number`, which the log must hold.
    pub(super) fn author(&self, number: u64) -> Option<Author> {
        self.entries[(number - self.first) as usize].author
    }

    /// Bytes kept of line `number` and all behind it.
    pub(super) fn bytes_from(&self, number: u64) -> usize {
        self.bytes.len() - self.start(number.max(self.first))
    }

    /// Line `number`, which the log must hold; in two parts where the ring wraps.
    pub(super) fn line(&self, number: u64) -> (&[u8], &[u8]) {
        let (start, end) = (self.start(number), self.start(number + 1));
        let (front, back) = self.bytes.as_slices();
        let split = front.len();
        (
            &front[start.min(split)..end.min(split)],
            &back[start.saturating_sub(split)..end.saturating_sub(split)],
        )
    }

    /// Where line `number` begins in the ring; the end of the ring for the next line.
    fn start(&self, number: u64) -> usize {
        match (number - self.first) as usize {
            0 => 0,
            index => (self.entries[index - 1].end - self.dropped_bytes) as usize,
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + self.entries.len() * ENTRY_BYTES
    }

    /// Doubles the ring, but not beyond the limit as `VecDeque` would by itself.
    fn reserve(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let target = (self.bytes.capacity() * 2).min(self.limit).max(needed);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
    }
}

#[cfg(test)]
impl Backlog {
    /// Bytes of memory it holds.
    pub(super) fn allocated(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * ENTRY_BYTES
    }
}
