//! What a program's clients can cost in this process. No I/O.

use crate::client;
use crate::server::limits::{BUFFER_BYTES, RESERVED_BYTES};

/// A client's bytes while it is idle, at most: 1,200 were measured (README).
const IDLE_BYTES: usize = 2048;

/// The memory that a program can take at most, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// For all clients together.
    shared: usize,
    /// For each.
    client: usize,
}

impl Memory {
    /// Of a server whose clients are people at terminals, who read a room with such a backlog.
    pub fn of_room(backlog_bytes: usize) -> Memory {
        Memory { shared: 2 * backlog_bytes, client: IDLE_BYTES + client::BUSY_BYTES }
    }

    /// Of a server that gives each client its bytes back.
    pub fn of_echo() -> Memory {
        Memory { shared: 0, client: IDLE_BYTES + BUFFER_BYTES }
    }

    /// What so many clients cost at most.
    pub(super) fn of_clients(self, clients: usize) -> usize {
        self.shared.saturating_add(clients.saturating_mul(self.client))
    }

    /// Clients that fit into so much memory.
    pub(super) fn clients_within(self, memory: usize) -> usize {
        memory.saturating_sub(RESERVED_BYTES + self.shared) / self.client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_into_memory_as_it_has_room_for_at_their_bounds() {
        let memory = Memory { shared: 1000, client: 10_000 };
        assert_eq!(memory.clients_within(RESERVED_BYTES + 1000 + 70_000), 7);
        assert_eq!(memory.clients_within(0), 0);
        assert_eq!(memory.of_clients(7), 71_000);
    }
}
