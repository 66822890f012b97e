//! A text file that people will read on their terminals, such as the message of the day.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::text;

/// Bytes of the file, at most.
const TEXT_BYTES: u64 = 64 * 1024;

/// The text of a file, without a byte order mark.
///
/// # Errors
/// Why the file cannot be used, and where in it.
pub fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(TEXT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > TEXT_BYTES {
        return Err(format!("it is larger than {} KiB", TEXT_BYTES / 1024));
    }
    check(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes)).map(str::to_owned)
}

/// Opens a regular file. Anything else, such as a FIFO or a terminal, could keep the server waiting
/// for somebody to write to it.
fn open(path: &Path) -> Result<File, String> {
    // NONBLOCK, since opening a FIFO waits for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let not_a_file = "it is not a regular file; write the text into one".to_owned();
    match rustix::fs::open(path, flags, Mode::empty()).map(File::from) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Ok(file),
        // Opening a socket fails with NXIO.
        Ok(_) | Err(Errno::NXIO) => Err(not_a_file),
        Err(error) => Err(std::io::Error::from(error).to_string()),
    }
}

/// The bytes as text, if a terminal can show all of it.
fn check(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        format!("{}: this is not UTF-8; save the file as that", place_after(&before))
    })?;
    let is_text = |c| text::is_shown(c) || matches!(c, '\t' | '\r' | '\n');
    match text.char_indices().find(|&(_, c)| !is_text(c)) {
        None => Ok(text),
        Some((at, c)) => {
            let (place, code) = (place_after(&text[..at]), u32::from(c));
            Err(format!("{place}: U+{code:04X} must not reach a terminal; take it out"))
        }
    }
}

/// The place right behind a text, as editors count lines and columns.
fn place_after(text: &str) -> String {
    let text = text::with_one_line_end(text);
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_one_an_editor_shows() {
        for (bytes, place) in [
            (&b"\x1b[2J"[..], "line 1, column 1: U+001B"),
            (b"be kind\r\nto \x07all", "line 2, column 4: U+0007"),
            (b"a\rb\n\nc\t\x7f", "line 4, column 3: U+007F"),
            ("ß日\u{202e}".as_bytes(), "line 1, column 3: U+202E"),
            ("a\n\u{9b}2J".as_bytes(), "line 2, column 1: U+009B"),
            (b"\xff\xfeb\0", "line 1, column 1: this is not UTF-8"),
            ("žluť\nou\u{10d}".as_bytes().split_last().expect("bytes").1, "line 2, column 3: this"),
        ] {
            let error = check(bytes).expect_err(place);
            assert!(error.starts_with(place), "{error}");
        }
    }

    #[test]
    fn text_of_any_script_passes_as_it_is() {
        let text = "žluťoučký kůň\r\n\t日本語\rשלום 👩‍👩‍👧‍👦\n*** be kind";
        assert_eq!(check(text.as_bytes()), Ok(text));
    }
}
