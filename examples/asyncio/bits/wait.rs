//! `asyncio.wait`, with its three modes and its timeout.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use smol::Task;
use smol_servers::Timer;

/// Waits until an output is `enough`, all tasks have ended, or the time is over. Returns the outputs
/// there are and leaves in `tasks` those that still run; clear it to cancel them.
///
/// `enough` is the mode: [`all_completed`], [`first_completed`], [`first_exception`], or any other
/// predicate on an output.
pub async fn wait<T>(
    tasks: &mut Vec<Task<T>>,
    enough: impl Fn(&T) -> bool,
    timeout: Option<Duration>,
) -> Vec<T> {
    let mut timer = timeout.map(Timer::after);
    let mut outputs = Vec::new();
    poll_fn(|cx| {
        tasks.retain_mut(|task| match Pin::new(task).poll(cx) {
            Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            Poll::Pending => true,
        });
        let is_over = timer.as_mut().is_some_and(|it| Pin::new(it).poll(cx).is_ready());
        let is_enough = is_over || tasks.is_empty() || outputs.iter().any(&enough);
        if is_enough { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs
}

/// `return_when=ALL_COMPLETED`
pub fn all_completed<T>(_: &T) -> bool {
    false
}

/// `return_when=FIRST_COMPLETED`
pub fn first_completed<T>(_: &T) -> bool {
    true
}

/// `return_when=FIRST_EXCEPTION`
pub fn first_exception<T, E>(output: &Result<T, E>) -> bool {
    output.is_err()
}
