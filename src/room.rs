//! The broadcast room: one bounded backlog of lines, and a cursor into it for each member.
//!
//! [`Room::publish`] appends to the backlog and wakes the members that wait, or leaves that to the
//! end of a pause in a busy room; it never waits and cannot fail. A member takes what is between its
//! cursor and the end of the backlog when it can. So a member that takes nothing costs nothing: no
//! queue of its own grows, and nobody waits for it. If the backlog drops lines before the member has
//! come to them, it learns how many it missed.
//!
//! Knows nothing about sockets, clocks, or what the lines say. A line gets its CR LF here.

mod backlog;
mod cursor;
mod member;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod ring;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;

use crate::text::{character_start, clean_into_one};
use backlog::{Author, Backlog, Batch, ENTRY_BYTES, SHORTEST_LINE};
use cursor::Cursor;
use member::Joined;
pub use member::{Line, Member};
use ring::Ring;
pub(crate) use ring::Ringer;

/// Bytes that a room keeps for slow members, by default: about 15,000 lines of ordinary talk.
pub(crate) const BACKLOG_BYTES: usize = 1024 * 1024;

/// Bytes of one line, at most; a longer one is cut. A line of the chat fits with its name even if
/// each of its bytes became a U+FFFD.
pub(crate) const LINE_BYTES: usize = 4096;

/// Bytes that may be pending for one member alone ([`Member::tell`]), with the rest of the one line
/// that is taken in part, which always has its place, and the lines that are held before an answer,
/// which have half of it.
pub(crate) const PENDING_BYTES: usize = 4096;

/// Lines of the history that a newcomer can read, at most.
pub(crate) const HISTORY_LINES: usize = 1000;

/// A handle to a room; its clones refer to the same room.
///
/// ```
/// let room = smol_servers::Room::default();
/// let (ann, bob) = (room.join(), room.join());
/// ann.publish("hello");
/// let line = smol_servers::block_on(bob.line()).expect("bob has not left");
/// assert_eq!((line.bytes, line.missed), (b"hello\r\n".to_vec(), 0));
/// ```
#[derive(Clone)]
pub struct Room(Rc<RefCell<State>>);

struct State {
    backlog: Backlog,
    cursors: Slab<Cursor>,
    ring: Ring,
    /// Set when a member has begun to wait, until all that wait are woken.
    waits: bool,
    /// The numbers of the last lines that members published, here or at another server, at most
    /// [`HISTORY_LINES`]. Each newcomer asks for them: to look for them among all that was announced
    /// would take too long.
    said: VecDeque<u64>,
    /// Members that have not left.
    present: usize,
    joins: NonZeroU32,
}

/// What [`Member::fill`] found for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Bytes are in the buffer, from its beginning.
    Bytes(Batch),
    /// This many lines were dropped before the member came to them. It is said once, and the caller
    /// is to [tell](Member::tell) the member.
    Missed(u64),
    /// Nothing is there yet; [`Member::ready`] waits for it.
    Nothing,
    /// The member has left and has taken all it was due.
    End,
}

impl Room {
    /// A room whose backlog keeps at most `bytes` bytes of lines, each line counted with 16 bytes
    /// of overhead. The newest line is always kept; with 0 it is the only one. The backlog may take
    /// up to twice that much memory.
    pub fn new(bytes: usize) -> Room {
        Room(Rc::new(RefCell::new(State {
            backlog: Backlog::new(bytes),
            cursors: Slab::new(),
            ring: Ring::new(bytes),
            waits: false,
            said: VecDeque::with_capacity(HISTORY_LINES),
            present: 0,
            joins: NonZeroU32::MIN,
        })))
    }

    /// Appends one line for every member, whatever it is given: what must not reach a terminal is
    /// removed, the line is cut at 4 KiB, and CR LF is added. Never waits.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        self.append(&clean_into_one(line.as_ref()), None, false);
    }

    /// As [`publish`](Self::publish), of a clean line that is part of the history.
    #[cfg(feature = "relay")]
    pub(crate) fn publish_said(&self, line: &str) {
        self.append(line, None, true);
    }

    /// A new member, which takes what is published from now on.
    pub fn join(&self) -> Member {
        let mut state = self.0.borrow_mut();
        state.present += 1;
        state.joins = state.joins.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let (join, next) = (state.joins, state.backlog.numbers().end);
        let key = state.cursors.vacant_key();
        state.cursors.insert(Cursor::new(Author { slot: key as u32, join }, next));
        Member::new(Joined { room: self.clone(), key })
    }

    /// Members that have not left.
    pub fn len(&self) -> usize {
        self.0.borrow().present
    }

    /// True when nobody is in the room.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the last `lines` lines that members published, at most [`HISTORY_LINES`] and
    /// no more than the backlog still has, oldest first.
    pub(crate) fn history(&self, lines: usize) -> Vec<u64> {
        let State { backlog, said, .. } = &*self.0.borrow();
        let kept = said.partition_point(|&number| number < backlog.numbers().start);
        let start = said.len().saturating_sub(lines).max(kept);
        said.range(start..).copied().collect()
    }

    /// Appends line `number` to `out`; false when the backlog has dropped it.
    pub(crate) fn copy_line(&self, number: u64, out: &mut Vec<u8>) -> bool {
        let backlog = &self.0.borrow().backlog;
        let is_kept = backlog.numbers().contains(&number);
        if is_kept {
            out.extend(backlog.line(number).concat());
        }
        is_kept
    }

    /// The number that the next line will have.
    pub(crate) fn next(&self) -> u64 {
        self.0.borrow().backlog.numbers().end
    }

    /// What lets the room pause between two lines, where it has none yet.
    pub(crate) fn ringer(&self) -> Option<Ringer> {
        Ringer::new(Rc::downgrade(&self.0))
    }

    fn append(&self, line: &str, author: Option<Author>, is_said: bool) {
        let waiting = self.0.borrow_mut().append(line.as_bytes(), author, is_said);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Default for Room {
    fn default() -> Room {
        Room::new(BACKLOG_BYTES)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("members", &self.len()).finish_non_exhaustive()
    }
}

impl State {
    /// Returns the wakers to wake, once nothing is borrowed.
    #[must_use]
    fn append(&mut self, line: &[u8], author: Option<Author>, is_said: bool) -> Vec<Waker> {
        let line = &line[..character_start(line, LINE_BYTES - 2)];
        if is_said {
            if self.said.len() == HISTORY_LINES {
                self.said.pop_front();
            }
            self.said.push_back(self.backlog.numbers().end);
        }
        let cursors = &mut self.cursors;
        self.backlog.push([line, b"\r\n"], author, |number, author| {
            match cursors.get_mut(author.slot as usize) {
                Some(cursor) if cursor.author == author && cursor.next <= number => {
                    cursor.own_dropped += 1;
                }
                _ => {}
            }
        });
        if self.ring.is_due(line.len() + SHORTEST_LINE + ENTRY_BYTES) {
            self.ring()
        } else {
            Vec::new()
        }
    }

    /// Returns the waker to wake.
    #[must_use]
    fn leave(&mut self, key: usize) -> Option<Waker> {
        let cursor = &mut self.cursors[key];
        if cursor.left_at.is_some() {
            return None;
        }
        cursor.left_at = Some(self.backlog.numbers().end);
        self.present -= 1;
        cursor.waker.take()
    }
}
