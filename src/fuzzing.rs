//! The properties that the fuzz targets try to break; cargo-fuzz sets the `cfg` for this module.

use crate::client::editor::{Edited, Editor, ROW_BYTES};
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

/// Any bytes at any split, of a client that may have no editor, is to be offered one, or was: the
/// same events, replies under their cap, lines under theirs.
///
/// # Panics
/// When it does not hold.
pub fn telnet(size: u8, bytes: &[u8]) {
    for offer in [None, Some(false), Some(true)] {
        let whole = events(offer, bytes.chunks(bytes.len().max(1)));
        assert_eq!(whole, events(offer, bytes.chunks(usize::from(size).max(1))));
        let count =
            |wanted: fn(&Event) -> bool| whole.iter().filter(|(event, _)| wanted(event)).count();
        let replies = count(|event| matches!(event, Event::Reply(_) | Event::AreYouThere));
        let lines = count(|event| *event == Event::Line);
        let commands = bytes.iter().filter(|byte| **byte == 0xff).count();
        // BINARY is asked for with three replies, the editor offered with three, and that is taken
        // back with two.
        assert!(replies <= usize::from(REPLIES) + lines + commands + 8);
    }
}

fn events<'a>(
    offer: Option<bool>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<(Event, Vec<u8>)> {
    let mut telnet = Telnet::default();
    offer.into_iter().for_each(|was_offered| telnet.offer(was_offered));
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

/// Any keys at any split, with lines that come in between: the same lines are said, each within its
/// bound and clean already, and what is drawn is bounded and in the closed alphabet but for the few
/// sequences that move the cursor.
///
/// # Panics
/// When it does not hold.
pub fn editor(size: u8, columns: u16, keys: &[u8]) {
    let whole = edited(columns, keys.chunks(keys.len().max(1)));
    assert_eq!(whole, edited(columns, keys.chunks(usize::from(size).max(1))));
    for event in &whole {
        let Edited::Line(line) = event else { continue };
        let mut again = String::new();
        clean(line.as_bytes(), &mut again);
        assert_eq!(*line, again);
        assert!(line.len() <= LINE_BYTES);
    }
}

fn edited<'a>(columns: u16, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Edited> {
    const KNOWN: [&str; 10] = [
        "\x1b[?1l",
        "\x1b[?2004h",
        "\x1b[?2004l",
        "\x1b[H",
        "\x1b[2J",
        "\r\0",
        "\x1b[K",
        "\x1b[J",
        "\x1b7",
        "\x1b8",
    ];
    let mut editor = Editor::new(columns, false);
    let mut events = Vec::new();
    for (n, piece) in pieces.enumerate() {
        events.extend(piece.iter().filter_map(|byte| editor.key(*byte)));
        editor.set_columns(columns.wrapping_add(n as u16));
        let drawn = editor.framed(if n % 2 == 0 { b"" } else { b"<bob> hi" });
        assert!(drawn.len() <= 2 * ROW_BYTES && !editor.is_due());
        let mut shown = String::from_utf8(drawn).expect("whole characters");
        KNOWN.iter().for_each(|known| shown = shown.replace(known, ""));
        assert!(shown.chars().all(is_shown), "{shown:?}");
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
