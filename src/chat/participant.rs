//! A guest as a host sees it.

use std::rc::Rc;

use crate::server::connection::Connection;

/// A guest who was in the chat when [`Chat::participants`](crate::Chat::participants) was called.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The name that the others read.
    pub name: Rc<str>,
    /// Where it comes from, since when, and what came through.
    pub connection: Connection,
}
