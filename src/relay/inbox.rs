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
    /// Lines before the first that was heard of, until it is known since when they concern this one.
    before: Option<u64>,
    /// When it was heard of last, as a number of [`Inbox::heard`].
    at: u64,
}

impl Inbox {
    /// Takes an entry: how many lines were lost before it; `None` if it was read before. Before the
    /// first of a server none are, until [`settle`](Self::settle) knows better.
    pub(crate) fn take(&mut self, entry: &Entry) -> Option<u64> {
        let is_line = matches!(entry.event, Event::Said { .. });
        let before = entry.said.saturating_sub(u64::from(is_line));
        let heard = self.server(entry.origin, Heard { said: before, before: Some(before), at: 0 });
        if is_line && entry.said <= heard.said {
            return None;
        }
        let lost = before.saturating_sub(heard.said);
        heard.said = heard.said.max(entry.said);
        Some(lost)
    }

    /// A server has said this many lines, and all that are left of them in the log are read: how
    /// many are lost. If it was not heard of before, its `earlier` ones are none.
    pub(crate) fn settle(&mut self, origin: Origin, earlier: u64, said: u64) -> u64 {
        let heard = self.server(origin, Heard { said: earlier, before: None, at: 0 });
        let before = heard.before.take().unwrap_or(0).saturating_sub(earlier);
        let lost = said.saturating_sub(heard.said);
        heard.said = heard.said.max(said);
        before.saturating_add(lost)
    }

    /// Whether lines of a server that has said so many are still to come, or lost.
    pub(crate) fn lacks(&self, origin: Origin, said: u64) -> bool {
        self.servers.get(&origin).is_none_or(|it| it.before.is_some() || it.said < said)
    }

    /// What is known of a server; `new` if nothing is.
    fn server(&mut self, origin: Origin, new: Heard) -> &mut Heard {
        if self.servers.len() >= SERVERS && !self.servers.contains_key(&origin) {
            let oldest = self.servers.iter().min_by_key(|(_, it)| it.at).map(|(origin, _)| *origin);
            oldest.and_then(|origin| self.servers.remove(&origin));
        }
        self.heard += 1;
        let at = self.heard;
        let heard = self.servers.entry(origin).or_insert(new);
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
        assert_eq!(inbox.settle(Origin(1), 0, 7), 2);
        assert_eq!(inbox.settle(Origin(1), 0, 6), 0);
        assert_eq!(inbox.take(&line(1, 7)), None);
        assert_eq!(inbox.take(&line(1, 8)), Some(0));
    }

    #[test]
    fn what_a_server_said_before_it_came_into_the_log_is_not_lost_and_what_it_said_since_is() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.settle(Origin(1), 5000, 5000), 0);
        assert_eq!(inbox.settle(Origin(2), 5000, 5003), 3);
        for (origin, known, lost) in [(3, 5000, 0), (4, 4990, 10), (5, 0, 5000)] {
            assert_eq!(inbox.take(&line(origin, 5001)), Some(0));
            assert_eq!(inbox.take(&line(origin, 5003)), Some(1));
            assert!(inbox.lacks(Origin(origin), 5003));
            assert_eq!(inbox.settle(Origin(origin), known, 5003), lost);
            assert!(!inbox.lacks(Origin(origin), 5003));
        }
        assert_eq!(inbox.settle(Origin(3), 5003, 5004), 1, "one that is known stays so");
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
