//! The broadcast room: one bounded backlog of lines, and a cursor into it for each member.
//!
//! [`Room::publish`] appends to the backlog and wakes the members that wait, or leaves that to the
//! end of a pause in a busy room; it never waits and cannot fail. A member takes what is between its cursor and the end of the backlog when it can.
//! So a member that takes nothing costs nothing: no queue of its own grows, and nobody waits for
//! it. If the backlog drops lines before the member has come to them, it learns how many it missed.
//!
//! Knows nothing about sockets, clocks, or what the lines say. A line gets its CR LF here.

mod backlog;
mod cursor;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod ring;
#[cfg(test)]
mod tests;

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::text::{character_start, clean_into_one};
use backlog::{Author, Backlog};
use cursor::Cursor;
use ring::Ring;
pub(crate) use ring::Ringer;

/// Bytes that a room keeps for slow members, by default: about 15,000 lines of ordinary talk.
pub(crate) const BACKLOG_BYTES: usize = 1024 * 1024;

/// Bytes of one line, at most; a longer one is cut. A line of the chat fits with its name even if
/// each of its bytes became a U+FFFD.
pub(crate) const LINE_BYTES: usize = 4096;

/// Bytes that may be pending for one member alone ([`Member::tell`]), beside the rest of the one
/// line that is taken in part.
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
    /// The numbers of the last lines that members published, at most [`HISTORY_LINES`]. Each
    /// newcomer asks for them: to look for them among all that was announced would take too long.
    said: VecDeque<u64>,
    /// Members that have not left.
    present: usize,
    joins: u32,
}

/// What [`Member::fill`] found for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// This many bytes are in the buffer.
    Bytes(usize),
    /// This many lines were dropped before the member came to them. It is said once, and the caller
    /// is to [tell](Member::tell) the member.
    Missed(u64),
    /// Nothing is there yet; [`Member::ready`] waits for it.
    Nothing,
    /// The member has left and has taken all it was due.
    End,
}

impl Room {
    /// A room whose backlog keeps at most `bytes` bytes of lines, each line counted with 24 bytes
    /// of overhead. The newest line is always kept; with 0 it is the only one. The backlog may take
    /// up to twice that much memory.
    pub fn new(bytes: usize) -> Room {
        Room(Rc::new(RefCell::new(State {
            backlog: Backlog::new(bytes),
            cursors: Slab::new(),
            ring: Ring::new(),
            waits: false,
            said: VecDeque::with_capacity(HISTORY_LINES),
            present: 0,
            joins: 0,
        })))
    }

