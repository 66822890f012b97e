//! What happens in the chat, for hosts that want it as typed events.

use std::cell::RefCell;

use async_channel::{Receiver, Sender};

use crate::server::stats::CloseReason;

/// Events that wait for a host to take them, at most; of further ones it learns the number.
const EVENTS: usize = 1024;

/// Something that happened in a [`Chat`](crate::Chat).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A guest joined.
    Joined {
        /// Its name.
        name: String,
    },
    /// A guest left.
    Left {
        /// Its name.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// A guest said a line.
    Said {
        /// Its name.
        name: String,
        /// What can be shown of the line, without its end.
        text: String,
    },
    /// This many events are lost: they came while 1024 waited to be taken.
    Missed(u64),
}

/// The events of a [`Chat`](crate::Chat) since [`Chat::events`](crate::Chat::events).
#[derive(Debug)]
pub struct Events(Receiver<Event>);

impl Events {
    /// Waits for the next event; `None` once the chat is gone.
    pub async fn next(&self) -> Option<Event> {
        self.0.recv().await.ok()
    }

    /// The next event, if one waits to be taken; for a host that cannot await.
    pub fn try_next(&self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

/// Hands events to the hosts that subscribed.
#[derive(Debug, Default)]
pub(super) struct Feed(RefCell<Vec<Subscriber>>);

#[derive(Debug)]
struct Subscriber {
    sender: Sender<Event>,
    /// Events lost that it was not told of yet.
    missed: u64,
}

impl Feed {
    pub(super) fn subscribe(&self) -> Events {
        let (sender, receiver) = async_channel::bounded(EVENTS);
        self.0.borrow_mut().push(Subscriber { sender, missed: 0 });
        Events(receiver)
    }

    /// Hands an event to every subscriber; without one it is not even made. MUST NOT wait.
    pub(super) fn send(&self, event: impl Fn() -> Event) {
        let mut subscribers = std::mem::take(&mut *self.0.borrow_mut());
        subscribers.retain_mut(|subscriber| subscriber.send(event()));
        self.0.borrow_mut().append(&mut subscribers);
    }
}

impl Subscriber {
    /// False when nobody takes events any more.
    fn send(&mut self, event: Event) -> bool {
        if self.missed > 0 && self.sender.try_send(Event::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        // After a loss nothing is sent before the notice of it.
        self.missed += u64::from(self.missed > 0 || self.sender.try_send(event).is_err());
        !self.sender.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(n: usize) -> Event {
        Event::Said { name: "ann".into(), text: n.to_string() }
    }

    #[test]
    fn a_host_that_takes_no_events_learns_how_many_it_lost() {
        let feed = Feed::default();
        let events = feed.subscribe();
        for n in 0..EVENTS + 7 {
            feed.send(|| said(n));
        }
        let next = || events.try_next();
        for n in 0..EVENTS {
            assert_eq!(next(), Some(said(n)));
        }
        assert_eq!(next(), None);
        feed.send(|| said(0));
        assert_eq!(next(), Some(Event::Missed(7)));
        assert_eq!(next(), Some(said(0)));
    }

    #[test]
    fn nothing_is_kept_for_a_host_that_is_gone() {
        let feed = Feed::default();
        drop(feed.subscribe());
        feed.send(|| said(0));
        assert!(feed.0.borrow().is_empty());
    }
}
