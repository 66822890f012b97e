//! Which entries of the log are news here, and how many lines are lost. No I/O.
//!
//! Each server numbers its lines. An entry that comes again, since its writer did not learn that the
//! engine had it, is dropped by its number; a number that is too high tells how many lines of that
//! server this one will never read.

use std::collections::HashMap;

use super::entry::{Entry, Event, Origin};

/// Servers whose numbers are remembered, at most; of more, the one that was heard of least recently
/// is forgotten.
const SERVERS: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    servers: HashMap<Origin, Heard>,
    /// Entries heard of so far.
    heard: u64,
}

#[derive(Debug)]
struct Heard {
    /// Lines that it said and that this one has read, or knows to be lost.
    said: u64,
    /// When it was heard of last, as a number of [`Inbox::heard`].
    at: u64,
}

impl Inbox {
    /// Takes an entry: how many lines were lost before it; `None` if it was read before.
    pub(crate) fn take(&mut self, entry: &Entry) -> Option<u64> {
        let is_line = matches!(entry.event, Event::Said { .. });
        let heard = self.server(entry.origin);
        if is_line && entry.said <= heard.said {
            return None;
        }
        let before = entry.said.saturating_sub(u64::from(is_line));
        let lost = before.saturating_sub(heard.said);
        heard.said = heard.said.max(entry.said);
        Some(lost)
    }

    /// A server has said this many lines, and all that are left of them in the log are read: how
    /// many are lost.
    pub(crate) fn settle(&mut self, origin: Origin, said: u64) -> u64 {
        let heard = self.server(origin);
        let lost = said.saturating_sub(heard.said);
        heard.said = heard.said.max(said);
        lost
    }

    /// Whether lines of a server that has said so many are still to come, or lost.
    pub(crate) fn lacks(&self, origin: Origin, said: u64) -> bool {
        self.servers.get(&origin).is_none_or(|heard| heard.said < said)
    }

    fn server(&mut self, origin: Origin) -> &mut Heard {
        if self.servers.len() >= SERVERS && !self.servers.contains_key(&origin) {
            let oldest = self.servers.iter().min_by_key(|(_, it)| it.at).map(|(origin, _)| *origin);
            oldest.and_then(|origin| self.servers.remove(&origin));
        }
        self.heard += 1;
        let at = self.heard;
        let heard = self.servers.entry(origin).or_insert(Heard { said: 0, at });
        heard.at = at;
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(origin: u64, said: u64) -> Entry {
        let event = Event::Said { name: "ann".into(), text: "hi".into() };
        Entry { origin: Origin(origin), said, here: 1, event }
    }

    #[test]
    fn a_line_is_news_once_and_a_gap_is_counted() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take(&line(1, 1)), Some(0));
        assert_eq!(inbox.take(&line(1, 1)), None);
        assert_eq!(inbox.take(&line(2, 1)), Some(0));
        assert_eq!(inbox.take(&line(1, 5)), Some(3));
        assert_eq!(inbox.take(&line(1, 4)), None);
        assert_eq!(inbox.settle(Origin(1), 7), 2);
        assert_eq!(inbox.settle(Origin(1), 6), 0);
        assert_eq!(inbox.take(&line(1, 7)), None);
        assert_eq!(inbox.take(&line(1, 8)), Some(0));
    }

    #[test]
    fn who_comes_and_goes_has_the_number_of_the_last_line() {
        let mut inbox = Inbox::default();
        let joined = |said| Entry { event: Event::Joined { name: "bob".into() }, ..line(1, said) };
        assert_eq!(inbox.take(&joined(0)), Some(0));
        assert_eq!(inbox.take(&line(1, 1)), Some(0));
        assert_eq!(inbox.take(&joined(1)), Some(0));
        assert_eq!(inbox.take(&joined(3)), Some(2));
        assert_eq!(inbox.take(&line(1, 4)), Some(0));
    }

    #[test]
    fn however_many_servers_there_were_a_bounded_number_is_remembered() {
        let mut inbox = Inbox::default();
        for origin in 0..3 * SERVERS as u64 {
            inbox.take(&line(origin, 1));
            inbox.take(&line(0, origin + 2));
        }
        assert_eq!(inbox.servers.len(), SERVERS);
        assert!(inbox.servers.contains_key(&Origin(0)), "the newest are kept");
    }
}
