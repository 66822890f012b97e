//! A thread's clock, paused for a test: it stands still while anything can run, and then jumps to
//! the next timer. The driver's turn decides when; it knows nothing of sockets.

use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use super::block_on;

thread_local! {
    /// What the two clocks of the thread show while they are paused.
    static PAUSED: Cell<Option<(Instant, SystemTime)>> = const { Cell::new(None) };
}

/// Runs a future as [`block_on`] does, for tests that take no real time: the thread's clock, which
/// is [`now`](crate::now) and the wall clock of the servers, stands still while any task can run or
/// any socket is ready, and then jumps to the moment of the next [`Timer`](crate::Timer), exactly.
/// Without a timer it waits for a socket or another thread, and no time passes. With the feature
/// `paused-clock`, on Linux, beside `one-thread`.
///
/// ```
/// use std::time::Duration;
///
/// use smol_servers::{Timer, block_on_paused, now};
///
/// block_on_paused(async {
///     let started = now();
///     Timer::after(Duration::from_secs(3600)).await;
///     assert_eq!(now() - started, Duration::from_secs(3600));
/// });
/// ```
///
/// Timers of one moment fire in the order in which they were first polled. A task that never waits
/// makes time stand still for ever.
///
/// What comes from outside comes in real time, and the clock does not wait for it while there is a
/// timer: another thread (`smol::unblock`), a child process, a peer elsewhere. A timeout around
/// them may be over at once. Between two ends of a unix socket on this thread everything arrives at
/// once; over TCP it does as a rule, without Nagle's algorithm, but a busy kernel may take its
/// time. A server on a TCP socket always has a timer, since it looks for dead clients.
///
/// A `block_on` or `block_on_paused` inside goes on with the same clock. A
/// [`HostLoop`](crate::HostLoop) never moves a clock, since its host waits. On return, and on a
/// panic, the thread has its real clock again, and moments taken before may be ahead of it. Other
/// threads keep theirs.
///
/// # Panics
/// As [`block_on`].
pub fn block_on_paused<T>(future: impl Future<Output = T>) -> T {
    let _paused = Pause::start();
    block_on(future)
}

/// What the calling thread's clocks show, if they are paused.
pub(in crate::driver) fn paused() -> Option<(Instant, SystemTime)> {
    PAUSED.get()
}

/// Moves the calling thread's clocks, if they are paused.
pub(super) fn jump(by: Duration) {
    PAUSED.set(PAUSED.get().map(|(now, time)| (now + by, time + by)));
}

/// Makes the thread's clocks real again when it is dropped, if it was this that paused them.
struct Pause(bool);

impl Pause {
    fn start() -> Pause {
        let begins = PAUSED.get().is_none();
        if begins {
            PAUSED.set(Some((Instant::now(), SystemTime::now())));
        }
        Pause(begins)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if self.0 {
            PAUSED.set(None);
        }
    }
}

#[cfg(test)]
mod tests;
