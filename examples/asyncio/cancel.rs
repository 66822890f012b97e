//! Cancelling. No exception is thrown into a task: its future is dropped where it waits, with all
//! its variables.

use std::time::Duration;

use smol_servers::Timer;

use crate::bits::OnCancel;
use crate::python::{delay, truth};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(cancel, "a task cancelled before it starts"),
    task!(cancel_sleeping, "a task that cleans up when cancelled"),
    task!(cancelled, "whether a task was cancelled"),
];

/// `cancel()` is itself a future: it cancels once it is awaited, and then waits until the task is
/// gone. Dropping the task cancels at once, and waits for nothing.
pub async fn cancel(ex: Ex) {
    println!("creating task");
    let task = ex.spawn(async {
        println!("in task_func");
        "the result"
    });
    println!("canceling task");
    let canceling = task.cancel();
    println!("canceled task <Task cancelling>");
    match canceling.await {
        None => println!("caught error from canceled task"),
        Some(result) => println!("task result: '{result}'"),
    }
}

/// A task has one owner, who alone can cancel it. So main gives the task to the
/// canceller, and hears from that one what became of it: `None`, where asyncio raises again.
pub async fn cancel_sleeping(ex: Ex) {
    println!("creating task");
    let task = ex.spawn(task_func());
    let canceller = ex.spawn(async {
        println!("in task_canceller");
        let canceling = task.cancel();
        println!("canceled the task");
        canceling.await
    });
    if canceller.await.is_none() {
        println!("main() also sees task as canceled");
    }
}

/// `except CancelledError` is what a variable does when it is dropped too early. Nothing can be
/// awaited there, and nothing keeps the task from its end.
async fn task_func() {
    println!("in task_func, sleeping");
    let guard = OnCancel::new(|| println!("task_func was canceled"));
    Timer::after(Duration::from_secs(1)).await;
    guard.defuse();
}

/// What `cancel()` returns says it: `None` for a task that was cancelled, `Some` with the result of
/// one that had ended before. The task itself cannot be asked.
pub async fn cancelled(ex: Ex) {
    let task = ex.spawn(delay(3));
    Timer::after(Duration::from_secs(1)).await;
    println!("{}", truth(task.is_finished()));
    let result = task.cancel().await;
    println!("{}", truth(result.is_none()));
    if result.is_none() {
        println!("<class 'asyncio.exceptions.CancelledError'>");
    }
}
