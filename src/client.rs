//! One person's terminal, in and out: what it sends becomes lines and events, what a room has for
//! it is written to it. Used by chat and time.
//!
//! # The bytes of an idle client
//!
//! Nearly all clients of a large server are idle, and what one of them costs is above all the
//! futures of its two tasks, as they wait for the next byte and the next line. A future is as large
//! as the most it ever holds at once, and stays so. So whatever is rare or short-lived is awaited
//! in a box (`Box::pin`), which is freed when it is over: joining, the greeting, the pauses of a
//! client over its limits, the wait for a full socket. Without the box joining would cost each idle
//! client 390 bytes, each of the others 80 to 240. For the same reason some functions return a block
//! instead of being `async`: the future of an `async fn` holds its arguments twice.
//!
//! Bytes that were read are gone before more are awaited, and a `Vec` that is empty holds no
//! memory.
//!
//! So an idle client of the chat takes 1.1 KiB of memory outside the kernel;
//! `tests/it/footprint.rs` fails at 2 KiB.

pub(crate) mod editor;
pub(crate) mod rate_limit;
pub(crate) mod reader;
pub(crate) mod sniffer;
pub(crate) mod telnet;
pub(crate) mod terminal;
pub(crate) mod writer;

/// The last line that a client reads when its server shuts down; not in echo, which sends nothing
/// but the client's own bytes.
pub(crate) const GOODBYE: &str = "*** the server is going down, goodbye\r\n";

/// Bytes that a client can hold at most beside what an idle one does: input not parsed yet, a line
/// begun, answers, and the rest of a line taken in part.
pub(crate) const BUSY_BYTES: usize =
    reader::INPUT_BYTES + telnet::LINE_BYTES + crate::room::PENDING_BYTES + crate::room::LINE_BYTES;
