//! The command line as a row of options and their values. Knows none of them. No I/O.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lexopt::{Parser, ValueExt};

/// Bytes of a word that a program is [called] by, at most.
const NAME_BYTES: usize = 32;

/// The name of the option that a program is asked for behind the last one, to check together those
/// that it was given.
pub const END: &str = "";

/// The command line, at one of its options.
#[derive(Debug)]
pub struct Args {
    pub(super) parser: Parser,
    pub(super) option: String,
}

impl Args {
    /// The option's name, without dashes.
    pub fn option(&self) -> &str {
        &self.option
    }

    /// Its value, a whole number.
    ///
    /// # Errors
    /// One line with the bounds, when it is not within them.
    pub fn number<N>(&mut self, bounds: RangeInclusive<N>) -> Result<N, String>
    where
        N: FromStr + PartialOrd + Display,
    {
        let (value, option) = (self.text()?, &self.option);
        value.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let (min, max) = bounds.into_inner();
            format!("--{option} is a whole number from {min} to {max}, not '{value}'")
        })
    }

    /// Its value, a text.
    ///
    /// # Errors
    /// One line, when it is missing or not Unicode.
    pub fn text(&mut self) -> Result<String, String> {
        let (value, option) = (self.parser.value(), &self.option);
        let value = value.map_err(|_| format!("--{option} needs a value"))?;
        value.string().map_err(|_| format!("the value of --{option} is not valid Unicode"))
    }

    /// Its value, a file.
    ///
    /// # Errors
    /// One line, when it is missing.
    pub fn path(&mut self) -> Result<PathBuf, String> {
        let value = self.parser.value().map(PathBuf::from);
        value.map_err(|_| format!("--{} needs a file", self.option))
    }
}

/// The name that a program uses for itself: the words it was started by, without the folders, so
/// that the commands it shows are those its user has to type. Its own name where one of them is not
/// a plain one: at most [`NAME_BYTES`] ASCII letters, digits and `-_.+`.
pub(super) fn called(words: impl Iterator<Item = OsString>, own: &'static str) -> &'static str {
    let mut names = String::new();
    for word in words {
        let Some(name) = plain_name(&word) else { return own };
        names.extend([if names.is_empty() { "" } else { " " }, name]);
    }
    // Leaked once: the log of the process has it too.
    if names.is_empty() { own } else { names.leak() }
}

fn plain_name(path: &OsStr) -> Option<&str> {
    let name = Path::new(path).file_name()?.to_str()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    let is_name = name.len() <= NAME_BYTES
        && !name.starts_with(['-', '_', '.', '+'])
        && name.bytes().all(is_plain);
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_program_is_called_as_it_was_started_where_that_is_a_plain_name() {
        let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let called = |first: &[u8]| called(std::iter::once(word(first)), "chat");
        assert_eq!(called(b"/usr/local/bin/smol-chat"), "smol-chat");
        assert_eq!(called(b"smol_chat-1.0+git"), "smol_chat-1.0+git");
        assert_eq!(called(b"bin/chat/"), "chat");
        let long = "x".repeat(NAME_BYTES + 1);
        for odd in [
            &b""[..],
            b"/",
            b"..",
            b"-bash",
            b"a b",
            b"a\x1b[2J",
            b"a\nb",
            b"\xff\xfe",
            "žert".as_bytes(),
            long.as_bytes(),
        ] {
            assert_eq!(called(odd), "chat", "{}", odd.escape_ascii());
        }
        assert_eq!(super::called(std::iter::empty(), "chat"), "chat");
        let two = |words: [&[u8]; 2]| super::called(words.into_iter().map(word), "chat");
        assert_eq!(two([b"/usr/bin/smol-servers", b"chat"]), "smol-servers chat");
        assert_eq!(two([b"a b", b"chat"]), "chat");
    }
}
