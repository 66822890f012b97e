//! RESP2, the protocol of Redis and Valkey: commands to bytes, bytes to replies. No I/O, and
//! nothing of what a command means. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//!
//! The engine is no more trusted than a client: what it announces reserves no memory, and each
//! byte is read once, at whatever byte the input is split.

use std::fmt;
use std::str::{self, FromStr};

use super::commands::BATCH;
use crate::text::clean_into_one;

/// Bytes of one bulk string that are kept: as long as a line of the chat can be, and more than any
/// other value. The rest is read past, so that what strangers write harms nobody.
pub(crate) const BULK_BYTES: usize = 4096;

/// Bytes of the strings that are kept of an array in another, without those of the arrays in it: more
/// than the fields of any entry that a chat writes, so that those of strangers take room from no
/// other.
pub(crate) const NESTED_BYTES: usize = 8192;

/// Bytes of the strings that are kept of an outer array; more than all servers say of themselves.
pub(crate) const ARRAY_BYTES: usize = 1024 * 1024;

/// Bytes of the strings of one reply, at most: twice what the largest has that is asked for,
/// [`NESTED_VALUES`] entries.
pub(crate) const REPLY_BYTES: usize = 2 * NESTED_VALUES * NESTED_BYTES;

/// The longest bulk string that Redis sends, unless its `proto-max-bulk-len` is raised.
const BULK_MOST: usize = 512 * 1024 * 1024;

/// Bytes of a line, at most.
pub(crate) const LINE_BYTES: usize = 4096;

/// Values that are kept of an array; of one in another [`NESTED_VALUES`]. The rest is read past.
pub(crate) const ARRAY_VALUES: usize = 2048;

/// As many entries as are asked for at once, and more than the fields of one.
pub(crate) const NESTED_VALUES: usize = BATCH;

/// Values that are kept in all arrays of one reply, at most.
pub(crate) const REPLY_VALUES: usize = 32 * 1024;

/// Arrays within each other in one reply, at most; XREAD's are five deep.
pub(crate) const REPLY_DEPTH: usize = 8;

/// The first bytes that a reply or a value in one can have.
const KINDS: &[u8] = b"+-:$*";

/// A reply of the engine, or a value in one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status, such as `OK`; cleaned, so that it can be logged.
    Simple(String),
    /// Why a command failed, such as `NOAUTH Authentication required.`; cleaned likewise.
    Error(String),
    Integer(i64),
    /// Any bytes, as they were sent.
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    /// No value: a bulk string or an array of length -1.
    Nil,
}

/// What is wrong with the bytes that came; there is no place in them to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

const TOO_LONG: Malformed = Malformed("it is too long");
const OUT_OF_PLACE: Malformed = Malformed("a CR LF is missing or out of place");

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a reply to expect of Redis or Valkey: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Appends a command: its name and arguments, any bytes, as an array of bulk strings.
pub(crate) fn command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// Takes replies out of one connection's bytes: call [`next`](Self::next) until it has no more.
///
/// Between replies it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// What is kept of the line or bulk string that is not finished.
    part: Vec<u8>,
    /// Bytes that are to come of the bulk string that `part` belongs to and of its CR LF; unset in a
    /// line.
    bulk: Option<usize>,
    /// The arrays that are not finished, each in the one before it, at most [`REPLY_DEPTH`].
    open: Vec<Open>,
    /// Bytes of this reply's strings that are kept, at most [`REPLY_BYTES`].
    bytes: usize,
    /// Values in this reply's arrays that are kept, at most [`REPLY_VALUES`].
    values: usize,
    malformed: Option<Malformed>,
}

/// An array that is not finished.
#[derive(Debug)]
struct Open {
    /// How many values are still to come.
    missing: usize,
    /// Those that are kept.
    values: Vec<Reply>,
    /// Bytes of the strings among them.
    bytes: usize,
}

