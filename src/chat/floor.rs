//! How much may be said at once, so that publishing never outruns reading.
//!
//! Whoever writes fast could push lines out of the backlog before the writers of the others had a
//! chance to take them. So the chat counts the bytes published, subtracts what a writer takes in
//! one turn each time all writers have had a turn, and holds back whoever wants to publish while
//! too much is left.

use std::cell::Cell;
use std::rc::Rc;

use futures_lite::future::yield_now;

use crate::client::editor::ERASE_BYTES;
use crate::room::LINE_BYTES;
use crate::server::limits::BUFFER_BYTES;

/// Bytes that a writer takes in a turn, at least: a buffer, less what erases the row of an editor
/// and a line that did not fit any more.
const TURN_BYTES: usize = BUFFER_BYTES - ERASE_BYTES - LINE_BYTES;

/// Bytes left at which guests that say much are held back. The line that reaches this mark is still
/// published, so no more than one turn is then left.
const MUCH_BYTES: usize = TURN_BYTES - LINE_BYTES;

/// Bytes left at which everybody is held back; an eighth of the default backlog.
const MOST_BYTES: usize = 128 * 1024;

/// The right to speak: counts the bytes that a writer whose client never makes it wait has still to
/// take.
#[derive(Debug, Default)]
pub(super) struct Floor {
    left: Cell<usize>,
    /// The guest that will subtract the turn holds a clone; if it leaves before the turn is over,
    /// another one takes this on.
    turn: Rc<()>,
}

impl Floor {
    /// Counts a line that is published.
    pub(super) fn add(&self, bytes: usize) {
        self.left.set(self.left.get() + bytes);
    }

    /// True when a guest that wants to publish has to [wait](Self::wait) first. Guests that say
    /// little go before those that say much.
    pub(super) fn is_closed(&self, says_much: bool) -> bool {
        self.left.get() >= if says_much { MUCH_BYTES } else { MOST_BYTES }
    }

    /// Waits until this guest may publish.
    ///
    /// The executor runs its tasks one after the other, and one that yields is put behind all that
    /// are ready. So when the first guest held back runs again, every writer has had a turn: this
    /// guest takes [`TURN_BYTES`] off, and those held back after it run behind it and look again.
    /// No guest can keep the floor either: it yields before it has published half of what a writer
    /// takes in a turn, so all guests get it in turn.
    pub(super) async fn wait(&self, says_much: bool) {
        while self.is_closed(says_much) {
            let counts = (Rc::strong_count(&self.turn) == 1).then(|| self.turn.clone());
            yield_now().await;
            if counts.is_some() {
                self.left.set(self.left.get().saturating_sub(TURN_BYTES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};
    use smol::LocalExecutor;

    use super::*;

    #[test]
    fn those_who_want_to_publish_have_the_floor_in_turn() {
        let (floor, executor) = (Rc::new(Floor::default()), LocalExecutor::new());
        let order = Rc::new(Cell::new(Vec::new()));
        for name in 0..5 {
            let (floor, order) = (floor.clone(), order.clone());
            let speak = async move {
                for _ in 0..3 {
                    floor.wait(true).await;
                    floor.add(MUCH_BYTES / 2);
                    let mut names = order.take();
                    names.push(name);
                    order.set(names);
                    yield_now().await;
                }
            };
            executor.spawn(speak).detach();
        }
        while executor.try_tick() {}
        let mut order = order.take();
        assert_eq!(order.len(), 15);
        for round in order.chunks_mut(5) {
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3, 4], "each once before any once more");
        }
    }

    #[test]
    fn one_who_says_little_goes_before_those_who_say_much() {
        let floor = Floor::default();
        floor.add(MUCH_BYTES);
        assert!(floor.is_closed(true) && !floor.is_closed(false));
        floor.add(MOST_BYTES);
        assert!(floor.is_closed(false));
        block_on(floor.wait(false));
        assert!(floor.is_closed(true));
    }

    #[test]
    fn one_who_leaves_while_it_waits_keeps_nobody_from_the_floor() {
        let floor = Floor::default();
        floor.add(MUCH_BYTES);
        assert_eq!(block_on(poll_once(floor.wait(true))), None);
        block_on(floor.wait(true));
        assert!(!floor.is_closed(true));
    }
}
