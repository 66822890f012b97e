//! RESP2, the protocol of Redis and Valkey: commands to bytes, bytes to replies. No I/O, and
//! nothing of what a command means. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//!
//! The engine is no more trusted than a client: what it announces reserves no memory, and each
//! byte is read once, at whatever byte the input is split.

use std::fmt;
use std::str::{self, FromStr};

use crate::text::clean_into_one;

/// Bytes of one reply as it is sent, at most.
pub(crate) const REPLY_BYTES: usize = 1024 * 1024;

/// Values of one reply in all its arrays, at most: one that is sent as three bytes takes ten times
/// as many here and more, which [`REPLY_BYTES`] does not bound.
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
    /// What came of the line or bulk string that is not finished, and of its CR LF.
    part: Vec<u8>,
    /// The length of the bulk string that `part` belongs to; unset in a line.
    bulk: Option<usize>,
    /// The count and the values of each array that is not finished, each in the one before it; at
    /// most [`REPLY_DEPTH`].
    open: Vec<(usize, Vec<Reply>)>,
    /// Bytes that came of this reply, at most [`REPLY_BYTES`].
    bytes: usize,
    /// Values announced in this reply's arrays, at most [`REPLY_VALUES`].
    values: usize,
    malformed: Option<Malformed>,
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
        while let Some(part) = self.next_part(input)? {
            let is_bulk = self.bulk.take().is_some();
            let value = if is_bulk { Some(Reply::Bulk(part)) } else { self.read_line(&part)? };
            if let Some(reply) = value.and_then(|value| self.place(value)) {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// The line or bulk string, without its CR LF, when all of it has come.
    fn next_part(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let is_line = self.bulk.is_none();
        // Not only when the line ends: what speaks another protocol may never end it.
        let first = self.part.first().or(input.first());
        if is_line && first.is_some_and(|kind| !KINDS.contains(kind)) {
            return Err(Malformed("it does not begin with one of +-:$*"));
        }
        let line_end = || input.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let bulk_end = self.bulk.map(|length| length.saturating_add(2) - self.part.len());
        let missing = bulk_end.or_else(line_end);
        // A bulk string that is too long fails when it is announced.
        let wanted = missing.unwrap_or(input.len());
        if self.bytes.saturating_add(wanted) > REPLY_BYTES {
            return Err(Malformed("it is too long"));
        }
        let (piece, rest) = input.split_at(wanted.min(input.len()));
        *input = rest;
        self.part.extend_from_slice(piece);
        self.bytes += piece.len();
        if missing != Some(piece.len()) {
            return Ok(None);
        }
        let part = self.part.strip_suffix(b"\r\n");
        let part = part.filter(|part| !is_line || !part.contains(&b'\r'));
        let part = part.ok_or(Malformed("a CR LF is missing or out of place"))?.to_vec();
        self.part.clear();
        Ok(Some(part))
    }

    /// The value that the line is; `None` when it begins a bulk string or an array.
    fn read_line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let (kind, rest) = (line[0], &line[1..]);
        Ok(match kind {
            b'+' => Some(Reply::Simple(clean_into_one(rest))),
            b'-' => Some(Reply::Error(clean_into_one(rest))),
            b':' => Some(Reply::Integer(number(rest)?)),
            _ if rest == b"-1" => Some(Reply::Nil),
            b'$' => {
                self.bulk = Some(number(rest)?);
                None
            }
            _ => self.open_array(number(rest)?)?,
        })
    }

    fn open_array(&mut self, count: usize) -> Result<Option<Reply>, Malformed> {
        self.values = self.values.saturating_add(count);
        if self.values > REPLY_VALUES {
            return Err(Malformed("it has too many values"));
        }
        if self.open.len() == REPLY_DEPTH {
            return Err(Malformed("its arrays are too deep within each other"));
        }
        if count == 0 {
            return Ok(Some(Reply::Array(Vec::new())));
        }
        self.open.push((count, Vec::new()));
        Ok(None)
    }

    /// Puts the value into the array that it belongs to, and the arrays that it finishes into
    /// theirs; the reply when nothing of it is missing.
    fn place(&mut self, mut value: Reply) -> Option<Reply> {
        while let Some((count, mut values)) = self.open.pop() {
            values.push(value);
            if values.len() < count {
                self.open.push((count, values));
                return None;
            }
            value = Reply::Array(values);
        }
        Some(value)
    }
}

fn number<T: FromStr>(digits: &[u8]) -> Result<T, Malformed> {
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.ok_or(Malformed("a number or length is missing or out of range"))
}

#[cfg(test)]
mod tests;
