//! What every connection needs of its server.

use std::fmt;
use std::future::Future;
use std::rc::{Rc, Weak};

use smol::{LocalExecutor, Task};

use super::buffer::BufferPool;
use super::limits::Limits;
use super::stats::Stats;

pub(crate) struct Shared {
    /// Weak, since the executor owns the tasks that own this.
    executor: Weak<LocalExecutor<'static>>,
    pub(crate) limits: Limits,
    pub(crate) stats: Rc<Stats>,
    pub(crate) pool: Rc<BufferPool>,
}

impl Shared {
    pub(crate) fn new(
        executor: &Rc<LocalExecutor<'static>>,
        limits: Limits,
        stats: Rc<Stats>,
    ) -> Rc<Shared> {
        Rc::new(Shared { executor: Rc::downgrade(executor), limits, stats, pool: Rc::default() })
    }

    /// `None` while the executor is being dropped, and with it the task that calls this.
    pub(crate) fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Option<Task<T>> {
        Some(self.executor.upgrade()?.spawn(future))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}
