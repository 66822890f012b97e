//! The ring that all who wait in a room listen to.

use std::convert::Infallible;
use std::rc::Rc;

use async_channel::{Receiver, Sender};

/// A channel that is closed to ring and replaced by a new one: one call wakes everybody, and who
/// waits holds a listener of some 100 bytes. A channel for each member costs 768.
///
/// Who waits shares the receiver: its own clones are counted with atomic operations.
pub(super) struct Ring(Sender<Infallible>, Rc<Receiver<Infallible>>);

impl Ring {
    pub(super) fn new() -> Ring {
        let (sender, receiver) = async_channel::bounded(1);
        Ring(sender, Rc::new(receiver))
    }

    /// Its message never comes; that it is closed is the ring.
    pub(super) fn receiver(&self) -> Rc<Receiver<Infallible>> {
        self.1.clone()
    }

    /// The ring to close, if anybody waits at it; a new one stands in its place.
    pub(super) fn ring(&mut self) -> Option<Ring> {
        let heard = Rc::strong_count(&self.1) > 1;
        heard.then(|| std::mem::replace(self, Ring::new()))
    }

    /// Wakes all who wait at it.
    pub(super) fn close(self) {
        self.0.close();
    }
}
