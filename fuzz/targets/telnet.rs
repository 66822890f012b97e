//! Any bytes at any split: the same events, replies under their cap, lines under theirs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smol_servers::telnet::{Event, LINE_BYTES, REPLIES, Telnet};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = events(bytes.chunks(bytes.len().max(1)));
    assert_eq!(whole, events(bytes.chunks(usize::from(size).max(1))));
    let count = |wanted: fn(&Event) -> bool| whole.iter().filter(|(event, _)| wanted(event)).count();
    let replies = count(|event| matches!(event, Event::Reply(_) | Event::AreYouThere));
    let lines = count(|event| *event == Event::Line);
    assert!(replies <= usize::from(REPLIES) + lines);
});

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
