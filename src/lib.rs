//! Three small TCP servers that run all their code on one thread, and what they share.
//!
//! [`echo`] sends every byte back, [`time`] sends everyone the time once a second, [`chat`] lets
//! everyone write to everyone, with plain telnet, PuTTY or nc as the client. Clients that hang,
//! vanish or come in great numbers never hang a server and never keep other clients from
//! getting data.
//!
//! ```text
//! server::serve ── accept ──► one connection, a task on the LocalExecutor
//!                               │
//!   reader:  socket ► telnet (bytes → lines, replies) ► text (clean) ► room    never waits
//!                                                                       │ rings
//!   writer:  room's log ► member.take (≤ 16 KiB) ► one write ◄──── bell (async-channel)
//!   a task for each client
//! ```
//!
//! Arrows point one way, so a full buffer can never wait for its own producer.
//!
//! A host embeds a server by [binding](listener::Listener::bind) a listener and giving it to
//! [`server::serve`] with one of the three handlers ([`echo::handle`], [`time::handle`],
//! [`chat::handle`]) on its own `LocalExecutor`; it takes part in a [`room::Room`] by
//! publishing and by [joining](room::Room::join).
//!
//! In reading order: [`server`] and [`listener`] accept; [`connection`] is one client's socket,
//! [`chunk`] what is read from it; [`room`] and [`writer`] bring lines to everyone; [`telnet`],
//! [`text`] and [`presence`] decide without I/O; [`limits`] and [`figures`] hold the bounds and the
//! counters; [`shutdown`] ends it all; [`cli`], [`bounds`], [`log`] and [`program`] are what the
//! three programs need around it.
//!
//! All of this runs on the thread that calls [`driver::block_on`], and there is no other: see
//! [`driver`] for smol's reactor in its place, and for hosts with an event loop of their own.

pub mod bounds;
pub mod chat;
pub mod chunk;
pub mod cli;
pub mod connection;
#[cfg(target_os = "linux")]
mod diag;
pub mod driver;
pub mod echo;
pub mod figures;
pub mod input;
pub mod limits;
pub mod listener;
pub mod log;
pub mod opening;
pub mod pace;
pub mod presence;
pub mod program;
mod refusal;
pub mod room;
pub mod server;
pub mod shutdown;
mod signals;
mod socket;
pub mod telnet;
pub mod text;
pub mod time;
pub mod writer;

/// Cases of a property test: so many, or what PROPTEST_CASES asks for (`make fuzz` does).
#[cfg(test)]
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
