//! The reactor, as far as the rest of the crate sees it: [`block_on`], [`Timer`], and a registered
//! socket.
//!
//! With the cargo feature `one-thread`, which is on by default, they come on Linux from a driver
//! of our own, which runs on the calling thread alone and registers each socket once. Without it,
//! and on other Unixes, the same names come from smol, so that a smol application can take a
//! server into its own reactor. No other module knows which of the two it runs on.
//!
//! A host that has an event loop of its own drives the servers from it with [`HostLoop`]
//! (our own driver only).

#[cfg(all(target_os = "linux", feature = "one-thread"))]
mod epoll;
#[cfg(not(all(target_os = "linux", feature = "one-thread")))]
mod smol;

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use ::smol::LocalExecutor;
use futures_lite::future::{or, yield_now};

#[cfg(all(target_os = "linux", feature = "one-thread"))]
use epoll as reactor;
#[cfg(not(all(target_os = "linux", feature = "one-thread")))]
use smol as reactor;

#[cfg(all(target_os = "linux", feature = "one-thread", feature = "paused-clock"))]
pub use epoll::clock::block_on_paused;
#[cfg(all(target_os = "linux", feature = "one-thread", feature = "paused-clock"))]
use epoll::clock::paused;
#[cfg(all(target_os = "linux", feature = "one-thread"))]
pub use epoll::{HostLoop, Turn};
pub(crate) use reactor::{Async, ensure_driven, start};
pub use reactor::{Timer, block_on};

/// Tasks that run before the sockets and timers have their turn, at most.
const TASKS: u32 = 200;

/// Runs the tasks of an executor until `future` is ready. Like `LocalExecutor::run`, but cheaper on
/// one thread: that one has a second queue for each thread that runs it, and all tasks would pass
/// through both, a tenth of the user time of a line to 1,000.
pub async fn run<T>(executor: &LocalExecutor<'_>, future: impl Future<Output = T>) -> T {
    let tasks = async {
        loop {
            for _ in 0..TASKS {
                if !executor.try_tick() {
                    executor.tick().await;
                }
            }
            yield_now().await;
        }
    };
    or(future, tasks).await
}

/// The clock that a [`Timer`] counts by: [`Instant::now`], unless the thread's clock is paused by
/// `block_on_paused`.
pub fn now() -> Instant {
    paused().map_or_else(Instant::now, |(now, _)| now)
}

/// [`Instant::elapsed`] by the clock of [`now`].
pub(crate) fn elapsed(since: Instant) -> Duration {
    paused().map_or_else(|| since.elapsed(), |(now, _)| now - since)
}

/// [`SystemTime::now`], which is paused with [`now`].
pub(crate) fn system_time() -> SystemTime {
    paused().map_or_else(SystemTime::now, |(_, time)| time)
}

#[cfg(not(all(target_os = "linux", feature = "one-thread", feature = "paused-clock")))]
fn paused() -> Option<(Instant, SystemTime)> {
    None
}

#[cfg(test)]
mod tests;
