//! What is still to be written into the log that the servers share. No I/O.
//!
//! It waits here while the engine is slow or gone, up to a bound. What goes over the bound never
//! crosses, and both sides learn how much that is: this one is told here, and the others see it by
//! the numbers of the lines that do cross.

use std::collections::VecDeque;

use super::entry::{Entry, Event, Origin};

/// Lines that wait while this server is cut off, at most.
const LINES: usize = 256;

/// Bytes of the texts of the lines that wait while this server is cut off, at most.
const BYTES: usize = 64 * 1024;

/// As many times more may wait for an engine that is there: what guests say at once, by their
/// bursts, is faster than it answers.
const BURST: usize = 16;

/// Entries that are written at once, at most.
const BATCH: usize = 64;

#[derive(Debug)]
pub(crate) struct Outbox {
    origin: Origin,
    waiting: VecDeque<Entry>,
    /// How many of them are being written.
    in_flight: usize,
    /// Bytes of their texts.
    bytes: usize,
    /// Lines said here so far.
    said: u64,
    /// Lines over the bound that nobody here was told of yet.
    lost: u64,
}

impl Outbox {
    pub(crate) fn new(origin: Origin) -> Outbox {
        Outbox { origin, waiting: VecDeque::new(), in_flight: 0, bytes: 0, said: 0, lost: 0 }
    }

    /// Adds what happened here, where `here` guests are now.
    pub(crate) fn add(&mut self, event: Event, here: usize, is_together: bool) {
        let bytes = text_bytes(&event);
        let is_line = bytes > 0;
        self.said += u64::from(is_line);
        if let Event::Crowd { joined, left } = event {
            if self.add_to_crowd(joined, left, here) {
                return;
            }
        }
        let times = if is_together { BURST } else { 1 };
        if self.waiting.len() >= times * LINES || self.bytes + bytes > times * BYTES {
            self.lost += u64::from(is_line);
            return;
        }
        self.bytes += bytes;
        let (origin, said) = (self.origin, self.said);
        self.waiting.push_back(Entry { origin, said, here: here as u64, event });
    }

    /// Adds to the crowd that waits last, if one does and is not being written already.
    fn add_to_crowd(&mut self, more_joined: u64, more_left: u64, now_here: usize) -> bool {
        match self.waiting.range_mut(self.in_flight..).last() {
            Some(Entry { here, event: Event::Crowd { joined, left }, .. }) => {
                *joined += more_joined;
                *left += more_left;
                *here = now_here as u64;
                true
            }
            _ => false,
        }
    }

    /// What is to be written next, oldest first; [`written`](Self::written) takes it out.
    pub(crate) fn batch(&mut self) -> impl ExactSizeIterator<Item = &Entry> {
        self.in_flight = self.waiting.len().min(BATCH);
        self.waiting.iter().take(BATCH)
    }

    /// The engine has this many of the [batch](Self::batch).
    pub(crate) fn written(&mut self, entries: usize) {
        self.in_flight = 0;
        for entry in self.waiting.drain(..entries.min(self.waiting.len())) {
            self.bytes -= text_bytes(&entry.event);
        }
    }

    /// Leaves out who came and went: after a cut the counts are told anew.
    pub(crate) fn forget_presence(&mut self) {
        self.in_flight = 0;
        self.waiting.retain(|entry| text_bytes(&entry.event) > 0);
    }

    /// Lines said here so far of which the engine has each that it will ever have, once it has so
    /// many more entries.
    pub(crate) fn settled(&self, written: usize) -> u64 {
        let mut lines = self.waiting.iter().skip(written).filter(|it| text_bytes(&it.event) > 0);
        lines.next().map_or(self.said, |entry| entry.said - 1)
    }

    /// Lines that wait.
    pub(crate) fn lines(&self) -> usize {
        self.waiting.iter().filter(|entry| text_bytes(&entry.event) > 0).count()
    }

    /// How many lines did not cross since this was last asked.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

/// Bytes of what was said; 0 for what is no line.
fn text_bytes(event: &Event) -> usize {
    match event {
        // One that says nothing is not said.
        Event::Said { text, .. } => text.len().max(1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Event {
        Event::Said { name: "ann".into(), text: text.into() }
    }

    fn outbox() -> Outbox {
        Outbox::new(Origin(7))
    }

    #[test]
    fn lines_wait_in_their_order_until_the_engine_has_them() {
        let mut outbox = outbox();
        for text in ["a", "b", "c"] {
            outbox.add(said(text), 2, false);
        }
        assert_eq!(outbox.settled(0), 0);
        let numbers = |outbox: &mut Outbox| outbox.batch().map(|it| it.said).collect::<Vec<_>>();
        assert_eq!(numbers(&mut outbox), [1, 2, 3]);
        outbox.written(2);
        assert_eq!((numbers(&mut outbox), outbox.settled(0)), (vec![3], 2));
        outbox.written(1);
        assert_eq!((outbox.waiting.is_empty(), outbox.settled(0)), (true, 3));
    }

    #[test]
    fn what_goes_over_the_bound_is_counted_and_leaves_a_gap_in_the_numbers() {
        let mut outbox = outbox();
        (0..LINES + 12).for_each(|_| outbox.add(said("x"), 1, false));
        assert_eq!((outbox.take_lost(), outbox.take_lost()), (12, 0));
        outbox.written(1);
        outbox.add(said("y"), 1, false);
        let last = outbox.waiting.back().map(|it| it.said);
        assert_eq!(last, Some(LINES as u64 + 13));
        let mut outbox = Outbox::new(Origin(7));
        (0..BURST * LINES + 12).for_each(|_| outbox.add(said("x"), 1, true));
        assert_eq!(outbox.take_lost(), 12, "of an engine that is there");
        let large = "x".repeat(4000);
        let mut outbox = Outbox::new(Origin(7));
        (0..20).for_each(|_| outbox.add(said(&large), 1, false));
        assert_eq!((outbox.waiting.len(), outbox.take_lost()), (BYTES / 4000, 20 - 16));
    }

    #[test]
    fn after_a_cut_only_lines_are_left() {
        let mut outbox = outbox();
        outbox.add(Event::Joined { name: "ann".into() }, 1, false);
        outbox.add(said("hi"), 1, false);
        outbox.add(Event::Crowd { joined: 3, left: 1 }, 3, false);
        outbox.forget_presence();
        assert_eq!(outbox.batch().len(), 1);
        outbox.written(1);
        assert_eq!((outbox.bytes, outbox.waiting.is_empty()), (0, true));
    }

    #[test]
    fn crowds_that_wait_are_one_but_for_those_that_are_being_written() {
        let mut outbox = outbox();
        for left in 1..=3 {
            outbox.add(Event::Crowd { joined: 0, left }, 3, true);
        }
        let crowds = |outbox: &mut Outbox| {
            outbox.batch().map(|it| (it.event.clone(), it.here)).collect::<Vec<_>>()
        };
        assert_eq!(crowds(&mut outbox), [(Event::Crowd { joined: 0, left: 6 }, 3)]);
        outbox.add(Event::Crowd { joined: 1, left: 0 }, 4, true);
        assert_eq!(outbox.waiting.len(), 2);
        outbox.written(1);
        assert_eq!(crowds(&mut outbox), [(Event::Crowd { joined: 1, left: 0 }, 4)]);
    }
}
