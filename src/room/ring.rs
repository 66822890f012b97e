//! When the members that wait are woken: at once while the room is quiet, and in a busy one only
//! after a pause, so that each of them takes several lines in one write.
//!
//! The first line rings, and asks the room's [`Ringer`] for a pause by a message in a channel that
//! holds one. Lines that come during the pause are rung together at its end, which begins another
//! one, until a pause has passed without a line. A room without a ringer rings for each line.

use std::cell::RefCell;
use std::rc::Weak;
use std::task::Waker;

use async_channel::{Receiver, Sender};

use super::State;

/// Bytes that may wait for the end of a pause, at most: half of what a writer takes at once. More
/// are rung for at once, since they would fill a write anyway.
const WAITING_BYTES: usize = 8 * 1024;

/// What a room knows of its ringing.
pub(super) struct Ring {
    /// The number of the first line that nobody was woken for yet.
    pub(super) rung: u64,
    /// Bytes of the lines from there on.
    waiting: usize,
    /// At so many of them it rings, whatever the pause: below the half of the backlog, which would
    /// drop what nobody had a chance to take.
    most: usize,
    /// Set during a pause.
    pauses: bool,
    /// Asks the ringer for a pause; closed where there is none.
    requests: Sender<()>,
}

impl Ring {
    /// The ring of a room whose backlog keeps so many bytes.
    pub(super) fn new(backlog: usize) -> Ring {
        let (requests, _none) = async_channel::bounded(1);
        let most = WAITING_BYTES.min(backlog / 2);
        Ring { rung: 0, waiting: 0, most, pauses: false, requests }
    }

    /// Counts a line that takes so many bytes of the backlog; true when it is to be rung for now.
    pub(super) fn is_due(&mut self, bytes: usize) -> bool {
        self.waiting += bytes;
        if !self.pauses {
            // Refused where the room has no ringer.
            self.pauses = self.requests.try_send(()).is_ok();
            return true;
        }
        self.waiting >= self.most
    }
}

impl State {
    /// Lets the members take all that was published; returns the wakers of those that wait for it,
    /// to be woken once nothing is borrowed: a waker may run code that comes back to the room.
    #[must_use]
    pub(super) fn ring(&mut self) -> Vec<Waker> {
        self.ring.rung = self.backlog.numbers().end;
        self.ring.waiting = 0;
        if !std::mem::take(&mut self.waits) {
            return Vec::new();
        }
        self.cursors.iter_mut().filter_map(|(_, cursor)| cursor.waker.take()).collect()
    }
}

/// Ends the pauses of a room, as long as it lives. It knows no clock: who has it waits the pauses.
pub(crate) struct Ringer {
    room: Weak<RefCell<State>>,
    requests: Receiver<()>,
}

impl Ringer {
    /// The ringer of a room that has none.
    pub(super) fn new(room: Weak<RefCell<State>>) -> Option<Ringer> {
        let state = room.upgrade()?;
        let ring = &mut state.borrow_mut().ring;
        if !ring.requests.is_closed() {
            return None;
        }
        let (sender, requests) = async_channel::bounded(1);
        ring.requests = sender;
        Some(Ringer { room, requests })
    }

    /// Waits until the room has rung and pauses; returns how many members it has, and `None` once
    /// the room is gone.
    pub(crate) async fn pauses(&self) -> Option<usize> {
        self.requests.recv().await.ok()?;
        Some(self.room.upgrade()?.borrow().present)
    }

    /// Rings at the end of a pause, for the lines that came in it, and returns how many members
    /// there are; another pause begins. `None` where no line came: the room is quiet again.
    pub(crate) fn ring(&self) -> Option<usize> {
        let room = self.room.upgrade()?;
        let mut state = room.borrow_mut();
        state.ring.pauses = state.ring.waiting > 0;
        if !state.ring.pauses {
            return None;
        }
        let (waiting, members) = (state.ring(), state.present);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        Some(members)
    }
}

impl Drop for Ringer {
    /// From here on the room rings for each line.
    fn drop(&mut self) {
        self.ring();
        if let Some(room) = self.room.upgrade() {
            room.borrow_mut().ring.pauses = false;
        }
    }
}
