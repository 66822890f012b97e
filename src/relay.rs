//! One room on many servers: what joins them is a log that an engine keeps, a stream of Redis or
//! Valkey, into which each server writes what its guests say, and from which it reads the rest.
//!
//! These are the parts that know nothing of a chat: the engine's protocol (`resp`), what it is told
//! (`commands`), the entries of the log, what waits to be written (`outbox`) and what is news
//! (`inbox`), the other servers, and the connection. The chat joins them in `chat/relay.rs`.

pub(crate) mod commands;
pub(crate) mod entry;
pub(crate) mod inbox;
pub(crate) mod link;
pub(crate) mod numbers;
pub(crate) mod outbox;
pub(crate) mod resp;
pub(crate) mod servers;

pub use link::EngineAddress;

/// Where the log is that a chat shares with others, for [`Chat::relay`](crate::Chat::relay). The
/// engine sees in clear all that is said, and whoever can write to it can speak in the room.
#[derive(Clone)]
pub struct Relay {
    /// The engine: Redis from 5.0 on, or Valkey; not a cluster.
    pub engine: EngineAddress,
    /// The name of the room; servers that give the same one share it. The log is the engine's key
    /// `room:NAME`, beside some that begin with `room:NAME:`, so a name should have no colon. The
    /// chat program takes 1 to 64 ASCII letters, digits, `-` and `_`; here nothing is checked.
    pub room: String,
    /// The password of the engine's default user (`AUTH`), if it has one. `Debug` leaves it out. The
    /// engine refuses one that it did not ask for.
    pub password: Option<String>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Relay { engine, room, .. } = self;
        f.debug_struct("Relay").field("engine", engine).field("room", room).finish_non_exhaustive()
    }
}