impl Decoder {
    /// Consumes `input` up to and including the next reply; `None` when all of it is consumed.
    ///
    /// # Errors
    /// [`Malformed`], and the same from then on.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Malformed> {
        let result = self.malformed.map_or_else(|| self.decode(input), Err);
        if !matches!(result, Ok(None)) {
            *self = Self { malformed: result.as_ref().err().copied(), ..Self::default() };
        }
        result
    }

    fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, Malformed> {
        loop {
            let value = match self.bulk {
                Some(missing) => self.take_bulk(missing, input)?,
                None => match self.take_line(input)? {
                    Some(line) => self.read_line(&line)?,
                    None => return Ok(None),
                },
            };
            let Some(value) = value else {
                if input.is_empty() {
                    return Ok(None);
                }
                continue;
            };
            if let Some(reply) = self.place(value)? {
                return Ok(Some(reply));
            }
        }
    }

    /// The line, without its CR LF, when all of it has come.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        // Not only when the line ends: what speaks another protocol may never end it.
        let first = self.part.first().or(input.first());
        if first.is_some_and(|kind| !KINDS.contains(kind)) {
            return Err(Malformed("it does not begin with one of +-:$*"));
        }
        let end = input.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let (piece, rest) = input.split_at(end.unwrap_or(input.len()));
        *input = rest;
        if self.part.len() + piece.len() > LINE_BYTES {
            return Err(TOO_LONG);
        }
        self.part.extend_from_slice(piece);
        if end.is_none() {
            return Ok(None);
        }
        let line = self.part.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\r'));
        let line = line.ok_or(OUT_OF_PLACE)?.to_vec();
        self.part.clear();
        Ok(Some(line))
    }

    /// The bulk string, when all of it and its CR LF have come.
    fn take_bulk(&mut self, missing: usize, input: &mut &[u8]) -> Result<Option<Reply>, Malformed> {
        let (piece, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        let (text, end) = piece.split_at(missing.saturating_sub(2).min(piece.len()));
        let most = BULK_BYTES.min(self.room());
        let kept = &text[..text.len().min(most.saturating_sub(self.part.len()))];
        self.part.extend_from_slice(kept);
        let expected = &b"\r\n"[2 - (missing - text.len()).min(2)..];
        if !expected.starts_with(end) {
            return Err(OUT_OF_PLACE);
        }
        if piece.len() < missing {
            self.bulk = Some(missing - piece.len());
            return Ok(None);
        }
        self.bulk = None;
        let text = self.part.as_slice().to_vec();
        self.part.clear();
        self.count(text.len())?;
        Ok(Some(Reply::Bulk(text)))
    }

    /// Bytes that the next string may add to the array that it stands in.
    fn room(&self) -> usize {
        let most = if self.open.len() > 1 { NESTED_BYTES } else { ARRAY_BYTES };
        most - self.open.last().map_or(0, |array| array.bytes.min(most))
    }

    fn count(&mut self, bytes: usize) -> Result<(), Malformed> {
        if let Some(array) = self.open.last_mut() {
            array.bytes += bytes;
        }
        self.bytes += bytes;
        if self.bytes > REPLY_BYTES { Err(TOO_LONG) } else { Ok(()) }
    }

    /// The value that the line is; `None` when it begins a bulk string or an array.
    fn read_line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let (kind, rest) = (line[0], &line[1..]);
        Ok(match kind {
            b'+' => Some(Reply::Simple(self.status(rest)?)),
            b'-' => Some(Reply::Error(self.status(rest)?)),
            b':' => Some(Reply::Integer(number(rest)?)),
            _ if rest == b"-1" => Some(Reply::Nil),
            b'$' => {
                let bytes = number::<usize>(rest)?;
                if bytes > BULK_MOST {
                    return Err(TOO_LONG);
                }
                self.bulk = Some(bytes + 2);
                None
            }
            _ => self.open_array(number(rest)?)?,
        })
    }

    fn status(&mut self, text: &[u8]) -> Result<String, Malformed> {
        self.count(text.len())?;
        Ok(clean_into_one(text))
    }

    fn open_array(&mut self, count: usize) -> Result<Option<Reply>, Malformed> {
        if self.open.len() == REPLY_DEPTH {
            return Err(Malformed("its arrays are too deep within each other"));
        }
        if count == 0 {
            return Ok(Some(Reply::Array(Vec::new())));
        }
        self.open.push(Open { missing: count, values: Vec::new(), bytes: 0 });
        Ok(None)
    }

    /// Puts the value into the array that it belongs to, and the arrays that it finishes into
    /// theirs; the reply when nothing of it is missing.
    fn place(&mut self, mut value: Reply) -> Result<Option<Reply>, Malformed> {
        while let Some(mut array) = self.open.pop() {
            let most = if self.open.is_empty() { ARRAY_VALUES } else { NESTED_VALUES };
            if array.values.len() < most {
                array.values.push(value);
                self.values += 1;
            }
            if self.values > REPLY_VALUES {
                return Err(Malformed("it has too many values"));
            }
            array.missing -= 1;
            if array.missing > 0 {
                self.open.push(array);
                return Ok(None);
            }
            value = Reply::Array(array.values);
        }
        Ok(Some(value))
    }
}

fn number<T: FromStr>(digits: &[u8]) -> Result<T, Malformed> {
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.ok_or(Malformed("a number or length is missing or out of range"))
}

#[cfg(test)]
mod tests;
