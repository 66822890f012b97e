//! The message of the day: the owner's text that newcomers read.

use crate::text;

/// What of a text can be shown, in lines that end in CR LF; CR LF, LF or CR ends one of `text`.
pub(super) fn lines(text: &str) -> String {
    let mut shown = String::new();
    for line in text::with_one_line_end(text).lines() {
        text::clean(line.as_bytes(), &mut shown);
        shown += "\r\n";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_is_one() {
        assert_eq!(lines("a\nb\r\nc\rd\n\ne"), "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n");
        assert_eq!(lines(""), "");
    }
}
