//! The backlog of a room: finished lines, one after another, the oldest dropped first.
//!
//! All bytes stand in one ring buffer, so that a writer copies a run of lines without following a
//! pointer to each, and one figure bounds what the backlog can cost. Lines are numbered from 0, for
//! ever, and an entry says where one begins; it ends where the next one begins, or the bytes do:
//!
//! ```text
//!            first = 7                           position of line 8 in the ring buffer:
//! bytes      hello\r\n hi\r\n       bye\r\n       97 - 90 = 7 bytes behind the oldest one
//! entries    start: 90  start: 97  start: 101    line 8: the bytes from position 7 to that of
//! line       7          8          9             line 9, which is 101 - 90 = 11
//! ```

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::ops::Range;

/// Who published a line: the slot of its cursor, and which of the joins held it then. A slot is
/// used again by another member; the number of a join is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) slot: u32,
    pub(super) join: NonZeroU32,
}

/// What one line costs beside its bytes.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>();

/// Bytes of a line that is empty: its CR LF.
pub(super) const SHORTEST_LINE: usize = 2;

/// Bytes that a backlog reserves before it has any line; a larger one grows by doubling from there.
const RESERVED_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
struct Entry {
    /// Bytes appended before this line since the backlog was last empty.
    start: u64,
    author: Option<Author>,
}

/// What was copied for a member to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) bytes: usize,
    pub(super) lines: u64,
    /// The first line that was not copied, the member's own lines skipped.
    pub(super) next: u64,
}

#[derive(Debug)]
pub(super) struct Backlog {
    bytes: VecDeque<u8>,
    entries: VecDeque<Entry>,
    /// Lines dropped so far, which is the number of the oldest line kept.
    first: u64,
    limit: usize,
}

impl Backlog {
    /// A backlog that keeps at most `limit` bytes, entries included, but always the newest line.
    ///
    /// Its buffers have their final size from the start, and the system gives the memory page by
    /// page as they fill. If they grew later, among what many clients hold, glibc could not give
    /// that back when the clients are gone.
    pub(super) fn new(limit: usize) -> Backlog {
        let reserved = limit.min(RESERVED_BYTES);
        let bytes = VecDeque::with_capacity(reserved);
        let entries = VecDeque::with_capacity(reserved / (ENTRY_BYTES + SHORTEST_LINE));
        Backlog { bytes, entries, first: 0, limit }
    }

    /// The numbers of the lines kept; its end is the number that the next line will have.
    pub(super) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.entries.len() as u64
    }

    /// Appends a line given in two parts, and hands the number and author of each line of a member
    /// that is dropped for it to `dropped`.
    pub(super) fn push(
        &mut self,
        line: [&[u8]; 2],
        author: Option<Author>,
        mut dropped: impl FnMut(u64, Author),
    ) {
        let len = line[0].len() + line[1].len();
        while self.cost() + len + ENTRY_BYTES > self.limit {
            let oldest = self.position(self.first + 1);
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes.drain(..oldest);
            if let Some(author) = entry.author {
                dropped(self.first, author);
            }
            self.first += 1;
        }
        let start = self.base() + self.bytes.len() as u64;
        self.entries.push_back(Entry { start, author });
        line.into_iter().for_each(|part| self.bytes.extend(part));
    }

    /// Who published line `number`, which the backlog must hold.
    pub(super) fn author(&self, number: u64) -> Option<Author> {
        self.entries[(number - self.first) as usize].author
    }

    /// Copies those of `lines` that are not by `author` to the front of `buffer`, until one does not
    /// fit. The backlog must hold them all.
    pub(super) fn copy(&self, lines: Range<u64>, author: Author, buffer: &mut [u8]) -> Batch {
        let mut batch = Batch { bytes: 0, lines: 0, next: lines.start };
        if lines.is_empty() {
            return batch;
        }
        // Lines that stand side by side are copied together.
        let (mut start, mut end) = (self.position(lines.start), self.position(lines.start));
        for number in lines {
            let next_end = self.position(number + 1);
            if self.author(number) == Some(author) {
                batch.bytes += put(self.slices(start..end), &mut buffer[batch.bytes..]);
                start = next_end;
            } else if next_end - start > buffer.len() - batch.bytes {
                break;
            } else {
                batch.lines += 1;
            }
            end = next_end;
            batch.next = number + 1;
        }
        batch.bytes += put(self.slices(start..end), &mut buffer[batch.bytes..]);
        batch
    }

    /// Bytes kept of line `number` and of all behind it.
    pub(super) fn bytes_from(&self, number: u64) -> usize {
        self.bytes.len() - self.position(number.max(self.first))
    }

    /// Line `number`, which the backlog must hold, in two parts.
    pub(super) fn line(&self, number: u64) -> [&[u8]; 2] {
        self.slices(self.position(number)..self.position(number + 1))
    }

    /// The bytes at these positions. They are in two parts where they go over the end of the ring
    /// buffer; otherwise one of them is empty.
    fn slices(&self, positions: Range<usize>) -> [&[u8]; 2] {
        let (front, back) = self.bytes.as_slices();
        let Range { start, end } = positions;
        let in_front = |position: usize| position.min(front.len());
        let in_back = |position: usize| position.saturating_sub(front.len());
        [&front[in_front(start)..in_front(end)], &back[in_back(start)..in_back(end)]]
    }

    /// Where line `number` begins in the ring buffer, counted from its oldest byte; for the next
    /// line, where it will.
    fn position(&self, number: u64) -> usize {
        let entry = self.entries.get((number - self.first) as usize);
        entry.map_or(self.bytes.len(), |entry| (entry.start - self.base()) as usize)
    }

    /// What the starts of entries are counted from: the start of the oldest line kept.
    fn base(&self) -> u64 {
        self.entries.front().map_or(0, |oldest| oldest.start)
    }

    fn cost(&self) -> usize {
        self.bytes.len() + self.entries.len() * ENTRY_BYTES
    }
}

/// Copies both parts to the front of `buffer`, where they must fit; returns how many bytes.
fn put(parts: [&[u8]; 2], buffer: &mut [u8]) -> usize {
    let [front, back] = parts;
    buffer[..front.len()].copy_from_slice(front);
    buffer[front.len()..][..back.len()].copy_from_slice(back);
    front.len() + back.len()
}

#[cfg(test)]
impl Backlog {
    /// Bytes of memory it holds.
    pub(super) fn allocated(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * ENTRY_BYTES
    }
}
