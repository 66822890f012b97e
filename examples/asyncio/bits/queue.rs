//! `asyncio.Queue`, as far as a channel is not one: `task_done` and `join`.

use std::cell::Cell;

use async_channel::{Receiver, Sender, bounded};
use event_listener::Event as Bell;

/// A channel that knows how many of its items are still being worked on.
pub struct Queue<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    unfinished: Cell<usize>,
    finished: Bell,
}

impl<T> Queue<T> {
    /// A queue of at most `size` items. asyncio's `Queue()` without a size is
    /// `async_channel::unbounded`.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn new(size: usize) -> Queue<T> {
        let (sender, receiver) = bounded(size);
        Queue { sender, receiver, unfinished: Cell::new(0), finished: Bell::new() }
    }

    /// An item counts once it is in the queue, not while `put` waits for room.
    pub async fn put(&self, item: T) {
        if self.sender.send(item).await.is_ok() {
            self.unfinished.set(self.unfinished.get() + 1);
        }
    }

    pub async fn get(&self) -> T {
        self.receiver.recv().await.expect("the queue itself has a sender")
    }

    /// To be called once for each item that was got.
    ///
    /// # Panics
    /// If it is called more often than items were put, where asyncio raises ValueError.
    pub fn task_done(&self) {
        let unfinished = self.unfinished.get().checked_sub(1);
        self.unfinished.set(unfinished.expect("task_done() called too many times"));
        if self.unfinished.get() == 0 {
            self.finished.notify(usize::MAX);
        }
    }

    /// Waits until every item that was put is done.
    pub async fn join(&self) {
        if self.unfinished.get() > 0 {
            self.finished.listen().await;
        }
    }
}
