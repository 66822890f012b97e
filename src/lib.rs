//! Three small TCP servers that run all their code on one thread, and what they share.
//!
//! [`echo()`] sends every byte back, a [`Clock`] sends everyone the time, a [`Chat`] lets everyone
//! write to everyone, with plain telnet, PuTTY or nc as the client. Clients that hang, vanish or
//! come in great numbers never hang a server and never keep other clients from getting data.
//!
//! A host embeds a server by binding a [`Listener`] and giving it to [`serve`] with a [`Handler`]:
//!
//! ```no_run
//! use std::rc::Rc;
//! use smol_servers::{Chat, Limits, Listener, block_on, run, serve};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let executor = Rc::new(smol::LocalExecutor::new());
//!     let listener = Listener::bind(&["127.0.0.1:8002".parse()?], Limits::default())?;
//!     let stop = std::future::pending::<()>(); // any future; when it is ready, the server ends
//!     block_on(run(&executor, serve(&executor, listener, stop, Chat::default())))?;
//!     Ok(())
//! }
//! ```
//!
//! ```text
//! serve ── accept ──► one connection: a reader and a writer, tasks on the LocalExecutor
//!
//!   reader:  socket ► telnet (bytes → events) ► text (clean) ► room.publish      never waits
//!                                                                 │ rings
//!   writer:  room's backlog ► member.fill (≤ 16 KiB) ► one write ◄┘
//! ```
//!
//! This is the chat. Data flows one way: a reader never waits for another client's socket, so one
//! full socket holds up nobody else. Only who talks fast waits, for its rate limit and its turn.
//!
//! All of this runs on the thread that calls [`block_on`]. With the feature `one-thread` (the
//! default) on Linux there is no other thread; otherwise smol's reactor has a helper thread,
//! `async-io`. A host with an event loop of its own drives it with a `HostLoop`; one that runs
//! under `smol::block_on` turns the cargo feature `one-thread` off.
//!
//! With the feature `paused-clock`, for tests on Linux, `block_on_paused` runs servers and timers on
//! a clock that stands still while anything can run, and then jumps to the next timer: an hour
//! takes no time, and is exactly one. What a host does in time beside them goes by [`now`].
//!
//! With the feature `relay`, which is off by default, `Chat::relay` shares the chat's room with chats
//! on other servers, over Redis or Valkey.

mod chat;
mod client;
mod driver;
mod echo;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod moment;
#[doc(hidden)]
pub mod program;
#[cfg(feature = "relay")]
mod relay;
mod room;
mod server;
mod text;
mod time;
mod zone;

pub use chat::{Chat, ChatConfig, Event, Events, Participant};
pub use client::rate_limit::RateLimit;
pub use client::writer::{missed_notice, pump};
#[cfg(all(target_os = "linux", feature = "one-thread", feature = "paused-clock"))]
pub use driver::block_on_paused;
#[cfg(all(target_os = "linux", feature = "one-thread"))]
pub use driver::{HostLoop, Turn};
pub use driver::{Timer, block_on, now, run};
pub use echo::echo;
#[cfg(feature = "relay")]
pub use relay::{EngineAddress, Relay};
pub use room::{Line, Member, Room};
pub use server::connection::{Connection, Traffic};
pub use server::handle::ServerHandle;
pub use server::handler::Handler;
pub use server::limits::Limits;
pub use server::listener::{BindError, Listener};
pub use server::peer::Peer;
pub use server::stats::{CloseReason, Counter, Stats};
pub use server::{Buffer, serve};
pub use time::{Clock, FormatError};
pub use zone::TimeZone;

/// Cases of a property test: as many as PROPTEST_CASES says (`make fuzz` sets it), or `default`.
#[cfg(test)]
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
