//! One who is in the chat, as a host sees it.

use crate::server::connection::Connection;

/// One who was in the chat when [`Chat::participants`](crate::Chat::participants) was called.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The name that the others read.
    pub name: String,
    /// Where it comes from, since when, and what came through.
    pub connection: Connection,
    pub(super) place: usize,
}
