//! What one server writes into the log that the servers share, and reads from the others. No I/O.
//!
//! Whatever stands in the log may have been written by anyone: an entry that no chat server wrote
//! is none, and texts and names are cleaned like a client's.

use std::fmt;
use std::str::FromStr;

use super::resp::Reply;
use crate::text::{character_start, clean_into_one, is_visible};

/// Bytes of a text that are read of an entry, at most: as much as a line of the chat can have.
const TEXT_BYTES: usize = 4000;

/// Bytes of a name, at most: a chosen one has 16 characters and the letters of a server.
const NAME_BYTES: usize = 80;

/// Whose lines these are: one run of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(pub(crate) u64);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Origin {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Origin, Self::Err> {
        u64::from_str_radix(text, 16).map(Origin)
    }
}

/// Where an entry stands in the log; the engine gives them in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    /// Milliseconds since 1970 by the engine's clock.
    pub(crate) milliseconds: u64,
    pub(crate) number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.number)
    }
}

impl Id {
    /// Behind every entry.
    pub(crate) const END: Id = Id { milliseconds: u64::MAX, number: u64::MAX };

    /// The place before it; an end of a range that is open needs Redis 6.2.
    pub(crate) fn before(self) -> Option<Id> {
        let Id { milliseconds, number } = self;
        match number.checked_sub(1) {
            Some(number) => Some(Id { milliseconds, number }),
            None => Some(Id { milliseconds: milliseconds.checked_sub(1)?, number: u64::MAX }),
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Id> {
        let (milliseconds, number) = std::str::from_utf8(bytes).ok()?.split_once('-')?;
        Some(Id { milliseconds: milliseconds.parse().ok()?, number: number.parse().ok()? })
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    /// Lines said at that server so far, with the one that this entry may be. They make the losses
    /// countable: between two entries of a server as many are lost as the second says.
    pub(crate) said: u64,
    /// Guests at that server, once this has happened.
    pub(crate) here: u64,
    pub(crate) event: Event,
}

/// What an entry tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Someone said a line.
    Said { name: String, text: String },
    /// Someone came.
    Joined { name: String },
    /// Someone left; `words` says how, such as `left (connection lost)`.
    Left { name: String, words: String },
    /// So many came and went in a crowd.
    Crowd { joined: u64, left: u64 },
}

impl Entry {
    /// The names and values of the entry's fields.
    pub(crate) fn fields(&self) -> [(&'static str, String); 6] {
        let (kind, name, text) = match &self.event {
            Event::Said { name, text } => ("said", name.clone(), text.clone()),
            Event::Joined { name } => ("joined", name.clone(), String::new()),
            Event::Left { name, words } => ("left", name.clone(), words.clone()),
            Event::Crowd { joined, left } => ("crowd", joined.to_string(), left.to_string()),
        };
        [
            ("origin", self.origin.to_string()),
            ("sequence", self.said.to_string()),
            ("here", self.here.to_string()),
            ("kind", kind.to_owned()),
            ("name", name),
            ("text", text),
        ]
    }

    /// An entry as the engine gives it, with its place; the entry is `None` if no chat server wrote
    /// it.
    pub(crate) fn read(reply: &Reply) -> Option<(Id, Option<Entry>)> {
        let Reply::Array(parts) = reply else { return None };
        let [Reply::Bulk(id), fields] = parts.as_slice() else { return None };
        Some((Id::read(id)?, Entry::of_fields(fields)))
    }

    fn of_fields(fields: &Reply) -> Option<Entry> {
        let Reply::Array(fields) = fields else { return None };
        let field = |wanted: &str| {
            fields.chunks_exact(2).find_map(|pair| match pair {
                [Reply::Bulk(name), Reply::Bulk(value)] if name == wanted.as_bytes() => {
                    Some(value.as_slice())
                }
                _ => None,
            })
        };
        let origin = std::str::from_utf8(field("origin")?).ok()?.parse().ok()?;
        let count = |wanted| std::str::from_utf8(field(wanted)?).ok()?.parse::<u64>().ok();
        let event = match field("kind")? {
            b"said" => said(field("name")?, field("text")?)?,
            b"joined" => Event::Joined { name: name(field("name")?)? },
            b"left" => {
                let words = line(field("text")?);
                let is_told = words == "left" || words.starts_with("left (");
                Event::Left { name: name(field("name")?)?, words: is_told.then_some(words)? }
            }
            b"crowd" => Event::Crowd { joined: count("name")?, left: count("text")? },
            _ => return None,
        };
        Some(Entry { origin, said: count("sequence")?, here: count("here")?, event })
    }
}

fn said(who: &[u8], text: &[u8]) -> Option<Event> {
    let text = line(text);
    let name = name(who)?;
    is_visible(&text).then_some(Event::Said { name, text })
}

/// A name that can stand in a line without looking like something else.
pub(super) fn name(bytes: &[u8]) -> Option<String> {
    let name = line(bytes);
    let is_one = name.len() <= NAME_BYTES
        && is_visible(&name)
        && !name.contains(|c: char| c.is_whitespace() || "<>*,()".contains(c));
    is_one.then_some(name)
}

fn line(bytes: &[u8]) -> String {
    clean_into_one(&bytes[..character_start(bytes, TEXT_BYTES.min(bytes.len()))])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::is_shown;

    /// The entry as the engine gives back what was written.
    fn replied(id: &str, fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Reply {
        let bulk = |bytes: &[u8]| Reply::Bulk(bytes.to_vec());
        let fields = fields.iter().flat_map(|(a, b)| [bulk(a.as_ref()), bulk(b.as_ref())]);
        Reply::Array(vec![bulk(id.as_bytes()), Reply::Array(fields.collect())])
    }

    #[test]
    fn every_place_but_the_first_has_one_before_it() {
        let before =
            |id: &str| Id::read(id.as_bytes()).and_then(Id::before).map(|id| id.to_string());
        assert_eq!(before("5-3").as_deref(), Some("5-2"));
        assert_eq!(before("5-0").as_deref(), Some("4-18446744073709551615"));
        assert_eq!(before("0-0"), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let name = "Jürgen".to_owned();
        for event in [
            Event::Said { name: name.clone(), text: "grüße an alle".into() },
            Event::Joined { name: name.clone() },
            Event::Left { name, words: "left (connection lost)".into() },
            Event::Crowd { joined: 37, left: 12 },
        ] {
            let entry = Entry { origin: Origin(u64::MAX), said: 7, here: 14, event };
            let id = Id { milliseconds: 1_700_000_000_000, number: 3 };
            let reply = replied(&id.to_string(), &entry.fields());
            assert_eq!(Entry::read(&reply), Some((id, Some(entry))));
        }
    }

    #[test]
    fn what_no_chat_server_wrote_is_no_entry_and_has_its_place() {
        let good = [
            ("origin", "7"),
            ("sequence", "1"),
            ("here", "2"),
            ("kind", "said"),
            ("name", "ann"),
            ("text", "hi"),
        ];
        let read = |fields: &[(&str, &str)]| {
            let (id, entry) = Entry::read(&replied("5-0", fields)).expect("an id");
            assert_eq!(id, Id { milliseconds: 5, number: 0 });
            entry
        };
        assert!(read(&good).is_some());
        for (field, value) in [
            ("origin", "x"),
            ("sequence", "-1"),
            ("here", ""),
            ("kind", "shout"),
            ("kind", "left"),
            ("kind", "crowd"),
            ("name", ""),
            ("name", "two words"),
            ("name", "<b>"),
            ("name", "***"),
            ("name", "\u{200b}"),
            ("text", " \u{1b}"),
        ] {
            let with = good.map(|(name, good)| (name, if name == field { value } else { good }));
            assert_eq!(read(&with), None, "{field}: {value:?}");
        }
        assert_eq!(read(&good[1..]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(Entry::read(&Reply::Nil), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::cases(1000)))]

        #[test]
        fn whatever_stands_in_the_log_can_be_shown(
            name in prop::collection::vec(any::<u8>(), 0..100),
            text in prop::collection::vec(any::<u8>(), 0..5000),
        ) {
            let fields = [
                ("origin", b"7".as_slice()), ("sequence", b"1"), ("here", b"1"),
                ("kind", b"said"), ("name", &name), ("text", &text),
            ];
            let Some((_, entry)) = Entry::read(&replied("1-1", &fields)) else {
                return Err(TestCaseError::fail("it has an id"));
            };
            if let Some(Entry { event: Event::Said { name, text }, .. }) = entry {
                prop_assert!(name.chars().chain(text.chars()).all(is_shown));
                prop_assert!(name.len() <= NAME_BYTES && text.len() <= 3 * TEXT_BYTES);
            }
        }
    }
}
