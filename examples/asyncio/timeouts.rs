//! Timeouts.

use std::time::Duration;

use crate::bits;
use crate::python::{delay, truth};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(wait_for, "a task that takes too long"),
    task!(shield, "a timeout that leaves the task alone"),
];

/// A timeout is a race with a timer, and the loser is dropped. The task goes into the race, so it is
/// dropped with it and thereby cancelled. No TimeoutError is raised: the result is `None`.
pub async fn wait_for(ex: Ex) {
    let task = ex.spawn(delay(3));
    let result = bits::wait_for(task, Duration::from_secs(1)).await;
    println!("{}", truth(result.is_none()));
}

/// What is dropped at the end of the race is only a borrow: a shield is a `&mut`.
pub async fn shield(ex: Ex) {
    let mut task = ex.spawn(delay(3));
    if bits::wait_for(&mut task, Duration::from_secs(1)).await.is_none() {
        println!("{}", truth(task.is_finished()));
    }
    task.await;
}
