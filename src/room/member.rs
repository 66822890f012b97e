//! One who takes part in a room: publishes, and takes what the others publish.

use std::cell::RefMut;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::backlog::Batch;
use super::cursor::Cursor;
use super::{Fill, LINE_BYTES, PENDING_BYTES, Room, State};
use crate::text::clean_into_one;

/// A member of a room; clones are the same member. Dropping the last one is leaving.
#[derive(Clone, Debug)]
pub struct Member(Rc<Joined>);

#[derive(Debug)]
pub(super) struct Joined {
    pub(super) room: Room,
    pub(super) key: usize,
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
    pub(super) fn new(joined: Joined) -> Member {
        Member(Rc::new(joined))
    }

    /// Appends a line for all members but this one; otherwise as [`Room::publish`]. A member that
    /// has left publishes nothing.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        self.publish_clean(&clean_into_one(line.as_ref()));
    }

    /// As [`publish`](Self::publish), of a line that is clean already.
    pub(crate) fn publish_clean(&self, line: &str) {
        let Cursor { author, left_at, .. } = self.state().cursors[self.0.key];
        if left_at.is_none() {
            self.0.room.append(line, Some(author), true);
        }
    }

    /// As [`publish_clean`](Self::publish_clean), for this member too.
    pub(crate) fn publish_to_all(&self, line: &str) {
        if self.state().cursors[self.0.key].left_at.is_none() {
            self.0.room.append(line, None, true);
        }
    }

    /// Has whoever waits for this member look again.
    pub(crate) fn wake(&self) {
        let waiting = self.state().cursors[self.0.key].waker.take();
        waiting.into_iter().for_each(Waker::wake);
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

    /// Has what this member is told next, of so many bytes, stand behind the lines that it has not
    /// taken, if all that is at most 2 KiB.
    pub(crate) fn hold(&self, room: usize) {
        let State { backlog, cursors, .. } = &mut *self.state();
        cursors[self.0.key].hold(backlog, room);
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
                Fill::Bytes(batch) => {
                    let end = buffer[..batch.bytes].iter().position(|&byte| byte == b'\n');
                    let part = end.map_or(batch.bytes, |end| end + 1);
                    line.bytes.extend_from_slice(&buffer[..part]);
                    self.consume(batch, part);
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
    /// [`consume`](Self::consume) does, for as much as the socket took. The buffer MUST have room
    /// for [`LINE_BYTES`] and for [`PENDING_BYTES`].
    pub(crate) fn fill(&self, buffer: &mut [u8]) -> Fill {
        let State { backlog, cursors, .. } = &mut *self.state();
        cursors[self.0.key].fill(backlog, buffer)
    }

    /// Moves past the first `bytes` of what [`fill`](Self::fill) has just copied, and returns how
    /// many lines begin in them. The next call goes on within a line that is taken in part,
    /// whatever the backlog drops.
    pub(crate) fn consume(&self, batch: Batch, bytes: usize) -> u64 {
        let State { backlog, cursors, .. } = &mut *self.state();
        cursors[self.0.key].consume(backlog, batch, bytes)
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
    pub(crate) fn ready(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_ready(cx))
    }

    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
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
