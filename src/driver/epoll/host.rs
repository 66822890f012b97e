//! The servers in a host's own event loop: no thread is given to them.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{DrivenGuard, Driver, Wake};

/// A future that a host takes forward, turn by turn, when its descriptor is readable or the
/// time it asked for is over.
///
/// The host waits with whatever it has (poll, epoll, another reactor) for [`as_fd`](AsFd) to be
/// readable, at most as long as the last [`turn`](Self::turn) said, and then takes the next turn.
/// What it does to the servers between two turns makes the descriptor readable too. A host that is
/// told of edges only, as by tokio's `AsyncFd`, clears the readiness before the turn. Several loops
/// on one thread share the descriptor: when it is readable, each takes a turn.
pub struct HostLoop<F> {
    future: Pin<Box<F>>,
    wake: Arc<Wake>,
    waker: Waker,
    driven: DrivenGuard,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// The future is ready.
    Done(T),
    /// Take the next turn when the descriptor is readable, and after this time at the latest.
    Wait(Option<Duration>),
}

impl<F: Future> HostLoop<F> {
    /// Takes a future, such as `executor.run(server::serve(…))`, on the calling thread.
    ///
    /// # Errors
    /// When the system has no descriptors left for the driver (it takes two).
    pub fn new(future: F) -> io::Result<HostLoop<F>> {
        let driver = Driver::current()?;
        let wake = Arc::new(Wake::new(&driver));
        let waker = Waker::from(wake.clone());
        let driven = DrivenGuard::new(&driver);
        Ok(HostLoop { future: Box::pin(future), wake, waker, driven })
    }

    /// Does what can be done without waiting. MUST NOT block. After [`Turn::Done`] no further
    /// turn may be taken.
    pub fn turn(&mut self) -> Turn<F::Output> {
        self.wake.looks.store(true, Ordering::SeqCst);
        let more = self.driven.0.turn(Some(Duration::ZERO));
        if self.wake.woken.swap(false, Ordering::SeqCst) {
            let mut context = Context::from_waker(&self.waker);
            if let Poll::Ready(output) = self.future.as_mut().poll(&mut context) {
                return Turn::Done(output);
            }
        }
        self.wake.looks.store(false, Ordering::SeqCst);
        // A host that is told of edges is not told again of the events left over.
        let again = more || self.wake.woken.load(Ordering::SeqCst);
        Turn::Wait(if again { Some(Duration::ZERO) } else { self.driven.0.next_timer() })
    }
}

impl<F> AsFd for HostLoop<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.driven.0.epoll.as_fd()
    }
}

/// For reactors that ask for it, such as tokio's `AsyncFd`.
impl<F> AsRawFd for HostLoop<F> {
    fn as_raw_fd(&self) -> RawFd {
        self.driven.0.epoll.as_raw_fd()
    }
}

impl<F> std::fmt::Debug for HostLoop<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLoop").finish_non_exhaustive()
    }
}
