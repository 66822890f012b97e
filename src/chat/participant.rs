//! One who is in the chat, as a host sees it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::server::connection::Connection;

/// One who was in the chat when [`Chat::participants`](crate::Chat::participants) was called; its
/// figures are those of now.
#[derive(Clone, Debug)]
pub struct Participant {
    pub(super) place: usize,
    pub(super) connection: Connection,
    name: Rc<str>,
}

impl Participant {
    pub(super) fn new(place: usize, name: &Rc<str>, connection: &Connection) -> Participant {
        Participant { place, connection: connection.clone(), name: name.clone() }
    }

    /// The name that the others read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address it comes from.
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer()
    }

    /// Time since it connected.
    pub fn connected_for(&self) -> Duration {
        self.connection.age()
    }

    /// Bytes read from it.
    pub fn bytes_in(&self) -> u64 {
        self.connection.bytes_in()
    }

    /// Bytes written to it.
    pub fn bytes_out(&self) -> u64 {
        self.connection.bytes_out()
    }

    /// Lines that it was too slow to get.
    pub fn missed(&self) -> u64 {
        self.connection.missed()
    }
}

impl PartialEq for Participant {
    fn eq(&self, other: &Participant) -> bool {
        self.connection == other.connection
    }
}
