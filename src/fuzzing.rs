//! The properties that the fuzz targets try to break; cargo-fuzz sets the `cfg` for this module.

use crate::client::telnet::{Event, LINE_BYTES, REPLIES, Telnet};
#[cfg(feature = "relay")]
use crate::relay::resp::{ARRAY_VALUES, Decoder, Malformed, REPLY_VALUES, Reply, command};
use crate::room::model::Model;
use crate::text::{clean, is_shown};

/// Any interleaving of publish, tell, take, join and leave, against the model.
///
/// # Panics
/// When it does not hold.
pub fn room(limit: u16, steps: &[[u8; 4]]) {
    Model::run(usize::from(limit), steps);
}

/// Any bytes at any split: the same events, replies under their cap, lines under theirs.
///
/// # Panics
/// When it does not hold.
pub fn telnet(size: u8, bytes: &[u8]) {
    let whole = events(bytes.chunks(bytes.len().max(1)));
    assert_eq!(whole, events(bytes.chunks(usize::from(size).max(1))));
    let count =
        |wanted: fn(&Event) -> bool| whole.iter().filter(|(event, _)| wanted(event)).count();
    let replies = count(|event| matches!(event, Event::Reply(_) | Event::AreYouThere));
    let lines = count(|event| *event == Event::Line);
    let commands = bytes.iter().filter(|byte| **byte == 0xff).count();
    // BINARY is asked for with three replies.
    assert!(replies <= usize::from(REPLIES) + lines + commands + 3);
}

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<(Event, Vec<u8>)> {
    let mut telnet = Telnet::default();
    let mut events = Vec::new();
    for mut piece in pieces {
        while let Some(event) = telnet.next(&mut piece) {
            assert!(telnet.line().len() <= LINE_BYTES);
            events.push((event, telnet.line().to_vec()));
        }
        assert!(telnet.unfinished().len() <= LINE_BYTES);
    }
    events
}

/// Any bytes come out in the closed alphabet, and cleaning them again changes nothing.
///
/// # Panics
/// When it does not hold.
pub fn text(line: &[u8]) {
    let mut shown = String::new();
    clean(line, &mut shown);
    assert!(shown.chars().all(is_shown));
    assert!(shown.len() <= 3 * line.len());
    let mut again = String::new();
    clean(shown.as_bytes(), &mut again);
    assert_eq!(shown, again);
}

/// Any bytes at any split: the same replies, each within its bounds, and the same end; and as the
/// parts of a command they come back as they are.
///
/// # Panics
/// When it does not hold.
#[cfg(feature = "relay")]
pub fn resp(size: u8, bytes: &[u8]) {
    let size = usize::from(size).max(1);
    let (whole, end) = replies(bytes.chunks(bytes.len().max(1)));
    assert!(whole.iter().all(|reply| values(reply) <= 1 + REPLY_VALUES));
    assert_eq!((whole, end), replies(bytes.chunks(size)));

    let parts = bytes.chunks(size).take(ARRAY_VALUES).collect::<Vec<_>>();
    let mut sent = Vec::new();
    command(&mut sent, &parts);
    let parts = parts.iter().map(|part| Reply::Bulk(part.to_vec())).collect();
    assert_eq!(replies(sent.chunks(size)), (vec![Reply::Array(parts)], None));
}

#[cfg(feature = "relay")]
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, Option<Malformed>) {
    let mut decoder = Decoder::default();
    let mut replies = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(malformed) => return (replies, Some(malformed)),
            }
        }
    }
    (replies, None)
}

#[cfg(feature = "relay")]
fn values(reply: &Reply) -> usize {
    let Reply::Array(values) = reply else { return 1 };
    1 + values.iter().map(self::values).sum::<usize>()
}
