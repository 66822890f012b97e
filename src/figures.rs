//! What came through a server since it started: counters, and why clients went.
//!
//! [`crate::server::serve`] and [`crate::connection::Connection`] count; the programs print one
//! line of it at SIGUSR1; a host reads the fields.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// Why a connection ended, in words a person understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client said goodbye: FIN, or a telnet command that means it.
    Left,
    /// The network or the client's machine broke the connection: RST, or silence for longer
    /// than [`dead`](crate::limits::Limits::dead).
    Lost,
    /// Output was waiting and the client took no byte of it for
    /// [`stall`](crate::limits::Limits::stall).
    Stalled,
    /// Refused: a limit on clients is reached.
    Full,
    /// The server is shutting down.
    GoingDown,
    /// It spoke another protocol.
    Stranger,
    /// A defect of ours: the connection's task panicked.
    Failed,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Reason; 7] = [
        Reason::Left,
        Reason::Lost,
        Reason::Stalled,
        Reason::Full,
        Reason::GoingDown,
        Reason::Stranger,
        Reason::Failed,
    ];

    /// The words that clients and the log read.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Left => "left",
            Reason::Lost => "connection lost",
            Reason::Stalled => "stalled",
            Reason::Full => "server full",
            Reason::GoingDown => "going down",
            Reason::Stranger => "not a chat client",
            Reason::Failed => "internal error",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
#[derive(Debug)]
pub struct Figures {
    /// Clients connected now.
    pub clients: Counter,
    /// Connections admitted since the start.
    pub accepted: Counter,
    /// Lines that clients wrote.
    pub lines_in: Counter,
    /// Lines that were handed to clients' sockets, once for each client.
    pub lines_out: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes written to clients.
    pub bytes_out: Counter,
    /// Lines that clients were too slow to get.
    pub missed: Counter,
    started: Instant,
    ended: [Counter; Reason::ALL.len()],
}

impl Default for Figures {
    fn default() -> Self {
        Figures {
            clients: Counter::default(),
            accepted: Counter::default(),
            lines_in: Counter::default(),
            lines_out: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            missed: Counter::default(),
            started: Instant::now(),
            ended: Default::default(),
        }
    }
}

impl Figures {
    /// Connections that ended for this reason; for [`Reason::Full`] those refused.
    pub fn ended(&self, reason: Reason) -> &Counter {
        &self.ended[reason as usize]
    }

    /// Time since the listener was bound.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Writes one line of all of them to the log, even to a quiet one.
    pub fn log(&self) {
        let ended = |reason| self.ended(reason).get();
        log::info!(
            target: crate::log::ASKED_FOR,
            clients = self.clients.get(),
            accepted = self.accepted.get(),
            lines_in = self.lines_in.get(),
            lines_out = self.lines_out.get(),
            bytes_in = self.bytes_in.get(),
            bytes_out = self.bytes_out.get(),
            missed = self.missed.get(),
            refused = ended(Reason::Full),
            left = ended(Reason::Left),
            lost = ended(Reason::Lost),
            stalled = ended(Reason::Stalled),
            going_down = ended(Reason::GoingDown),
            strangers = ended(Reason::Stranger),
            failed = ended(Reason::Failed),
            uptime_seconds = self.uptime().as_secs();
            "figures"
        );
    }
}
