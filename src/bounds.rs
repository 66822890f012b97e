//! What `--limits` prints: every bound of a program, and what that many clients can cost. No I/O.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use crate::limits::{self, CHUNK_BYTES, INPUT_BYTES, Limits, RESERVED_BYTES};
use crate::{log, room, telnet};

/// A client's bytes in our own memory while it is idle, at most: 1,200 were measured (README).
const IDLE_BYTES: usize = 2048;

/// A table of bounds under way.
#[derive(Debug, Default)]
pub struct Bounds {
    rows: String,
    /// Bytes that all clients share.
    shared: usize,
    /// Bytes that a client can hold at most, beside what an idle one does.
    busy: usize,
}

impl Bounds {
    /// Adds a bound, its value with the unit, and what it bounds or where to set it.
    pub fn row(&mut self, name: &str, value: impl Display, why: &str) {
        let _infallible = writeln!(self.rows, "{name:<26} {value:>12}  {why}");
    }

    /// Counts memory that all clients share, and that each can hold at most while it is busy.
    pub fn cost(&mut self, shared: usize, busy: usize) {
        self.shared += shared;
        self.busy += busy;
    }

    /// Adds what every server has whose clients speak telnet and read a room.
    pub fn room(&mut self) {
        self.row("input", bytes(INPUT_BYTES), "a read of a client's lines");
        self.row("line", bytes(telnet::LINE_BYTES), "of a client, a longer one is split");
        self.row("line of the room", bytes(room::LINE_BYTES), "with the name");
        self.row("told", bytes(room::TOLD_BYTES), "answers that wait for one client");
        self.row("telnet replies", telnet::REPLIES, "free a connection, one more a line");
        // Input not looked at yet, a line begun, answers, the rest of a line partly taken.
        let busy = INPUT_BYTES + telnet::LINE_BYTES + room::TOLD_BYTES + room::LINE_BYTES;
        self.cost(0, busy);
    }
}

/// The whole table: the shared bounds, those that `own` adds, and the cost.
pub(crate) fn table(limits: &Limits, own: impl FnOnce(&mut Bounds)) -> String {
    let mut bounds = Bounds::default();
    shared(&mut bounds, limits);
    own(&mut bounds);
    let Bounds { rows, shared, busy } = bounds;
    let clients = limits.max_clients;
    let ours = |each: usize| bytes(shared.saturating_add(clients.saturating_mul(each)));
    format!(
        "{rows}\n{clients} clients cost, in this process: all idle {}, all at their bounds {};\n\
         in the kernel's send buffers, all stalled: {}; in its receive buffers, all not read: {}.\n",
        ours(IDLE_BYTES),
        ours(IDLE_BYTES + busy),
        bytes(clients.saturating_mul(2 * limits.send_buffer)),
        bytes(clients.saturating_mul(2 * limits.receive_buffer)),
    )
}

/// Clients that fit into so many bytes of memory, all of them at the bounds that `own` adds.
pub(crate) fn clients_within(memory: usize, own: impl FnOnce(&mut Bounds)) -> usize {
    let mut bounds = Bounds::default();
    own(&mut bounds);
    memory.saturating_sub(RESERVED_BYTES + bounds.shared) / (IDLE_BYTES + bounds.busy)
}

fn shared(bounds: &mut Bounds, limits: &Limits) {
    bounds.row("clients", limits.max_clients, "--max-clients");
    bounds.row("clients per address", limits.max_per_ip, "--max-per-ip; 0 is no limit");
    bounds.row("stall", seconds(limits.stall), "--stall: output waits and no byte is taken");
    bounds.row("dead", seconds(limits.dead), "--dead: nothing acknowledged, no probe answered");
    bounds.row("grace", seconds(limits.grace), "for one who leaves to read what is left");
    bounds.row("shutdown", seconds(limits::SHUTDOWN), "from the signal to the end");
    bounds.row("teardown", seconds(limits::TEARDOWN), "of it, for each client still there");
    bounds.row("backlog", limits::BACKLOG, "connections the kernel holds between accepts");
    bounds.row(
        "send buffer",
        bytes(limits.send_buffer),
        "a client, in the kernel, which doubles it",
    );
    bounds.row("receive buffer", bytes(limits.receive_buffer), "the same for what is not read");
    bounds.row("chunk", bytes(CHUNK_BYTES), "a read or a write");
    bounds.row("turn", limits::TURN, "accepts, or events of a client, before others");
    bounds.row("refusals", limits::REFUSALS, "refused clients still reading why");
    bounds.row("refusal grace", seconds(limits::REFUSAL_GRACE), "for each of them");
    bounds.row(
        "accept pause",
        seconds(limits::ACCEPT_PAUSE),
        "when clients cannot even be refused",
    );
    bounds.row(
        "quiet",
        seconds(limits::REPEAT_QUIET),
        "between two log lines of a kind of refusal",
    );
    bounds.row("reserved descriptors", limits::RESERVED_DESCRIPTORS, "for the server itself");
    bounds.row("reserved memory", bytes(RESERVED_BYTES), "the same, below ulimit -v");
    bounds.row("log line", bytes(log::LINE_BYTES), "on standard error");
}

/// A duration as the table shows it.
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// A size as the table shows it.
pub fn bytes(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 10 << 20 => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat;
    use crate::cli::Own;

    #[test]
    fn the_table_tells_what_so_many_clients_cost_at_most() {
        let limits = Limits { max_clients: 1000, ..Limits::default() };
        let table = table(&limits, |bounds| chat::Options::default().bounds(bounds));
        assert!(table.contains("1000 clients cost, in this process: all idle 4048 KiB"), "{table}");
        assert!(table.contains("send buffers, all stalled: 31 MiB"), "{table}");
        assert!(table.contains("receive buffers, all not read: 31 MiB"), "{table}");
    }

    #[test]
    fn as_many_fit_into_memory_as_it_has_room_for_at_their_bounds() {
        let bounds = |bounds: &mut Bounds| bounds.cost(1000, 10_000 - IDLE_BYTES);
        assert_eq!(clients_within(RESERVED_BYTES + 1000 + 70_000, bounds), 7);
        assert_eq!(clients_within(0, bounds), 0);
    }
}
