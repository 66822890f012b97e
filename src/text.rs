//! Makes a line safe to show on anybody's terminal. No I/O, no state.
//!
//! The alphabet of what comes out is closed, see [`is_shown`]: without ESC, C0 and C1 there is
//! no escape sequence, without line and paragraph separators no second line, without bidi
//! controls no text that reads other than it was written.

use unicode_width::UnicodeWidthChar;

/// Marks of no width on one character, at most. More of them stack over the lines above and
/// below; no script in use needs as many.
pub(crate) const MARKS: usize = 8;

/// Appends the line to `out`: invalid UTF-8 becomes U+FFFD (one for each maximal subpart, as
/// Unicode 3.9 recommends), TAB a space, whatever is not [shown](is_shown) nothing, and so do
/// marks beyond [`MARKS`].
pub(crate) fn clean(line: &[u8], out: &mut String) {
    let mut marks = 0;
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            let c = if c == '\t' { ' ' } else { c };
            if !is_shown(c) {
                continue;
            }
            marks = if c.width() == Some(0) { marks + 1 } else { 0 };
            if marks <= MARKS {
                out.push(c);
            }
        }
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
            marks = 0;
        }
    }
}

/// [Cleans](clean) a text of any number of lines into one: a line end within becomes a space, one
/// at its ends nothing.
pub(crate) fn clean_into_one(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        clean(line, &mut out);
    }
    out
}

/// [Cleans](clean) a text line by line, so that each ends in CR LF, whatever ended it before.
pub(crate) fn clean_lines(text: &str) -> String {
    let mut out = String::new();
    for line in with_one_line_end(text).lines() {
        clean(line.as_bytes(), &mut out);
        out += "\r\n";
    }
    out
}

/// False for what could do more than stand in a line: C0, DEL and C1 controls, line and
/// paragraph separators, the bidi controls (UAX #9) and the deprecated format characters beside
/// them, interlinear annotation, and the tag characters and further variation selectors, which
/// hide text.
pub(crate) fn is_shown(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}')
}

