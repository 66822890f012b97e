//! How much may be said at once, so that publishing never outruns reading.

use std::cell::Cell;

use futures_lite::future::yield_now;

use crate::limits::CHUNK_BYTES;
use crate::room::LINE_BYTES;

/// Bytes that may be published while every writer has one turn. A writer takes a chunk a turn, less
/// a line that does not fit any more; the one who reaches the bound may exceed it by a line.
const BYTES: usize = CHUNK_BYTES - 2 * LINE_BYTES;

/// What the guests of a chat have published since every writer had its turn.
#[derive(Debug, Default)]
pub(super) struct Floor {
    published: Cell<usize>,
    /// Set while one of those who wait will open the floor again.
    kept: Cell<bool>,
}

impl Floor {
    /// Counts a line that is published.
    pub(super) fn add(&self, bytes: usize) {
        self.published.set(self.published.get() + bytes);
    }

    /// True when who wants to publish is to [wait](Self::wait) first.
    pub(super) fn is_closed(&self) -> bool {
        self.published.get() >= BYTES
    }

    /// Waits until every writer has had its turn since the floor was closed, and until it is this
    /// guest's turn among those who wait.
    ///
    /// The first one that finds it closed opens it again. An executor's tasks run one after the
    /// other, so when it comes to run again all others have; and those who found it closed after
    /// it run behind it, so that none waits for ever. A guest's own turn is over before it has
    /// published half of the bound.
    pub(super) async fn wait(&self) {
        while self.is_closed() {
            let opens = self.keep();
            yield_now().await;
            if opens.is_some() {
                self.published.set(0);
            }
        }
    }

    fn keep(&self) -> Option<Keeper<'_>> {
        (!self.kept.replace(true)).then(|| Keeper(&self.kept))
    }
}

/// One who will open the floor. If it is gone before that, the next one does.
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
                    floor.wait().await;
                    floor.add(BYTES / 2);
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
    fn one_who_leaves_while_it_waits_keeps_nobody_from_the_floor() {
        let floor = Floor::default();
        floor.add(BYTES);
        assert_eq!(block_on(poll_once(floor.wait())), None);
        block_on(floor.wait());
        assert!(!floor.is_closed());
    }
}
