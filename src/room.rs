//! The broadcast room: one bounded log, a cursor for each member, and a bell.
//!
//! [`Room::publish`] appends to the log and rings the bell that all who wait listen to; it never
//! waits and cannot fail. A member takes what is between its cursor and the end of the log when
//! it can. So a member that takes nothing costs nothing: no queue of its own grows and nobody
//! waits for it. One that falls behind the log is told how many lines it missed.
//!
//! Knows nothing about sockets or clocks. A line gets its CR LF here.

mod bell;
mod log;
#[cfg(test)]
mod model;
mod slot;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::text::{self, character_start};
use bell::Bell;
use log::{Author, Log};
use slot::Slot;

/// Default bound of a room's log, in bytes: about 15,000 lines of ordinary talk.
pub const LOG_BYTES: usize = 1024 * 1024;

/// Bytes of one line, at most; what is longer is cut. A chat line whose every byte became a
/// U+FFFD, with its name, fits.
pub const LINE_BYTES: usize = 4096;

/// Bytes that may wait for one member alone ([`Member::tell`]), beside the rest of the one
/// line that is partly taken.
pub const TOLD_BYTES: usize = 4096;

/// Lines of the past that a newcomer can read, at most.
pub const LOOK_BACK: usize = 1000;

/// A room; clones are the same room.
#[derive(Clone)]
pub struct Room(Rc<RefCell<State>>);

struct State {
    log: Log,
    slots: Slab<Slot>,
    bell: Bell,
    /// Numbers of the last lines that members published, at most [`LOOK_BACK`] of them.
    spoken: VecDeque<u64>,
    /// Members that have not left.
    present: usize,
    joins: u32,
    /// Whether members read how many lines they missed.
    tells_missed: bool,
}

/// What one [`Member::take`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Bytes were taken: so many lines were begun, and before them so many were missed.
    Some {
        /// Lines of others whose first byte was taken now.
        lines: u64,
        /// Lines that the log dropped before the member came to them.
        missed: u64,
    },
    /// Nothing is there yet; [`Member::rung`] waits for it.
    Nothing,
    /// The member has left and has taken all it was due.
    End,
}

impl Room {
    /// A room whose log keeps at most `log_bytes`, of which each line takes 24 beside its own;
    /// its two rings take at most twice that of memory, as they fill.
    pub fn new(log_bytes: usize) -> Room {
        Room::with(Log::new(log_bytes), true)
    }

    /// A room that keeps the newest line only: a member that is slow skips to it and is not
    /// told of the ones between.
    pub fn newest_only() -> Room {
        Room::with(Log::new(0), false)
    }

    /// Appends a line for every member to take: one line, whatever it is given. It is
    /// [cleaned](text::clean_into_one), gets CR LF, and is cut at [`LINE_BYTES`]. MUST NOT wait.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        let line = cleaned(line.as_ref());
        let rung = self.0.borrow_mut().publish(line.as_bytes(), None);
        rung.into_iter().for_each(Bell::close);
    }

    /// A new member, who reads what is published from now on.
    pub fn join(&self) -> Member {
        let mut state = self.0.borrow_mut();
        state.present += 1;
        let slot = Slot::new(state.log.next());
        self.member(&mut state, slot)
    }

    /// Numbers of the last lines that members published, at most `lines`, oldest first, as far as
    /// the log still has them.
    pub(crate) fn spoken(&self, lines: usize) -> Vec<u64> {
        let state = self.0.borrow();
        let kept = state.spoken.partition_point(|number| *number < state.log.first());
        let start = state.spoken.len().saturating_sub(lines).max(kept);
        state.spoken.range(start..).copied().collect()
    }

    /// Number of the next line.
    pub(crate) fn next(&self) -> u64 {
        self.0.borrow().log.next()
    }

    /// A reader of these lines and none after them; of what the log drops before it comes to them
    /// it is told how many it missed. It is no member: nobody is told of it. `lines` is what
    /// [`spoken`](Self::spoken) gave, or a part of it.
    pub(crate) fn read_back(&self, lines: &[u64]) -> Member {
        self.member(&mut self.0.borrow_mut(), Slot::of_the_past(lines))
    }

    /// Members that have not left.
    pub fn len(&self) -> usize {
        self.0.borrow().present
    }

    /// True when nobody is in the room.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn member(&self, state: &mut State, mut slot: Slot) -> Member {
        state.joins = state.joins.wrapping_add(1);
        let entry = state.slots.vacant_entry();
        let key = entry.key();
        slot.author = Author { slot: key as u32, join: state.joins };
        entry.insert(slot);
        Member { room: self.clone(), key }
    }

    fn with(log: Log, tells_missed: bool) -> Room {
        // As the log's rings, so long at once.
        let (slots, bell, spoken) = (Slab::new(), Bell::new(), VecDeque::with_capacity(LOOK_BACK));
        Room(Rc::new(RefCell::new(State {
            log,
            slots,
            bell,
            spoken,
            present: 0,
            joins: 0,
            tells_missed,
        })))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("members", &self.len()).finish_non_exhaustive()
    }
}

/// One who takes part in a room. Dropping it is leaving.
#[derive(Debug)]
pub struct Member {
    room: Room,
    key: usize,
}

impl Member {
    /// Appends a line that all others take and this one does not; as [`Room::publish`]
    /// otherwise. One who has left publishes nothing.
    pub fn publish(&self, line: impl AsRef<[u8]>) {
        self.publish_clean(&cleaned(line.as_ref()));
    }