/// The text with LF as its only line end, where CR LF and CR are ones too.
pub(crate) fn with_one_line_end(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Whether anything of a clean text can be seen: a line of spaces, of joiners or of the characters
/// that only fill a place says nothing.
pub(crate) fn is_visible(text: &str) -> bool {
    let fills = |c| matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    text.chars().any(|c| !c.is_whitespace() && !fills(c) && c.width() != Some(0))
}

/// The text of a clean line as every terminal shows it: `?` for each character beyond ASCII. Where
/// a terminal takes bytes for characters, two bytes of UTF-8 may be an escape sequence: `ě` is
/// C4 9B, and 9B is CSI.
pub(crate) fn to_ascii(text: &str) -> String {
    let shown = text.chars().filter(|c| c.is_ascii() || c.width() != Some(0));
    shown.map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The start of the UTF-8 character that holds byte `at`: where bytes may be cut. `at` itself where
/// no character of at most four bytes (RFC 3629) begins before it, and at most the length.
pub(crate) fn character_start(bytes: &[u8], at: usize) -> usize {
    if at >= bytes.len() {
        return bytes.len();
    }
    let start = (at.saturating_sub(3)..=at).rev().find(|&start| !is_continuation(bytes[start]));
    start.unwrap_or(at)
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Whether `bytes` end within a UTF-8 character, and `byte` may come next in it.
pub(crate) fn continues_character(bytes: &[u8], byte: u8) -> bool {
    let begun = &bytes[character_start(bytes, bytes.len().saturating_sub(1))..];
    is_continuation(byte)
        && match std::str::from_utf8(&[begun, &[byte]].concat()) {
            Ok(_) => true,
            Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
        }
}

/// Whether a UTF-8 character is begun in the line and not finished: its client has lost a byte of
/// it, or does not write UTF-8.
pub(crate) fn has_broken_character(line: &[u8]) -> bool {
    let is_first_byte = |byte: &u8| (0xc2..=0xf4).contains(byte);
    line.utf8_chunks().any(|chunk| chunk.invalid().first().is_some_and(is_first_byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(line: &[u8]) -> String {
        let mut out = String::new();
        clean(line, &mut out);
        out
    }

    #[test]
    fn plain_text_of_any_script_passes() {
        let scripts =
            ["hello, world", "žluťoučký kůň", "日本語", "שלום", "é e\u{301}", "한국", "กำ"];
        let emoji = ["🦀", "👩‍👩‍👧‍👦", "❤\u{fe0f}", "👍🏽", "🇨🇿"];
        for text in scripts.into_iter().chain(emoji) {
            assert_eq!(cleaned(text.as_bytes()), text);
        }
    }

    #[test]
    fn escape_sequences_lose_what_makes_them_one() {
        assert_eq!(cleaned(b"\x1b[2J\x1b]0;title\x07x"), "[2J]0;titlex");
        assert_eq!(cleaned("\u{9b}2J\u{7f}".as_bytes()), "2J");
    }

    #[test]
    fn tab_becomes_a_space_and_line_ends_vanish() {
        assert_eq!(cleaned(b"a\tb\r\nc\x0b\x0cd"), "a bcd");
        assert_eq!(cleaned("a\u{2028}b\u{2029}c\u{85}d".as_bytes()), "abcd");
    }

    #[test]
    fn a_text_of_several_lines_becomes_one() {
        for (text, line) in [
            (&b"one"[..], "one"),
            (b"one\r\n", "one"),
            (b"one\n<ann> two\r\n", "one <ann> two"),
            (b"one\r\n\r\ntwo\rthree\n\n", "one two three"),
            (b"\n", ""),
            (b"", ""),
        ] {
            assert_eq!(clean_into_one(text), line);
        }
    }

    #[test]
    fn every_line_of_a_text_ends_in_cr_lf() {
        assert_eq!(clean_lines("a\nb\r\nc\rd\n\ne"), "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n");
        assert_eq!(clean_lines(""), "");
    }

    #[test]
    fn invalid_utf8_becomes_replacement_characters() {
        assert_eq!(cleaned(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
        assert_eq!(cleaned(b"\x9b2J"), "\u{fffd}2J");
    }

    #[test]
    fn a_byte_continues_only_a_character_that_misses_it() {
        for begun in ["у", "본", "한", "😃", "–"] {
            let bytes = begun.as_bytes();
            for at in 1..bytes.len() {
                assert!(continues_character(&bytes[..at], bytes[at]), "{begun} {at}");
                assert!(!continues_character(&bytes[..at], b'x'), "{begun} {at}");
            }
            assert!(!continues_character(bytes, 0x83), "{begun}");
        }
        for whole in [&b""[..], b"a", b"\xe0", b"\x83", b"\xf0", b"\xff"] {
            assert!(!continues_character(whole, 0x83), "{}", whole.escape_ascii());
        }
    }

    #[test]
    fn a_character_begun_and_not_finished_is_noticed() {
        for broken in [&b"\xd1 \xd1\x83"[..], b"\xd1", b"\xe6\x97 x", b"caf\xe9 noir"] {
            assert!(has_broken_character(broken), "{}", broken.escape_ascii());
        }
        for fine in ["".as_bytes(), "привет".as_bytes(), b"plain", b"\x80", b"\xff"] {
            assert!(!has_broken_character(fine), "{}", fine.escape_ascii());
        }
    }

    #[test]
    fn text_that_reads_other_than_it_is_written_loses_what_makes_it_so() {
        assert_eq!(cleaned("a\u{202e}cba\u{2069}\u{200f}\u{61c}".as_bytes()), "acba");
        assert_eq!(cleaned("hi\u{e0068}\u{e0069}\u{fff9}".as_bytes()), "hi");
    }

    #[test]
    fn characters_that_hide_text_vanish() {
        assert_eq!(cleaned("a\u{206a}\u{206f}b\u{e0100}\u{e01ef}c".as_bytes()), "abc");
    }

    #[test]
    fn a_line_of_what_cannot_be_seen_is_known() {
        for hidden in
            ["", "   ", "\u{200b}\u{2060}", "\u{3164}\u{3164}", "\u{2800} \u{a0}", "\u{301}"]
        {
            assert!(!is_visible(hidden), "{}", hidden.escape_unicode());
        }
        for shown in ["a", " . ", "é", "한", "\u{fffd}", "👍\u{fe0f}"] {
            assert!(is_visible(shown), "{shown}");
        }
    }

    #[test]
    fn in_ascii_no_byte_is_left_that_a_terminal_could_take_for_a_control() {
        assert_eq!(to_ascii("ě2J řekl: e\u{301} 👍\u{fe0f} \u{fffd}"), "?2J ?ekl: e ? ?");
    }

    #[test]
    fn marks_do_not_stack_over_other_lines() {
        let stacked = "z".to_owned() + &"\u{301}".repeat(100) + "y\u{301}";
        assert_eq!(
            cleaned(stacked.as_bytes()),
            "z".to_owned() + &"\u{301}".repeat(MARKS) + "y\u{301}"
        );
    }

    /// Lines in which every kind of troublemaker is common.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let known =
            ["\u{1b}[", "\u{202e}", "\u{2028}", "\u{301}", "\u{e0041}", "\u{85}", "\t", "é"];
        let piece = prop_oneof![
            4 => any::<u8>().prop_map(|byte| vec![byte]),
            2 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            2 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
            1 => Just("\u{301}".repeat(12).into_bytes()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::cases(100_000)))]

        #[test]
        fn any_bytes_come_out_in_the_closed_alphabet(line in line()) {
            let shown = cleaned(&line);
            assert!(shown.chars().all(is_shown), "{shown:?}");
            let marks = shown.chars().map(|c| c.width() == Some(0)).collect::<Vec<_>>();
            assert!(!marks.windows(MARKS + 1).any(|run| run.iter().all(|mark| *mark)), "{shown:?}");
            assert!(shown.len() <= 3 * line.len());
        }
    }
}
