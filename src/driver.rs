//! What the code uses of a reactor: [`block_on`], [`Timer`], and a registered socket.
//!
//! On Linux they come from a driver of our own, which runs on the calling thread alone and
//! registers each socket once. On other Unixes, and with the cargo feature `smol-reactor`, the
//! same names come from smol, so that a smol application can take a server into its own
//! reactor. No other module knows which of the two it runs on.
//!
//! A host that has an event loop of its own drives the servers from it with [`HostLoop`]
//! (our own driver only).

#[cfg(all(target_os = "linux", not(feature = "smol-reactor")))]
mod epoll;
#[cfg(not(all(target_os = "linux", not(feature = "smol-reactor"))))]
mod smol;

#[cfg(all(target_os = "linux", not(feature = "smol-reactor")))]
pub(crate) use epoll::{Async, ensure_driven, start};
#[cfg(all(target_os = "linux", not(feature = "smol-reactor")))]
pub use epoll::{HostLoop, Timer, Turn, block_on};
#[cfg(not(all(target_os = "linux", not(feature = "smol-reactor"))))]
pub(crate) use smol::{Async, ensure_driven, start};
#[cfg(not(all(target_os = "linux", not(feature = "smol-reactor"))))]
pub use smol::{Timer, block_on};

#[cfg(test)]
mod tests;
