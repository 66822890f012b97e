//! What a program's clients can cost in this process, and how many of them a limit on its memory
//! has room for.

use super::Program;
use crate::server::limits::{BUFFER_BYTES, Limits, RESERVED_BYTES, address_space_left};
use crate::{client, room};

/// A client's bytes while it is idle, at most: 1,103 were measured (README), and 1,304 with smol's
/// reactor.
const IDLE_BYTES: usize = 2048;

/// Bytes of a client that is a person at a terminal, at most.
pub const TERMINAL_BYTES: usize = IDLE_BYTES + client::BUSY_BYTES;

/// Bytes of one that may have the line editor, at most.
pub const EDITING_BYTES: usize = TERMINAL_BYTES + client::editor::EDITOR_BYTES;

/// Bytes of a client that gets its own bytes back, at most.
pub const ECHO_BYTES: usize = IDLE_BYTES + BUFFER_BYTES;

/// Bytes of the chat's backlog, at most: the lines, and as much for keeping them.
pub const BACKLOG_BYTES: usize = 2 * room::BACKLOG_BYTES;

impl Program {
    /// What so many clients cost at most, in bytes.
    pub(super) fn memory_of(&self, clients: usize) -> usize {
        self.backlog_bytes.saturating_add(clients.saturating_mul(self.client_bytes))
    }

    /// Clients that fit into so many bytes.
    fn clients_within(&self, memory: usize) -> usize {
        memory.saturating_sub(RESERVED_BYTES + self.backlog_bytes) / self.client_bytes
    }
}

/// Takes no more clients than fit below a limit on memory: a process that reaches it ends, for all
/// of them at once.
///
/// # Errors
/// One line, when not even one fits.
pub(super) fn fit(program: &Program, limits: &mut Limits) -> Result<(), String> {
    let Some(left) = address_space_left() else { return Ok(()) };
    let fitting = program.clients_within(left);
    if fitting == 0 {
        let kibibytes = left / 1024;
        return Err(format!(
            "cannot start: {kibibytes} KiB of memory fit no client; raise it with ulimit -v"
        ));
    }
    if fitting < limits.max_clients {
        limits.max_clients = fitting;
        ::log::warn!("memory has room for {fitting} clients; raise it with ulimit -v");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_into_memory_as_it_has_room_for_at_their_bounds() {
        let program = Program { backlog_bytes: 1000, client_bytes: 10_000, ..Program::default() };
        assert_eq!(program.clients_within(RESERVED_BYTES + 1000 + 70_000), 7);
        assert_eq!(program.clients_within(0), 0);
        assert_eq!(program.memory_of(7), 71_000);
    }
}
