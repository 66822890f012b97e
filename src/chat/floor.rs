//! How much may be said at once, so that publishing never outruns reading.

use std::cell::Cell;

use futures_lite::future::yield_now;

use crate::room::LINE_BYTES;
use crate::server::limits::BUFFER_BYTES;

/// Bytes that a writer takes in a turn, at least: a chunk, less a line that does not fit any more.
const TURN_BYTES: usize = BUFFER_BYTES - LINE_BYTES;

/// Bytes that may wait before those who say much are held back: with the line that exceeds it a
/// writer's turn.
const MUCH_BYTES: usize = TURN_BYTES - LINE_BYTES;

/// Bytes that may wait before all are held back; an eighth of the default log.
const MOST_BYTES: usize = 128 * 1024;

/// What the guests of a chat have published and a writer that is always ready has not yet taken.
#[derive(Debug, Default)]
pub(super) struct Floor {
    waiting: Cell<usize>,
    /// Set while one of those who are held back counts the turns.
    kept: Cell<bool>,
}

impl Floor {
    /// Counts a line that is published.
    pub(super) fn add(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
    }

    /// True when one who wants to publish is to [wait](Self::wait) first. Who says little goes
    /// before those who say much.
    pub(super) fn is_closed(&self, says_much: bool) -> bool {
        self.waiting.get() >= if says_much { MUCH_BYTES } else { MOST_BYTES }
    }

    /// Waits until this guest may publish.
    ///
    /// The first one that is held back counts the turns: an executor's tasks run one after the
    /// other, so when it comes to run again each writer has had its turn. Those who were held back
    /// after it run behind it, and a guest's own turn is over before it has published half of what
    /// a writer takes; so all have the floor in turn.
    pub(super) async fn wait(&self, says_much: bool) {
        while self.is_closed(says_much) {
            let counts = self.keep();
            yield_now().await;
            if counts.is_some() {
                self.waiting.set(self.waiting.get().saturating_sub(TURN_BYTES));
            }
        }
    }

    fn keep(&self) -> Option<Keeper<'_>> {
        (!self.kept.replace(true)).then(|| Keeper(&self.kept))
    }
}

/// One who counts a turn. If it is gone before that, the next one does.
struct Keeper<'a>(&'a Cell<bool>);

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

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
