//! `asyncio.gather`.

use smol::Task;

/// The outputs of all tasks, in the order of the tasks.
///
/// They run already, at the same time, so it does no harm to await them one by one. Dropping this
/// future drops the tasks and so cancels them.
pub async fn gather<T>(tasks: impl IntoIterator<Item = Task<T>>) -> Vec<T> {
    let tasks: Vec<Task<T>> = tasks.into_iter().collect();
    let mut outputs = Vec::with_capacity(tasks.len());
    for task in tasks {
        outputs.push(task.await);
    }
    outputs
}
