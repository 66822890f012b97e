//! The ring: how all members that wait are woken at once.

use std::convert::Infallible;
use std::rc::Rc;

use async_channel::{Receiver, Sender};

/// A channel that carries no message: closing it wakes everybody who receives from it, and a new
/// one takes its place. Each waiting member costs a listener of about 100 bytes; a channel for each
/// member would cost 768.
///
/// The receiver is shared by an `Rc`, whose count is not atomic as that of its own clones is.
pub(super) struct Ring(Sender<Infallible>, Rc<Receiver<Infallible>>);

impl Ring {
    pub(super) fn new() -> Ring {
        let (sender, receiver) = async_channel::bounded(1);
        Ring(sender, Rc::new(receiver))
    }

    /// What a member waits at: receiving from it ends when the ring is closed.
    pub(super) fn receiver(&self) -> Rc<Receiver<Infallible>> {
        self.1.clone()
    }

    /// The ring to [close](Self::close), if anybody waits at it; a new one takes its place.
    pub(super) fn ring(&mut self) -> Option<Ring> {
        let heard = Rc::strong_count(&self.1) > 1;
        heard.then(|| std::mem::replace(self, Ring::new()))
    }

    /// Wakes all who wait at it.
    pub(super) fn close(self) {
        self.0.close();
    }
}
