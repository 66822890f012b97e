//! One person's terminal, in and out: what it sends becomes lines and events, what a room has for
//! it is written to it. Used by chat and time.

pub(crate) mod rate_limit;
pub(crate) mod reader;
pub(crate) mod sniffer;
pub(crate) mod telnet;
pub(crate) mod writer;

/// The last line a client reads whose server goes down; not in echo, whose clients want their own
/// bytes only.
pub(crate) const GOODBYE: &str = "*** the server is going down, goodbye\r\n";

/// Bytes that a client can hold at most beside what an idle one does: input not looked at yet, a
/// line begun, answers, and the rest of a line taken in part.
pub(crate) const BUSY_BYTES: usize =
    reader::INPUT_BYTES + telnet::LINE_BYTES + crate::room::PENDING_BYTES + crate::room::LINE_BYTES;
