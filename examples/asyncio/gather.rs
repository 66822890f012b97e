//! Waiting for all of several tasks.

use std::time::Duration;

use smol_servers::Timer;

use crate::bits;
use crate::python::{delay, list};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(gather, "two tasks at once, their results"),
    task!(gather_order, "results in the order of the tasks"),
    task!(return_exceptions, "one task fails, the others go on"),
];

/// Tasks run from `spawn` on, so this takes the 2 s of the longer one and not 3. To gather them is to
/// await one after the other: bits/gather.rs.
pub async fn gather(ex: Ex) {
    println!("starting main");
    println!("waiting for phases to complete");
    let tasks = [ex.spawn(phase("phase1", 2)), ex.spawn(phase("phase2", 1))];
    let results = bits::gather(tasks).await;
    println!("results: {}", list(&results));
}

async fn phase(name: &str, seconds: u64) -> String {
    println!("in {name}");
    Timer::after(Duration::from_secs(seconds)).await;
    println!("done with {name}");
    format!("{name} result")
}

/// The second ends last, and its result is still the second.
pub async fn gather_order(ex: Ex) {
    let results = bits::gather([2, 4, 3].map(|seconds| ex.spawn(delay(seconds)))).await;
    println!("{results:?}");
}

/// A task that can fail returns a `Result`, and all of them come back, as with
/// `return_exceptions=True`. With `?` on each await, the first error in the order of the tasks ends it,
/// and cancels the tasks behind it. For the first error in time, as a plain `gather` raises it, use
/// `wait` with `first_exception`, and drop `tasks`; asyncio leaves the others running.
pub async fn return_exceptions(ex: Ex) {
    let tasks = [
        ex.spawn(async { Ok(delay(2).await) }),
        ex.spawn(async { Ok(delay(4).await) }),
        ex.spawn(async { Err("Exception()") }),
    ];
    let results = bits::gather(tasks).await.into_iter();
    let results = results.map(|it| it.map_or_else(str::to_owned, |slept| slept.to_string()));
    println!("[{}]", results.collect::<Vec<_>>().join(", "));
}