    /// As [`publish`](Self::publish), of a line that is clean already.
    pub(crate) fn publish_clean(&self, line: &str) {
        let mut state = self.room.0.borrow_mut();
        let slot = &state.slots[self.key];
        if slot.until.is_none() {
            let author = slot.author;
            let rung = state.publish(line.as_bytes(), Some(author));
            drop(state);
            rung.into_iter().for_each(Bell::close);
        }
    }

    /// Puts bytes before this member alone, ahead of the lines it has not taken, as they are;
    /// false, and nothing done, when more than [`TOLD_BYTES`] would wait.
    pub fn tell(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let mut state = self.room.0.borrow_mut();
        let slot = &mut state.slots[self.key];
        let fits = slot.told.len() + bytes.len() <= TOLD_BYTES;
        if fits {
            // Once for all that may follow.
            slot.told.reserve_exact(TOLD_BYTES - slot.told.len());
            slot.told.extend_from_slice(bytes);
            let waiting = slot.nudge.take();
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
        fits
    }

    /// Leaves: no later line reaches this member, those before may still be taken.
    pub fn leave(&self) {
        let waiting = self.room.0.borrow_mut().leave(self.key);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Offers what is ready to `write`, as many whole lines as fit `buffer`, and moves the
    /// cursor past as many bytes as it says it took. A line partly taken is finished by the
    /// next call, whatever the log drops.
    ///
    /// # Errors
    /// Those of `write`; nothing is taken then.
    ///
    /// # Panics
    /// If `write` calls the room: it is borrowed meanwhile.
    pub fn take(
        &self,
        buffer: &mut [u8],
        write: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<Taken> {
        let mut state = self.room.0.borrow_mut();
        let tells_missed = state.tells_missed;
        let State { log, slots, .. } = &mut *state;
        let slot = &mut slots[self.key];
        slot.catch_up(log);
        let notice = if tells_missed { slot.missed_notice() } else { String::new() };
        let ready = slot.copy(log, notice.as_bytes(), buffer);
        if ready > 0 {
            let written = write(&buffer[..ready])?.min(ready);
            return Ok(slot.advance(log, notice.as_bytes(), written));
        }
        let has_left = slot.until.is_some_and(|until| slot.cursor >= until);
        Ok(if has_left { Taken::End } else { Taken::Nothing })
    }

    /// Bytes of the log that it has not taken.
    pub fn backlog(&self) -> usize {
        let state = self.room.0.borrow();
        state.log.bytes_from(state.slots[self.key].cursor)
    }

    /// Waits until there may be something to take, or the end.
    pub async fn rung(&self) {
        let bell = self.room.0.borrow().bell.receiver();
        let mut rung = pin!(bell.recv());
        poll_fn(move |cx| match self.poll_due(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => rung.as_mut().poll(cx).map(drop),
        })
        .await;
    }

    /// The next line, with its line end; for a host that listens. `None` after
    /// [`leave`](Self::leave), when all is taken.
    pub async fn line(&self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let mut buffer = vec![0; LINE_BYTES];
        loop {
            let taken = self.take(&mut buffer, |bytes| {
                let end = bytes.iter().position(|&byte| byte == b'\n');
                let part = &bytes[..end.map_or(bytes.len(), |end| end + 1)];
                line.extend_from_slice(part);
                Ok(part.len())
            });
            match taken {
                Ok(Taken::Some { .. }) if line.ends_with(b"\n") => return Some(line),
                Ok(Taken::Some { .. }) => {}
                Ok(Taken::Nothing) => self.rung().await,
                Ok(Taken::End) | Err(_) => return None,
            }
        }
    }

    /// Ready when something may be there; otherwise the task is woken once something is due to
    /// this member alone.
    fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.room.0.borrow_mut();
        let State { log, slots, tells_missed, .. } = &mut *state;
        let slot = &mut slots[self.key];
        if slot.is_due(log, *tells_missed) {
            return Poll::Ready(());
        }
        if !slot.nudge.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            let before = slot.nudge.replace(cx.waker().clone());
            drop(state);
            drop(before);
        }
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
        let _dropped_here = self.room.0.borrow_mut().slots.remove(self.key);
    }
}

fn cleaned(text: &[u8]) -> String {
    let mut line = String::with_capacity(text.len());
    text::clean_into_one(text, &mut line);
    line
}

impl State {
    /// The bell to close, once nothing is borrowed: a waker may come back here.
    #[must_use]
    fn publish(&mut self, line: &[u8], author: Option<Author>) -> Option<Bell> {
        let line = &line[..character_start(line, LINE_BYTES - 2)];
        if author.is_some() {
            if self.spoken.len() == LOOK_BACK {
                self.spoken.pop_front();
            }
            self.spoken.push_back(self.log.next());
        }
        let slots = &mut self.slots;
        self.log.push([line, b"\r\n"], author, |number, author| {
            let Some(author) = author else { return };
            if let Some(slot) = slots.get_mut(author.slot as usize) {
                if slot.author == author && slot.cursor <= number {
                    slot.own_dropped += 1;
                }
            }
        });
        self.bell.ring()
    }

    fn leave(&mut self, key: usize) -> Option<Waker> {
        let slot = &mut self.slots[key];
        if slot.until.is_some() {
            return None;
        }
        slot.until = Some(self.log.next());
        self.present -= 1;
        slot.nudge.take()
    }
}
