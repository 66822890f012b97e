//! Waiting for some of several tasks, or for each as it ends.

use std::time::Duration;

use futures_lite::future::yield_now;
use smol::Task;
use smol_servers::Timer;

use crate::bits::{self, OnCancel};
use crate::python::list;
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(wait, "until all have ended"),
    task!(wait_timeout, "at most so long, then cancel the rest"),
    task!(first_completed, "until one has ended, again and again"),
    task!(first_exception, "until one has failed"),
    task!(as_completed, "each as it ends"),
];

/// Python's `done` is a set, in an order of its own; here it is a list, in the order in which they
/// ended.
pub async fn wait(ex: Ex) {
    println!("starting main");
    let mut tasks: Vec<Task<_>> = (0..3).map(|i| ex.spawn(phase(i, 100 * i))).collect();
    println!("waiting for phases to complete");
    let done = bits::wait(&mut tasks, bits::all_completed, None).await;
    println!("results: {}", list(&done));
}

/// Yields first, as `asyncio.sleep` does for 0 s; `Timer::after` does not.
async fn phase(i: u64, millis: u64) -> String {
    println!("in phase {i}");
    let guard = OnCancel::new(|| println!("phase {i} canceled"));
    yield_now().await;
    Timer::after(Duration::from_millis(millis)).await;
    guard.defuse();
    println!("done with phase {i}");
    format!("phase {i} result")
}

/// What is left stays in `tasks`, and to drop it cancels it. The futures themselves are dropped by
/// the executor when it comes to them, which is after main here.
pub async fn wait_timeout(ex: Ex) {
    println!("starting main");
    let mut tasks: Vec<Task<_>> = (0..3).map(|i| ex.spawn(phase(i, 100 * i))).collect();
    println!("waiting 0.1 for phases to complete");
    let timeout = Some(Duration::from_millis(100));
    let done = bits::wait(&mut tasks, bits::all_completed, timeout).await;
    println!("{} completed and {} pending", done.len(), tasks.len());
    if !tasks.is_empty() {
        println!("canceling tasks");
        drop(tasks);
    }
    println!("exiting main");
}

/// `tasks` shrinks to what asyncio calls `pending`. Tasks that end in the same turn come together.
pub async fn first_completed(ex: Ex) {
    let mut tasks: Vec<Task<_>> = (0..3).map(|i| ex.spawn(phase(i, 100 * i))).collect();
    while !tasks.is_empty() {
        let done = bits::wait(&mut tasks, bits::first_completed, None).await;
        println!("{} completed and {} pending", done.len(), tasks.len());
    }
}

/// The mode is a predicate on an output: here, whether it is an `Err`.
pub async fn first_exception(ex: Ex) {
    let task = |millis| async move {
        Timer::after(Duration::from_millis(millis)).await;
        if millis == 200 { Err("no task may take 200 ms") } else { Ok(millis) }
    };
    let mut tasks: Vec<Task<_>> = [300, 200, 100].map(|millis| ex.spawn(task(millis))).into();
    let done = bits::wait(&mut tasks, bits::first_exception, None).await;
    println!("{done:?}");
    println!("{} completed and {} pending", done.len(), tasks.len());
}

/// The tasks send their results into a channel; the loop ends when the last sender is gone.
pub async fn as_completed(ex: Ex) {
    println!("starting main");
    let tasks = (0..3).map(|i| ex.spawn(phase(i, 500 - 100 * i)));
    let answers = bits::as_completed(&ex, tasks);
    println!("waiting for phases to complete");
    let mut results = Vec::new();
    while let Ok(answer) = answers.recv().await {
        println!("received answer '{answer}'");
        results.push(answer);
    }
    println!("results: {}", list(&results));
}
