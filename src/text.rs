//! Makes a line safe to show on anybody's terminal. No I/O, no state.
//!
//! What is left of any bytes is valid UTF-8 without control characters: no C0, DEL or C1, so no
//! escape sequence, and nothing that ends a line.

/// Appends the line to `out`: invalid UTF-8 becomes U+FFFD (one for each maximal subpart, as
/// Unicode 3.9 recommends), TAB a space, every other control character nothing.
pub fn clean(line: &[u8], out: &mut String) {
    for chunk in line.utf8_chunks() {
        out.extend(chunk.valid().chars().filter_map(shown));
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn shown(c: char) -> Option<char> {
    match c {
        '\t' => Some(' '),
        c if c.is_control() => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &[u8]) -> String {
        let mut out = String::new();
        clean(line, &mut out);
        out
    }

    #[test]
    fn plain_text_of_any_script_passes() {
        for text in ["hello, world", "žluťoučký kůň", "日本語", "🦀 é e\u{301}"] {
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
    }

    #[test]
    fn invalid_utf8_becomes_replacement_characters() {
        assert_eq!(cleaned(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
        assert_eq!(cleaned(b"\x9b2J"), "\u{fffd}2J");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_yield_a_control_character(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let shown = cleaned(&line);
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}
