//! How a server is told to end: a [`Trigger`] that is pulled once, and any number of [`Stop`]s
//! that see it.
//!
//! The order of a shutdown stands in [`crate::server::serve`]. Knows nothing about signals;
//! the programs pull the trigger from theirs, a host from wherever it likes.

use std::convert::Infallible;

use async_channel::{Receiver, Sender};

/// Makes a trigger and the stop it sets off.
pub fn channel() -> (Trigger, Stop) {
    let (sender, receiver) = async_channel::bounded(1);
    (Trigger(sender), Stop(receiver))
}

/// Sets off its [`Stop`] when pulled or dropped: closing a channel is the message.
#[derive(Debug)]
pub struct Trigger(Sender<Infallible>);

impl Trigger {
    /// Ends every server that was given the matching [`Stop`]. Pulling twice changes nothing.
    pub fn pull(&self) {
        self.0.close();
    }
}

/// Waits until the matching [`Trigger`] was pulled or dropped.
#[derive(Clone, Debug)]
pub struct Stop(Receiver<Infallible>);

impl Stop {
    /// Waits until the trigger is pulled; returns at once if it was.
    pub async fn wait(&self) {
        let _closed = self.0.recv().await;
    }
}
