use proptest::prelude::*;

use super::*;

/// Everything a client's bytes come to, fed in the given pieces.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut telnet = Telnet::default();
    let mut found = Vec::new();
    for mut piece in pieces {
        while let Some(event) = telnet.next(&mut piece) {
            found.push(match event {
                Event::Line => format!("line {}", telnet.line().escape_ascii()),
                Event::Reply(bytes) => format!("reply {bytes:02x?}"),
                other => format!("{other:?}"),
            });
        }
    }
    found.push(format!("unfinished {}", telnet.unfinished().escape_ascii()));
    found
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut found = events([bytes]);
    found.pop();
    found.into_iter().map(|event| event.trim_start_matches("line ").to_owned()).collect()
}

#[test]
fn every_line_end_of_every_client_ends_one_line() {
    assert_eq!(lines(b"a\r\nb\nc\r\0d\re\r\n"), ["a", "b", "c", "d", "e"]);
    assert_eq!(lines(b"\r\n\r\n\n"), ["", "", ""]);
}

#[test]
fn erasing_takes_a_character_a_word_or_the_line() {
    assert_eq!(lines(b"ab\x08c\n"), ["ac"]);
    assert_eq!(lines("añ\x7fé\n".as_bytes()), ["a\\xc3\\xa9"]);
    assert_eq!(lines(b"ab\xff\xf7c\n"), ["ac"]);
    assert_eq!(lines(b"one two  \x17three\n"), ["one three"]);
    assert_eq!(lines(b"one\x15two\n"), ["two"]);
    assert_eq!(lines(b"one\xff\xf8two\n"), ["two"]);
    assert_eq!(lines(b"\x08\x7f\x17\x15x\n"), ["x"]);
}

#[test]
fn every_option_is_refused_and_the_timing_mark_is_answered() {
    assert_eq!(lines(b"\xff\xfb\x1f"), ["reply [ff, fe, 1f]"]);
    assert_eq!(lines(b"\xff\xfd\x01"), ["reply [ff, fc, 01]"]);
    assert_eq!(lines(b"\xff\xfd\x06"), ["reply [ff, fb, 06]"]);
    assert!(lines(b"\xff\xfc\x01\xff\xfe\x03").is_empty());
}

#[test]
fn suboptions_are_skipped_whatever_they_hold() {
    assert_eq!(lines(b"a\xff\xfa\x1f\xff\xff\r\nx\xff\xf0b\n"), ["ab"]);
}

#[test]
fn leaving_is_understood_in_every_dialect() {
    for bytes in [&b"\xff\xec"[..], b"\x04", b"x\n\x04"] {
        assert_eq!(lines(bytes).last().map(String::as_str), Some("Leave"), "{bytes:?}");
    }
    assert_eq!(lines(b"x\x04y\n"), ["xy"], "^D within a line is not leaving");
}

#[test]
fn interrupting_drops_the_unfinished_line_in_every_dialect() {
    assert_eq!(lines(b"one\x03two\n"), ["Interrupt", "two"]);
    let telnets = lines(b"one\xff\xf4\xff\xfd\x06two\n");
    assert_eq!(telnets, ["Interrupt", "reply [ff, fb, 06]", "two"]);
}

#[test]
fn byte_255_is_escaped_by_itself() {
    assert_eq!(lines(b"a\xff\xffb\n"), ["a\\xffb"]);
}

#[test]
fn a_hundred_megabytes_of_requests_cost_a_few_replies_and_no_memory() {
    let mut telnet = Telnet::default();
    let piece = b"\xff\xfd\x06".repeat(1000);
    let mut replied = 0;
    for _ in 0..33_000 {
        let mut input = &piece[..];
        while let Some(event) = telnet.next(&mut input) {
            replied += matches!(event, Event::Reply(_)) as usize * 3;
        }
    }
    assert_eq!(replied, 3 * usize::from(REPLIES));
    assert!(replied < 200);
    assert_eq!(telnet.line.capacity(), 0);
}

#[test]
fn a_timing_mark_is_answered_again_once_a_line_was_said() {
    let mut bytes = b"\xff\xfd\x06".repeat(1000);
    bytes.extend(b"hello\n\xff\xfd\x06");
    assert_eq!(lines(&bytes).last().map(String::as_str), Some("reply [ff, fb, 06]"));
}

#[test]
fn an_endless_suboption_holds_no_memory() {
    let mut telnet = Telnet::default();
    assert_eq!(telnet.next(&mut &b"\xff\xfa"[..]), None);
    let piece = vec![b'x'; 1 << 20];
    assert_eq!(telnet.next(&mut &piece[..]), None);
    assert_eq!(telnet.line.capacity(), 0);
}

#[test]
fn a_long_line_is_split_at_a_character_and_loses_nothing() {
    for shift in 0..4 {
        let text = "x".repeat(shift) + &"🦀".repeat(2 * LINE_BYTES / 4);
        let mut telnet = Telnet::default();
        let bytes = text.clone() + "\n";
        let mut input = bytes.as_bytes();
        let mut joined = String::new();
        while let Some(event) = telnet.next(&mut input) {
            assert_eq!(event, Event::Line);
            assert!(telnet.line().len() <= LINE_BYTES);
            joined += std::str::from_utf8(telnet.line()).expect("split inside a character");
        }
        assert_eq!(joined, text);
    }
}

/// Bytes in which commands, line ends and long lines are common.
fn telnet_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => Just(255),
        6 => 236..=254u8,
        2 => prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), Just(6)],
        8 => any::<u8>(),
    ];
    let piece = prop_oneof![
        20 => byte.prop_map(|byte| vec![byte]),
        1 => (any::<u8>(), 900..1100usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(100_000)))]

    #[test]
    fn splitting_never_changes_the_events(bytes in telnet_bytes(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        assert_eq!(events(pieces), events([&bytes[..]]));
        let single = bytes.chunks(1);
        assert_eq!(events(single), events([&bytes[..]]));
    }
}
