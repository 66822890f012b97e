//! The servers in a host's own event loop: no thread is given to them.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use super::{Driver, Wake};

/// A future that a host takes forward, turn by turn, when its descriptor is readable or the time it
/// asked for is over. On Linux, with the feature `one-thread`.
///
/// The host waits with whatever it has (poll, epoll, another reactor) for [`as_fd`](AsFd) to be
/// readable, at most as long as the last [`turn`](Self::turn) said, and then takes the next turn.
/// What it does to the servers between two turns makes the descriptor readable too. A host that is
/// told of edges only, as by tokio's `AsyncFd`, clears the readiness before the turn. Several loops
/// on one thread share the descriptor: when it is readable, each takes a turn.
///
/// With tokio, `examples/tokio_host.rs` has the loop. It stays on its thread, and so belongs into
/// `Runtime::block_on`, the `main` of `#[tokio::main]` or a `LocalSet`, and not into `tokio::spawn`.
/// What tokio accepted goes to [`ServerHandle::admit`](crate::ServerHandle::admit) by `into_std`.
pub struct HostLoop<F> {
    future: Pin<Box<F>>,
    pub(super) wake: Arc<Wake>,
    pub(super) driver: Rc<Driver>,
    /// One of the copies of [`Driver::driven`].
    _driven: Rc<()>,
}

/// The result of a [`turn`](HostLoop::turn).
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// The future is ready.
    Done(T),
    /// Take the next turn when the descriptor is readable, and after this time at the latest;
    /// without one there is no timer to wait for. A host that waits whole milliseconds rounds up.
    Wait(Option<Duration>),
}

impl<F: Future> HostLoop<F> {
    /// Takes a future, such as `run(&executor, serve(…))`, on the calling thread.
    ///
    /// # Errors
    /// When the system has no descriptors left for the driver (it takes two).
    pub fn new(future: F) -> io::Result<HostLoop<F>> {
        let driver = Driver::current()?;
        let wake = Arc::new(Wake {
            home: thread::current().id(),
            // So that the first turn polls.
            woken: AtomicBool::new(true),
            will_poll: AtomicBool::new(false),
            wakeup: driver.wakeup.clone(),
        });
        let _driven = driver.driven.clone();
        Ok(HostLoop { future: Box::pin(future), wake, driver, _driven })
    }

    /// Does what can be done without waiting. Never blocks. After [`Turn::Done`] no further
    /// turn may be taken.
    pub fn turn(&mut self) -> Turn<F::Output> {
        self.wake.will_poll.store(true, Ordering::SeqCst);
        let more = self.driver.turn(Some(Duration::ZERO));
        if let Poll::Ready(output) = self.poll() {
            return Turn::Done(output);
        }
        self.wake.will_poll.store(false, Ordering::SeqCst);
        // A host that is told of edges is not told again of the events left over.
        let again = more || self.wake.woken.load(Ordering::SeqCst);
        Turn::Wait(if again { Some(Duration::ZERO) } else { self.driver.timers.borrow().next_in() })
    }

    /// Polls the future, if it was woken since the last time.
    pub(super) fn poll(&mut self) -> Poll<F::Output> {
        if !self.wake.woken.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.wake.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl<F> AsFd for HostLoop<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.driver.epoll.as_fd()
    }
}

/// For reactors that ask for it, such as tokio's `AsyncFd`. It is always the same descriptor, open
/// as long as this lives, which the unsafe `AsyncFd::register_with_interest` requires.
impl<F> AsRawFd for HostLoop<F> {
    fn as_raw_fd(&self) -> RawFd {
        self.driver.epoll.as_raw_fd()
    }
}

impl<F> std::fmt::Debug for HostLoop<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLoop").finish_non_exhaustive()
    }
}
