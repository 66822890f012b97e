//! Timers: one ordered map of the moments that tasks wait for.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Driver;
use crate::driver::now;

/// A future that is ready at a moment, to the millisecond, never before it. Only
/// [`block_on`](crate::block_on) and [`HostLoop`](crate::HostLoop) let it become ready: under another
/// `block_on` it never is.
///
/// # Panics
/// When it is polled on a thread that has no driver yet, and the system no descriptors for one.
pub struct Timer {
    at: Instant,
    /// Its number among the driver's [`Timers`], once it was polled.
    entry: Option<(Rc<Driver>, u64)>,
}

/// A century, which is never, and no sum too large for an [`Instant`].
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Timer {
    /// Ready after this time.
    pub fn after(duration: Duration) -> Timer {
        Timer::at(now() + duration.min(NEVER))
    }

    /// Ready at this moment.
    pub fn at(instant: Instant) -> Timer {
        Timer { at: instant, entry: None }
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let at = self.at;
        if now() >= at {
            return Poll::Ready(at);
        }
        let (driver, number) = self.entry.get_or_insert_with(|| {
            let driver = Driver::current().expect("two descriptors for the driver");
            let number = driver.timers.borrow_mut().number();
            (driver, number)
        });
        let waker = cx.waker().clone();
        // Dropped without a borrow: a waker's drop may run code that comes back here.
        let _replaced = driver.timers.borrow_mut().waiting.insert((at, *number), waker);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((driver, number)) = &self.entry {
            // Dropped without a borrow, too.
            let _removed = driver.timers.borrow_mut().waiting.remove(&(self.at, *number));
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("at", &self.at).finish_non_exhaustive()
    }
}

/// The timers of a thread that wait, by moment; the number tells those of one moment apart.
#[derive(Default)]
pub(super) struct Timers {
    waiting: BTreeMap<(Instant, u64), Waker>,
    numbers: u64,
}

impl Timers {
    /// Time until the first is due.
    pub(super) fn next_in(&self) -> Option<Duration> {
        let ((at, _), _) = self.waiting.first_key_value()?;
        Some(at.saturating_duration_since(now()))
    }

    /// Takes out the timers that are due, at most `most`, and collects the wakers of their tasks.
    pub(super) fn expire(&mut self, most: usize, wakers: &mut Vec<Waker>) {
        let now = now();
        for _ in 0..most {
            match self.waiting.first_entry() {
                Some(first) if first.key().0 <= now => wakers.push(first.remove()),
                _ => return,
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
