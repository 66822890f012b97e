//! Our chat on several servers that share a room: whether every line arrives or is counted while
//! they and the engine are stopped and killed, and what the sharing costs.

mod account;
mod cost;
mod engine;
mod party;

use crate::Result;
use crate::options::Options;
use crate::peers::{Driver, Lane, Peer, Start};
use crate::prepare;

/// Ours with the feature that is off by default.
const RELAY: Peer = Peer {
    name: "relay",
    lane: Lane::Ours,
    runtime: "Rust, smol, our driver",
    start: Start::Ours(Driver::Relay, &[]),
};

/// An error if a line was lost uncounted, came twice or out of order; the figures are judged by
/// whoever reads them.
pub(crate) fn relay(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    if options.build {
        prepare::build(&[RELAY])?;
    }
    // Servers, engine and generator are more than there are cores. The servers have theirs in turn.
    machine.unpin()?;
    if options.chose("account") {
        account::account(&machine, options)?;
    }
    cost::costs(&machine, &peers[0], options)
}
