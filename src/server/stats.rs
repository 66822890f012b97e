//! What came through a server since it started: counters, and why clients went.
//!
//! [`serve`](crate::serve) and [`Connection`](crate::Connection) count; the programs print one line
//! of it at SIGUSR1; a host reads the fields.

use std::cell::Cell;
use std::fmt;

/// Kinds of [`CloseReason`].
const REASONS: usize = CloseReason::Removed as usize + 1;

/// Why a connection ended, in words a person understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client said goodbye: FIN, or a telnet command that means it.
    Left,
    /// The network or the client's machine broke the connection: RST, or silence for longer
    /// than [`dead`](crate::Limits::dead).
    Lost,
    /// Output was waiting and the client took no byte of it for
    /// [`stall`](crate::Limits::stall).
    Stalled,
    /// Refused: a limit on clients is reached.
    Full,
    /// The server is shutting down.
    GoingDown,
    /// It spoke another protocol.
    WrongProtocol,
    /// A defect of ours: the connection's task panicked.
    Failed,
    /// The host closed it.
    Removed,
}

impl CloseReason {
    /// The words that clients and the log read.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            CloseReason::Left => "left",
            CloseReason::Lost => "connection lost",
            CloseReason::Stalled => "stalled",
            CloseReason::Full => "server full",
            CloseReason::GoingDown => "going down",
            CloseReason::WrongProtocol => "not a chat client",
            CloseReason::Failed => "internal error",
            CloseReason::Removed => "removed",
        }
    }

    /// True where the client is not there to read what is left.
    pub(super) fn is_abrupt(self) -> bool {
        matches!(self, CloseReason::Lost | CloseReason::Stalled | CloseReason::Failed)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for CloseReason {}

/// A number that only the server's own thread changes.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// Its value now.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }

    pub(crate) fn sub(&self, n: u64) {
        self.0.set(self.0.get().saturating_sub(n));
    }
}

/// Counters of one listener's clients.
#[derive(Debug, Default)]
pub struct Stats {
    /// Clients connected now.
    pub clients: Counter,
    /// Connections admitted since the start.
    pub accepted: Counter,
    /// Lines that clients wrote, counted by [`Chat`](crate::Chat).
    pub lines_in: Counter,
    /// Lines that were handed to clients' sockets, once for each client, by [`pump`](crate::pump),
    /// [`Chat`](crate::Chat) and [`Clock`](crate::Clock).
    pub lines_out: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes written to clients.
    pub bytes_out: Counter,
    /// Lines that clients were too slow to get.
    pub missed: Counter,
    closed: [Counter; REASONS],
}

impl Stats {
    /// Connections that ended for this reason; for [`CloseReason::Full`] those refused.
    pub fn closed(&self, reason: CloseReason) -> &Counter {
        &self.closed[reason as usize]
    }
}
