//! Every bound the servers share, with its unit, default and reason.
//!
//! What is a field of [`Limits`] a host may choose; what is a constant follows from another
//! bound or was measured.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections the kernel holds for us between two accepts. std asks for 128, and a crowd that
/// connects at once then waits a whole second for each overflow.
pub(crate) const BACKLOG: i32 = 4096;

/// Bytes one read asks for, and one write is given: the most work a connection does before
/// another one has its turn.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;

/// Accepts, and events of one client, before others have their turn.
pub(crate) const BUDGET: usize = 16;

/// Descriptors kept for the server itself (standard streams, epoll, listeners, refusals on
/// their way out); a host that has more of its own open when a server starts keeps more.
pub(crate) const RESERVED_DESCRIPTORS: u64 = 32;

/// Memory kept for the server itself below a limit on address space (`ulimit -v`); smol's reactor
/// has a thread, for which glibc sets 128 MiB aside.
pub(crate) const RESERVED_BYTES: usize =
    if cfg!(not(feature = "one-thread")) { 144 * MIB } else { 4 * MIB };

const MIB: usize = 1024 * 1024;

/// Refused clients that may still be reading why, at most; the next ones get the line and an
/// immediate close. Well below [`RESERVED_DESCRIPTORS`], where their descriptors come from.
pub(crate) const REFUSALS: usize = 12;

/// Time a refused client has for reading why.
pub(crate) const REFUSAL_GRACE: Duration = Duration::from_secs(1);

/// Pause of the accept loop when the system is out of memory, or of descriptors even for refusing.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One log line in this time about refusals, and one about failing accepts.
pub(crate) const REPEAT_PAUSE: Duration = Duration::from_secs(10);

/// Time of [`SHUTDOWN`] that is kept for dropping each client that is still there at its end.
pub(crate) const TEARDOWN: Duration = Duration::from_micros(25);

/// Time from the stop to the end of [`serve`](crate::serve), whatever the clients do.
/// Below the two seconds that the programs promise.
pub(crate) const SHUTDOWN: Duration = Duration::from_millis(1800);

/// [`Limits::send_buffer`] of the two room servers.
pub(crate) const SEND_BUFFER: usize = 16 * 1024;

/// [`Limits::receive_buffer`] of the two room servers: with as much on its way, a client a
/// quarter of a second away can send the 64 KiB a second that the chat allows.
pub(crate) const RECEIVE_BUFFER: usize = 16 * 1024;

/// The bounds a host may choose; [`Default`] is what the programs start with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Clients at once. The default is what this process's hard descriptor limit has room for
    /// beside 32 for the server itself. [`serve`](crate::serve) raises the soft limit as
    /// far as they need, and admits no more than fit below it.
    pub max_clients: usize,
    /// Clients at once from one IPv4 address or IPv6 /64, 0 by default, which is no limit. Loopback
    /// and unix sockets are exempt.
    pub max_per_ip: usize,
    /// A client that has output waiting and takes no byte of it for this time is dropped; 30 s.
    pub stall: Duration,
    /// A peer that vanished without a word is dropped after this time, 40 s: an idle one is found
    /// by keepalive probes, one that acknowledges nothing of what was sent to it by asking the
    /// kernel, which may take an eighth longer (on Linux). A client that is there but takes nothing
    /// of what the kernel holds for it goes then too, so keep this above [`stall`](Self::stall).
    pub dead: Duration,
    /// Time that a client that left, or must, has for reading what it was still sent; 2 s.
    pub grace: Duration,
    /// SO_SNDBUF, 16 KiB (Linux doubles it for its own book-keeping). Left to itself, Linux would
    /// hold 4 MiB for a client that never reads.
    pub send_buffer: usize,
    /// SO_RCVBUF, 16 KiB (Linux doubles it for its own book-keeping). Left to itself, Linux would
    /// hold 128 KiB of a client that is not read, and much more of one that was.
    pub receive_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_clients: clients_below(highest_descriptor_limit()),
            max_per_ip: 0,
            stall: Duration::from_secs(30),
            dead: Duration::from_secs(40),
            grace: Duration::from_secs(2),
            send_buffer: SEND_BUFFER,
            receive_buffer: RECEIVE_BUFFER,
        }
    }
}

/// Raises this process's descriptor limit to its hard limit and returns it; where the system
/// refuses, it stays what it was.
pub(crate) fn raise_descriptor_limit() -> u64 {
    raise_to(u64::MAX)
}

/// Address space that this process may still take, in bytes; `None` without a limit on it
/// (`ulimit -v`), or where the system does not say how much it has.
pub(crate) fn address_space_left() -> Option<usize> {
    // OpenBSD has no such limit.
    #[cfg(target_os = "openbsd")]
    let limit = None;
    #[cfg(not(target_os = "openbsd"))]
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    let limit = usize::try_from(limit?).ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let taken = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kibibytes: usize = taken.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(limit.saturating_sub(kibibytes * 1024))
}

/// Clients that fit below a descriptor limit.
pub(crate) fn clients_below(descriptors: u64) -> usize {
    fitting(descriptors, RESERVED_DESCRIPTORS)
}

/// Makes room for `wanted` clients in a process that has `open` descriptors, and returns how many
/// of them fit.
pub(crate) fn make_room(wanted: usize, open: u64) -> usize {
    // To come are the refused clients that still read why, and the one being refused.
    let kept = RESERVED_DESCRIPTORS.max(open.saturating_add(REFUSALS as u64 + 1));
    wanted.min(fitting(raise_to(kept.saturating_add(wanted as u64)), kept))
}

fn fitting(descriptors: u64, kept: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(kept).max(1)).unwrap_or(usize::MAX)
}

/// What the soft limit can be raised to. macOS calls its hard limit infinite and takes no more
/// than its OPEN_MAX, see setrlimit(2).
fn highest_descriptor_limit() -> u64 {
    let highest = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::from(u32::MAX));
    if cfg!(target_vendor = "apple") { highest.min(10_240) } else { highest }
}

/// Raises the soft limit to `needed` or as near as the system lets it come, and returns the one
/// in force.
fn raise_to(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::from(u32::MAX));
    let raised = needed.min(highest_descriptor_limit());
    let rlimit = Rlimit { current: Some(raised), maximum };
    if raised > current && setrlimit(Resource::Nofile, rlimit).is_ok() { raised } else { current }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_fits_below_the_descriptor_limit() {
        assert_eq!(Limits::default().max_clients, clients_below(raise_descriptor_limit()));
    }

    #[test]
    fn what_the_process_has_open_leaves_fewer_places() {
        let descriptors = raise_descriptor_limit();
        let all = clients_below(descriptors);
        assert_eq!(make_room(all, 6), all);
        assert_eq!(make_room(all, 100), all + 32 - 100 - REFUSALS - 1);
        assert_eq!(make_room(10, 100), 10);
        assert_eq!(make_room(all, descriptors), 1);
        assert_eq!(make_room(0, 6), 0);
    }
}
