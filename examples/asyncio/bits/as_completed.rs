//! `asyncio.as_completed`.

use async_channel::{Receiver, unbounded};
use smol::{LocalExecutor, Task};

/// The outputs of all tasks, the first to end first. A [`Receiver`] is a `Stream`, and it ends after
/// the last output. The channel holds one output a task at most, so it needs no bound.
///
/// As with asyncio, the tasks run on when nobody listens any more.
pub fn as_completed<T: 'static>(
    ex: &LocalExecutor<'static>,
    tasks: impl IntoIterator<Item = Task<T>>,
) -> Receiver<T> {
    let (sender, outputs) = unbounded();
    for task in tasks {
        let sender = sender.clone();
        ex.spawn(async move { sender.send(task.await).await }).detach();
    }
    outputs
}
