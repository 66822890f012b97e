//! `asyncio.PriorityQueue`.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use event_listener::Event as Bell;

/// A queue that gives the smallest item first. A `BinaryHeap` gives the largest, hence `Reverse`.
pub struct PriorityQueue<T> {
    items: RefCell<BinaryHeap<Reverse<T>>>,
    bell: Bell,
}

impl<T: Ord> PriorityQueue<T> {
    pub fn new() -> PriorityQueue<T> {
        PriorityQueue { items: RefCell::default(), bell: Bell::new() }
    }

    pub fn put(&self, item: T) {
        self.items.borrow_mut().push(Reverse(item));
        self.bell.notify_additional(1);
    }

    /// Asks again once it is woken: another task may have been faster.
    pub async fn get(&self) -> T {
        loop {
            if let Some(Reverse(item)) = self.items.borrow_mut().pop() {
                return item;
            }
            self.bell.listen().await;
        }
    }
}
