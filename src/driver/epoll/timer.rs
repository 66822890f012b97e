//! Timers: one ordered map of the moments that tasks wait for.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Driver;

/// A future that is ready at a moment, to the millisecond, never before it.
///
/// # Panics
/// When it is polled on a thread that has no driver yet, and the system no descriptors for one.
pub struct Timer {
    /// `None` for a moment too far away to be named.
    at: Option<Instant>,
    /// Where the timer stands in the map, once it was polled.
    entry: Option<(Rc<Driver>, u64)>,
}

impl Timer {
    /// Ready after so long.
    pub fn after(duration: Duration) -> Timer {
        Timer { at: Instant::now().checked_add(duration), entry: None }
    }

    /// Ready at this moment.
    pub fn at(instant: Instant) -> Timer {
        Timer { at: Some(instant), entry: None }
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(at) = self.at else { return Poll::Pending };
        if Instant::now() >= at {
            return Poll::Ready(at);
        }
        let (driver, number) = self.entry.get_or_insert_with(|| {
            let driver = Driver::current().expect("two descriptors for the driver");
            let number = driver.timers.borrow_mut().number();
            (driver, number)
        });
        let key = (at, *number);
        let _dropped_here = driver.timers.borrow_mut().waiting.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (Some(at), Some((driver, number))) = (self.at, &self.entry) {
            let _dropped_here = driver.timers.borrow_mut().waiting.remove(&(at, *number));
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
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// Takes out those that are due, at most so many, and collects who waits for them.
    pub(super) fn expire(&mut self, most: usize, wakers: &mut Vec<Waker>) {
        let now = Instant::now();
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
