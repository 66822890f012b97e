//! `asyncio.LifoQueue`.

use std::cell::RefCell;

use event_listener::Event as Bell;

/// A queue that gives the newest item first.
pub struct LifoQueue<T> {
    items: RefCell<Vec<T>>,
    bell: Bell,
}

impl<T> LifoQueue<T> {
    pub fn new() -> LifoQueue<T> {
        LifoQueue { items: RefCell::default(), bell: Bell::new() }
    }

    pub fn put(&self, item: T) {
        self.items.borrow_mut().push(item);
        self.bell.notify_additional(1);
    }

    /// Asks again once it is woken: another task may have been faster.
    pub async fn get(&self) -> T {
        loop {
            if let Some(item) = self.items.borrow_mut().pop() {
                return item;
            }
            self.bell.listen().await;
        }
    }
}
