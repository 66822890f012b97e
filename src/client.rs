//! One person's terminal, in and out: what it sends becomes lines and events, what a room has for
//! it is written to it. Used by chat and time.
//!
//! # The bytes of an idle client
//!
//! Nearly all clients of a large server are idle, and what one of them costs is above all the
//! futures of its two tasks, as they wait for the next byte and the next line. A future is as large
//! as the most that it ever holds at once. So whatever is rare or soon over on the way to these two
//! waits is awaited in a box, `Box::pin`, which exists only as long as it lasts: coming in, the
//! greeting, the pauses of a client over its limits, the wait for a full socket. In place, the
//! greeting alone would cost each idle client 550 bytes, the others 70 to 400.
//!
//! Bytes that were read are gone before more are awaited, and a `Vec` that is empty holds no memory.
//!
//! An idle client of the chat takes 1.1 KiB of memory outside the kernel in this way;
//! `tests/it/footprint.rs` fails at two.

pub(crate) mod rate_limit;
pub(crate) mod reader;
pub(crate) mod sniffer;
pub(crate) mod telnet;
pub(crate) mod writer;

/// The last line that a client reads whose server goes down; not in echo, which sends nothing but
/// the client's own bytes.
pub(crate) const GOODBYE: &str = "*** the server is going down, goodbye\r\n";

/// Bytes that a client can hold at most beside what an idle one does: input not parsed yet, a line
/// begun, answers, and the rest of a line taken in part.
pub(crate) const BUSY_BYTES: usize =
    reader::INPUT_BYTES + telnet::LINE_BYTES + crate::room::PENDING_BYTES + crate::room::LINE_BYTES;
