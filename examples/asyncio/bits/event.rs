//! `asyncio.Event`.

use std::cell::Cell;

use event_listener::Event as Bell;

/// A flag that tasks wait for. For one thread, as asyncio's is.
#[derive(Default)]
pub struct Event {
    is_set: Cell<bool>,
    bell: Bell,
}

impl Event {
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    pub fn set(&self) {
        self.is_set.set(true);
        self.bell.notify(usize::MAX);
    }

    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Between the check and `listen` nothing is awaited, so no `set` can be missed.
    pub async fn wait(&self) {
        if !self.is_set() {
            self.bell.listen().await;
        }
    }
}
