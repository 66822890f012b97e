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

/// The questions about BINARY, which stand once in what a telnet client's bytes come to.
const ASKED: &str = "asked";

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut found = events([bytes]);
    found.pop();
    let questions = ["reply [ff, fd, 00]", "reply [ff, fb, 00]", "reply [ff, fc, 00]"];
    if let Some(at) = found.windows(3).position(|three| three == questions) {
        found.splice(at..at + 3, [ASKED.to_owned()]);
    }
    found.into_iter().map(|event| event.trim_start_matches("line ").to_owned()).collect()
}

/// The same without the question for BINARY, for telnet clients in whom it is not the subject.
fn lines_of_telnet(bytes: &[u8]) -> Vec<String> {
    let mut lines = lines(bytes);
    let asked = lines.iter().position(|line| line == ASKED);
    lines.remove(asked.expect("every telnet client is asked"));
    lines
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
    assert_eq!(lines_of_telnet(b"ab\xff\xf7c\n"), ["ac"]);
    assert_eq!(lines(b"one two  \x17three\n"), ["one three"]);
    assert_eq!(lines(b"one\x15two\n"), ["two"]);
    assert_eq!(lines_of_telnet(b"one\xff\xf8two\n"), ["two"]);
    assert_eq!(lines(b"\x08\x7f\x17\x15x\n"), ["x"]);
}

#[test]
fn every_option_is_refused_and_the_timing_mark_is_answered() {
    assert_eq!(lines_of_telnet(b"\xff\xfb\x1f"), ["reply [ff, fe, 1f]"]);
    assert_eq!(lines_of_telnet(b"\xff\xfd\x01"), ["reply [ff, fc, 01]"]);
    assert_eq!(lines_of_telnet(b"\xff\xfd\x06"), ["reply [ff, fb, 06]"]);
    assert!(lines_of_telnet(b"\xff\xfc\x01\xff\xfe\x03").is_empty());
}

#[test]
fn suboptions_are_skipped_whatever_they_hold() {
    assert_eq!(lines_of_telnet(b"a\xff\xfa\x1f\xff\xff\r\nx\xff\xf0b\n"), ["ab"]);
}

#[test]
fn a_suboption_that_has_lost_its_end_swallows_no_more_than_its_line() {
    let mut bytes = b"a\xff\xfa\x1fb\nc\n".to_vec();
    bytes.extend([b'x'; 2 * SUBOPTION_BYTES as usize]);
    bytes.extend(b"\r\nheard again\n");
    assert_eq!(lines_of_telnet(&bytes), ["a", "heard again"]);
}

#[test]
fn leaving_is_understood_in_every_dialect() {
    for bytes in [&b"\xff\xec"[..], b"\x04", b"x\n\x04"] {
        assert!(lines(bytes).contains(&"Leave".to_owned()), "{bytes:?}");
    }
    assert_eq!(lines(b"x\x04y\n"), ["xy"], "^D within a line is not leaving");
}

#[test]
fn interrupting_drops_the_unfinished_line_in_every_dialect() {
    assert_eq!(lines(b"one\x03two\n"), ["Interrupt", "two"]);
    let telnets = lines_of_telnet(b"one\xff\xf4\xff\xfd\x06two\n");
    assert_eq!(telnets, ["Interrupt", "reply [ff, fb, 06]", "two"]);
}

#[test]
fn byte_255_is_escaped_by_itself() {
    assert_eq!(lines(b"a\xff\xffb\n"), ["a\\xffb"]);
}

#[test]
fn the_first_command_is_answered_by_one_question_for_binary() {
    assert_eq!(lines(b"a\n\xff\xf1b\n\xff\xf1c\n"), ["a", ASKED, "b", "c"]);
    assert_eq!(lines(b"\xff\xf4"), ["Interrupt", ASKED]);
    assert_eq!(lines(b"\xff\xfb\x1f"), [ASKED, "reply [ff, fe, 1f]"]);
}

#[test]
fn who_agrees_to_binary_or_offers_it_gets_no_further_word() {
    let agreed = b"\xff\xf1\xff\xfb\x00\xff\xfd\x00\xff\xfe\x00";
    assert_eq!(lines(agreed), [ASKED]);
    assert_eq!(lines(&[&agreed[..], b"\xff\xfd\x00"].concat()), [ASKED, "reply [ff, fc, 00]"]);
    assert_eq!(lines(b"\xff\xf1\xff\xfb\x00\xff\xfb\x00"), [ASKED]);
    assert_eq!(lines(b"\xff\xfb\x00"), [ASKED]);
}

#[test]
fn who_refuses_binary_and_then_wants_it_is_answered() {
    let bytes = b"\xff\xf1\xff\xfc\x00\xff\xfc\x00\xff\xfb\x00\xff\xfb\x00";
    assert_eq!(lines(bytes), [ASKED, "reply [ff, fd, 00]"]);
}

#[test]
fn a_raw_client_is_asked_nothing_whatever_it_writes() {
    for bytes in ["žluťoučký у х Н 日本".as_bytes(), b"\xff\xff\n\xffa\xff\x85\n", b"\x03\x04x"]
    {
        assert!(!lines(bytes).contains(&ASKED.to_owned()), "{}", bytes.escape_ascii());
    }
}

/// What the telnet of inetutils makes of text, as long as it has not agreed to BINARY.
fn through_telnet(text: &str) -> Vec<u8> {
    let mut sent = Vec::new();
    for &byte in text.as_bytes() {
        match byte {
            0x83 => sent.extend(b"\xff\xf4\xff\xfd\x06"),
            0x8f => sent.extend(b"\xff\xf5\xff\xfd\x06"),
            0x9a => sent.extend(b"\xff\xed\xff\xfd\x06"),
            0x9c => sent.extend(b"\xff\xf3\xff\xfd\x06"),
            0x0a => sent.extend(b"\r\n"),
            byte => sent.push(byte),
        }
    }
    sent
}

