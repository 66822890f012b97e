//! `asyncio.Condition`, in the shape of `std::sync::Condvar`: the lock is a Mutex of its own.

use async_lock::MutexGuard;
use event_listener::Event as Bell;

/// Lets a task that holds a lock wait, without it, until another task notifies it.
#[derive(Default)]
pub struct Condition {
    bell: Bell,
}

impl Condition {
    /// Lets go of the lock, waits to be notified, and takes the lock again.
    ///
    /// It listens before it lets go, so no notice can be missed in between.
    pub async fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let lock = MutexGuard::source(&guard);
        let notice = self.bell.listen();
        drop(guard);
        notice.await;
        lock.lock().await
    }

    /// Wakes `count` of those that wait, the longest waiting first. Not `notify(count)`: that one
    /// counts those who were woken before and have not run yet.
    pub fn notify(&self, count: usize) {
        self.bell.notify_additional(count);
    }

    pub fn notify_all(&self) {
        self.bell.notify(usize::MAX);
    }
}
