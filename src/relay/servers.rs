//! The servers that share the room: who is on each, and which of them are gone. No I/O, no clock
//! but the one it is handed.
//!
//! Each server has a letter, and under it a line in a hash of the engine that it writes anew every
//! [`BEAT`]: its origin, a number that changes each time, how many lines it said, before the engine
//! knew it and in all, how many guests it has, and some of their names. A server whose line stays
//! the same for [`GONE`] is gone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::entry::{Entry, Event, Origin, name};

/// How often each server says that it is there.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// Time after which a server that said nothing is gone.
const GONE: Duration = Duration::from_secs(6);

/// Time after which the letters of a server that is gone are free again. Until then its line tells
/// servers that were cut off meanwhile how many lines it had said.
pub(crate) const EXPIRED: Duration = Duration::from_secs(3600);

/// Servers that one room can have, at most: as many as there are letters and pairs of letters.
pub(crate) const SERVERS: usize = 26 + 26 * 26;

/// Names of a server's guests that the others know of, at most.
pub(crate) const NAMES: usize = 10;

/// The letters of server `n`: a, b, …, z, aa, ab, …
pub(crate) fn letters(n: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    match n.checked_sub(26) {
        None => letter(n).to_string(),
        Some(n) => [letter(n / 26), letter(n)].iter().collect(),
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) origin: Origin,
    pub(crate) number: u64,
    /// Those of its lines that were in the log, or never will be, when the engine last came to know
    /// it. Whoever hears of it only later has missed none of them.
    pub(crate) earlier: u64,
    /// Lines said at it so far that are in the log, or never will be.
    pub(crate) said: u64,
    /// Guests at it.
    pub(crate) here: u64,
    pub(crate) names: Vec<String>,
}

impl Beat {
    pub(crate) fn write(&self) -> String {
        let Beat { origin, number, earlier, said, here, names } = self;
        format!("{origin} {number} {earlier} {said} {here} {}", names.join(" "))
    }

    /// `None` for what no chat server wrote.
    pub(crate) fn read(bytes: &[u8]) -> Option<Beat> {
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        let origin = words.next()?.parse().ok()?;
        let mut number = || words.next()?.parse().ok();
        let (number, earlier, said, here) = (number()?, number()?, number()?, number()?);
        let names = words.take(NAMES).filter_map(|word| name(word.as_bytes())).collect();
        Some(Beat { origin, number, earlier, said, here, names })
    }
}

/// The other servers.
#[derive(Debug, Default)]
pub(crate) struct Servers(HashMap<Origin, Server>);

#[derive(Debug)]
struct Server {
    letters: String,
    beat: Beat,
    /// When its line changed last.
    since: Instant,
}

/// What is to be done after an [update](Servers::update).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The servers that are gone, by their letters, and how many guests each had.
    pub(crate) gone: Vec<(String, u64)>,
    /// Letters that are free again.
    pub(crate) expired: Vec<String>,
}

impl Servers {
    /// Takes what all servers say of themselves, without this one.
    pub(crate) fn update(&mut self, beats: Vec<(String, Beat)>, now: Instant) -> Changes {
        let mut known = std::mem::take(&mut self.0);
        let Changes { mut gone, mut expired } = Changes::default();
        for (letters, beat) in beats.into_iter().take(SERVERS) {
            let before = known.remove(&beat.origin);
            let is_same = before.as_ref().is_some_and(|it| it.beat.number == beat.number);
            let mut server = match before {
                Some(before) if is_same => before,
                _ => Server { letters, beat, since: now },
            };
            let silent = now.duration_since(server.since);
            if silent >= GONE && server.beat.here > 0 {
                gone.push((server.letters.clone(), server.beat.here));
                server.beat.here = 0;
                server.beat.names.clear();
            }
            if silent >= EXPIRED {
                expired.push(server.letters.clone());
            }
            self.0.insert(server.beat.origin, server);
        }
        for (origin, server) in known {
            // It wrote an entry before it was seen here, or the engine has lost what it said.
            if now.duration_since(server.since) < GONE {
                self.0.insert(origin, server);
            } else if server.beat.here > 0 && !server.letters.is_empty() {
                gone.push((server.letters, server.beat.here));
            }
        }
        Changes { gone, expired }
    }

    /// Takes who came and went at a server, which may not have said that it is there yet.
    pub(crate) fn note(&mut self, entry: &Entry, now: Instant) {
        let Entry { origin, said, here, .. } = *entry;
        if self.0.len() >= SERVERS && !self.0.contains_key(&origin) {
            return;
        }
        let Server { beat, .. } = self.0.entry(origin).or_insert_with(|| {
            let beat = Beat { origin, number: 0, earlier: 0, said, here, names: Vec::new() };
            Server { letters: String::new(), beat, since: now }
        });
        beat.here = here;
        match &entry.event {
            // Its server may have said so already.
            Event::Joined { name } if beat.names.len() < NAMES && !beat.names.contains(name) => {
                beat.names.push(name.clone());
            }
            Event::Left { name, .. } => beat.names.retain(|it| it != name),
            _ => {}
        }
    }