#[test]
fn bytes_of_characters_that_telnet_sends_as_commands_are_those_bytes() {
    for text in ["буду у вас", "日本", "Ü Ś ü", "한국 본", "كيف", "γειά σου", "😃 😏 😚", "–"]
    {
        let sent = through_telnet(&format!("{text}\n"));
        let commands = sent.windows(3).filter(|bytes| bytes == b"\xff\xfd\x06").count();
        let found = lines(&sent);
        assert_eq!(found.last(), Some(&text.as_bytes().escape_ascii().to_string()));
        let marks = found.iter().filter(|event| *event == "reply [ff, fb, 06]").count();
        assert_eq!(marks, commands, "each timing mark is answered");
    }
}

#[test]
fn a_line_of_such_characters_has_all_its_timing_marks_answered() {
    let sent = through_telnet(&("ム".repeat(300) + "\n"));
    let found = lines(&sent);
    let marks = found.iter().filter(|event| *event == "reply [ff, fb, 06]").count();
    assert_eq!(marks, 300);
}

#[test]
fn once_it_has_agreed_to_binary_a_command_is_a_command() {
    let found = lines(b"\xff\xfb\x00\xd1\xff\xf4x\n");
    assert_eq!(found, [ASKED, "Interrupt", "x"]);
    assert_eq!(lines_of_telnet(b"a\xff\xf4x\n"), ["Interrupt", "x"], "nor after a whole one");
}

#[test]
fn a_line_end_behind_an_escaped_byte_is_not_taken_for_the_rest_of_one() {
    assert_eq!(lines(b"a\r\xff\xff\n\n"), ["a", "\\xff", ""]);
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
    assert_eq!(replied, 3 * (usize::from(REPLIES) + 3), "and those that ask");
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
    for verb in [DO, WILL, WONT] {
        assert_eq!(telnet.next(&mut &b"\xff\xfa"[..]), Some(Event::Reply([IAC, verb, BINARY])));
    }
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

/// What the bytes come to of a client that may have the editor.
fn of_one_that_may_edit(was_offered: bool, bytes: &[u8]) -> Vec<String> {
    let mut telnet = Telnet::default();
    telnet.offer(was_offered);
    let (mut found, mut rest) = (Vec::new(), bytes);
    while let Some(event) = telnet.next(&mut rest) {
        match event {
            Event::Reply([_, _, BINARY]) => {}
            Event::Reply([_, verb, option]) => found.push(format!("{verb} {option}")),
            Event::Line => found.push(format!("line {}", telnet.line().escape_ascii())),
            other => found.push(format!("{other:?}")),
        }
    }
    found
}

const OFFERED: [&str; 3] = ["251 1", "251 3", "253 31"];

#[test]
fn putty_is_offered_the_editor_as_it_connects_and_agrees() {
    let opener =
        b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03";
    let size = b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0h";
    let found = of_one_that_may_edit(false, &[&opener[..], size].concat());
    let answers = ["254 32", "254 24", "254 39", "Edit(true)", "253 3", "Columns(80)", "Key(104)"];
    assert_eq!(found, [&OFFERED[..], &answers].concat());
}

#[test]
fn one_that_was_offered_the_editor_has_it_once_it_lets_us_echo() {
    let telnet = b"a\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1f\xff\xfa\x1f\x01\xff\xff\x00\x18\xff\xf0\xff\xfd\x01b";
    let found = of_one_that_may_edit(true, telnet);
    assert_eq!(found, ["Edit(true)", "Columns(511)", "Key(98)"]);
    let commands = of_one_that_may_edit(true, b"\xff\xfd\x01\xff\xf4\xff\xf7\xff\xf8\xff\xff");
    assert_eq!(commands, ["Edit(true)", "Key(3)", "Key(127)", "Key(21)", "Key(255)"]);
}

#[test]
fn who_refuses_a_half_of_the_editor_or_is_silent_stays_in_line_mode() {
    let withdrawn = ["252 1", "252 3"];
    for refusal in [b"\xff\xfe\x01x\r\n", b"\xff\xfe\x03x\r\n"] {
        let line = ["252 1", "252 3", "line x"];
        assert_eq!(of_one_that_may_edit(true, refusal), line);
        let agreed_before = [b"\xff\xfd\x01", &refusal[..]].concat();
        let found = of_one_that_may_edit(true, &agreed_before);
        assert_eq!(found, [&["Edit(true)", "Edit(false)"], &withdrawn[..], &["line x"]].concat());
    }
    assert_eq!(of_one_that_may_edit(true, b"x\r\n\xff\xfb\x1f"), ["line x"]);
    assert_eq!(of_one_that_may_edit(false, b"\xff\xfd\x01x\r\n"), ["252 1", "line x"]);
}

#[test]
fn agreeing_and_refusing_over_and_over_is_answered_a_few_times() {
    let verbs = [&[0xff, 0xfd][..], &[0xff, 0xfe], &[0xff, 0xfb], &[0xff, 0xfc]];
    let all: Vec<u8> =
        verbs.iter().flat_map(|verb| [verb, &[1][..], verb, &[3], verb, &[31]].concat()).collect();
    let replies = of_one_that_may_edit(false, &all.repeat(1000));
    assert!(replies.len() < usize::from(REPLIES) + 10, "{}", replies.len());
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
