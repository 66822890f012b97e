//! A guest as a host sees it.

use crate::client::terminal::Terminal;
use crate::server::connection::{Connection, Traffic};
use crate::server::peer::Peer;

/// A guest who was in the chat when [`Chat::participants`](crate::Chat::participants) was called.
/// A host that joins the chat's room is none.
#[derive(Clone, Debug)]
pub struct Participant {
    pub(super) connection: Connection,
    pub(super) terminal: Terminal,
}

impl Participant {
    /// The name that the others read.
    pub fn name(&self) -> &str {
        self.connection.name()
    }

    /// Where it comes from.
    pub fn peer(&self) -> Peer {
        self.connection.peer()
    }

    /// Since when it is here, and what has come through its connection up to now.
    pub fn traffic(&self) -> Traffic {
        self.connection.traffic()
    }
}