    /// Forgets them all: nothing is known of them while this server is cut off.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Guests at all of them.
    pub(crate) fn guests(&self) -> usize {
        let guests = self.0.values().map(|server| server.beat.here);
        guests.fold(0, u64::saturating_add).min(u64::from(u32::MAX)) as usize
    }

    /// Names of guests at them, of each [`NAMES`] at most.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().flat_map(|server| server.beat.names.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(origin: u64, number: u64, here: u64) -> (String, Beat) {
        let names = vec!["ann".to_owned()];
        ("b".to_owned(), Beat { origin: Origin(origin), number, earlier: 0, said: 3, here, names })
    }

    #[test]
    fn every_server_has_letters_of_its_own() {
        let all: std::collections::HashSet<String> = (0..SERVERS).map(letters).collect();
        assert_eq!(all.len(), SERVERS);
        assert_eq!([0, 25, 26, SERVERS - 1].map(letters), ["a", "z", "aa", "zz"]);
    }

    #[test]
    fn what_a_server_says_of_itself_is_read_as_it_was_written() {
        let (_, beat) = beat(7, 1, 14);
        assert_eq!(Beat::read(beat.write().as_bytes()), Some(beat));
        for foreign in ["", "x", "7 1", "7 1 1 x 3 ann", "7 1 2 3", "7 1 0 2 -1 ann"] {
            assert_eq!(Beat::read(foreign.as_bytes()), None, "{foreign}");
        }
        let hostile = Beat::read(b"7 1 0 2 3 ann <x> *** \x1b[2J").expect("a beat");
        assert_eq!(hostile.names[0], "ann");
        assert!(hostile.names.iter().all(|name| !name.contains(['<', '*', '\x1b'])));
    }

    #[test]
    fn a_server_that_says_nothing_is_gone_and_its_guests_with_it() {
        let (mut servers, start) = (Servers::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(servers.update(vec![beat(7, 1, 14)], at(0)), Changes::default());
        assert_eq!((servers.guests(), servers.names().count()), (14, 1));
        assert_eq!(servers.update(vec![beat(7, 2, 14)], at(5)), Changes::default());
        assert_eq!(servers.update(vec![beat(7, 2, 14)], at(10)), Changes::default());
        let gone = servers.update(vec![beat(7, 2, 14)], at(11)).gone;
        assert_eq!(gone, [("b".to_owned(), 14)]);
        assert_eq!((servers.guests(), servers.names().count()), (0, 0));
        assert_eq!(servers.update(vec![beat(7, 2, 14)], at(12)), Changes::default());
        let expired = servers.update(vec![beat(7, 2, 14)], at(5 + 3600)).expired;
        assert_eq!(expired, ["b"]);
        servers.update(vec![beat(7, 3, 2)], at(4000));
        assert_eq!(servers.guests(), 2, "it was only suspended");
        assert_eq!(servers.update(Vec::new(), at(4005)), Changes::default());
        assert_eq!(servers.update(Vec::new(), at(4006)).gone, [("b".to_owned(), 2)]);
    }

    #[test]
    fn who_comes_and_goes_changes_the_count_at_once() {
        let mut servers = Servers::default();
        servers.update(vec![beat(7, 1, 1)], Instant::now());
        let entry = |event, here| Entry { origin: Origin(7), said: 3, here, event };
        let now = Instant::now();
        for _ in 0..2 {
            servers.note(&entry(Event::Joined { name: "bob".into() }, 2), now);
        }
        assert_eq!(
            (servers.guests(), servers.names().collect::<Vec<_>>()),
            (2, vec!["ann", "bob"])
        );
        servers.note(&entry(Event::Left { name: "ann".into(), words: "left".into() }, 1), now);
        assert_eq!((servers.guests(), servers.names().collect::<Vec<_>>()), (1, vec!["bob"]));
    }

    #[test]
    fn a_server_that_wrote_before_it_was_seen_is_counted_until_it_is() {
        let (mut servers, now) = (Servers::default(), Instant::now());
        let event = Event::Joined { name: "bob".into() };
        servers.note(&Entry { origin: Origin(7), said: 0, here: 1, event }, now);
        assert_eq!(servers.update(Vec::new(), now), Changes::default());
        assert_eq!((servers.guests(), servers.names().count()), (1, 1));
        assert_eq!(servers.update(vec![beat(7, 1, 3)], now), Changes::default());
        assert_eq!(servers.guests(), 3);
    }
}