    /// Appends one line for every member, whatever it is given: what must not reach a terminal is
    /// removed, the line is cut at 4 KiB, and CR LF is added. Never waits.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        self.append(&clean_into_one(line.as_ref()), None);
    }

    /// A new member, which takes what is published from now on.
    pub fn join(&self) -> Member {
        let mut state = self.0.borrow_mut();
        state.present += 1;
        state.joins = state.joins.wrapping_add(1);
        let (join, next) = (state.joins, state.backlog.numbers().end);
        let key = state.cursors.vacant_key();
        state.cursors.insert(Cursor::new(Author { slot: key as u32, join }, next));
        Member(Rc::new(Joined { room: self.clone(), key }))
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

    fn append(&self, line: &str, author: Option<Author>) {
        let waiting = self.0.borrow_mut().append(line.as_bytes(), author);
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

/// A member of a room; clones are the same member. Dropping the last one is leaving.
#[derive(Clone, Debug)]
pub struct Member(Rc<Joined>);

#[derive(Debug)]
struct Joined {
    room: Room,
    key: usize,
}

/// What [`Member::line`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, with its CR LF.
    pub bytes: Vec<u8>,
    /// Lines that were dropped before this one, since the member was too slow.
    pub missed: u64,
}

impl Member {
    /// Appends a line for all members but this one; otherwise as [`Room::publish`]. A member that
    /// has left publishes nothing.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        self.publish_clean(&clean_into_one(line.as_ref()));
    }

    /// As [`publish`](Self::publish), of a line that is clean already.
    pub(crate) fn publish_clean(&self, line: &str) {
        let Cursor { author, left_at, .. } = self.state().cursors[self.0.key];
        if left_at.is_none() {
            self.0.room.append(line, Some(author));
        }
    }

    /// Sends bytes to this member alone, ahead of the lines it has not yet taken. They are sent as
    /// they are, control characters included, so clean what others wrote. Returns false and does
    /// nothing if more than 4 KiB would then be waiting.
    pub fn tell(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let mut state = self.state();
        let cursor = &mut state.cursors[self.0.key];
        let fits = cursor.pending.len() + bytes.len() <= PENDING_BYTES;
        if fits {
            // At once, so that what follows does not make it grow step by step.
            cursor.pending.reserve_exact(PENDING_BYTES - cursor.pending.len());
            cursor.pending.extend_from_slice(bytes);
            let waiting = cursor.waker.take();
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
        fits
    }

    /// Leaves: no later line reaches this member, those before may still be taken.
    pub fn leave(&self) {
        self.0.leave();
    }

    /// Waits for the next line; `None` after [`leave`](Self::leave), when all is taken. For a host
    /// that listens. One task at a time may wait for the lines of a member.
    pub async fn line(&self) -> Option<Line> {
        let (mut line, mut buffer) = (Line { bytes: Vec::new(), missed: 0 }, vec![0; LINE_BYTES]);
        loop {
            match self.fill(&mut buffer) {
                Fill::Bytes(filled) => {
                    let end = buffer[..filled].iter().position(|&byte| byte == b'\n');
                    let part = end.map_or(filled, |end| end + 1);
                    line.bytes.extend_from_slice(&buffer[..part]);
                    self.consume(part);
                    if end.is_some() {
                        return Some(line);
                    }
                }
                Fill::Missed(lines) => line.missed += lines,
                Fill::Nothing => self.ready().await,
                Fill::End => return None,
            }
        }
    }

    /// Copies what is ready for this member into `buffer`, and moves past none of it:
    /// [`consume`](Self::consume) does, for as much as the socket took.
    pub(crate) fn fill(&self, buffer: &mut [u8]) -> Fill {
        let State { backlog, cursors, .. } = &mut *self.state();
        cursors[self.0.key].fill(backlog, buffer)
    }

    /// Moves past the first `bytes` of what [`fill`](Self::fill) has just copied, and returns how
    /// many lines begin in them. The next call goes on within a line that is taken in part,
    /// whatever the backlog drops.
    pub(crate) fn consume(&self, bytes: usize) -> u64 {
        let State { backlog, cursors, .. } = &mut *self.state();
        cursors[self.0.key].consume(backlog, bytes)
    }

    /// Bytes of the backlog that it has not taken.
    pub(crate) fn unread(&self) -> usize {
        let state = self.state();
        state.backlog.bytes_from(state.cursors[self.0.key].next)
    }

    /// Whether there may be something to take, or the end.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.state();
        state.cursors[self.0.key].is_ready(state.ring.rung)
    }

    /// Waits until it [is](Self::is_ready). One task at a time may wait for a member.
    pub(crate) async fn ready(&self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let State { cursors, ring, waits, .. } = &mut *state;
        let cursor = &mut cursors[self.0.key];
        if cursor.is_ready(ring.rung) {
            return Poll::Ready(());
        }
        *waits = true;
        let former = cursor.waker.replace(cx.waker().clone());
        drop(state);
        // Not while the room is borrowed: it may be the last that holds a task with a member.
        drop(former);
        Poll::Pending
    }

    fn state(&self) -> RefMut<'_, State> {
        self.0.room.0.borrow_mut()
    }
}

impl Joined {
    fn leave(&self) {
        let waiting = self.room.0.borrow_mut().leave(self.key);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.leave();
        // Its waker too is dropped only once nothing is borrowed.
        let _cursor = self.room.0.borrow_mut().cursors.remove(self.key);
    }
}

impl State {
    /// Returns the wakers to wake, once nothing is borrowed.
    #[must_use]
    fn append(&mut self, line: &[u8], author: Option<Author>) -> Vec<Waker> {
        let line = &line[..character_start(line, LINE_BYTES - 2)];
        if author.is_some() {
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
        if self.ring.is_due(line.len()) { self.ring() } else { Vec::new() }
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
