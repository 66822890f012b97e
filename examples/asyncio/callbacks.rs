//! Callbacks and futures: what asyncio is made of below its tasks. Here there are only tasks.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use async_lock::OnceCell;
use smol::LocalExecutor;
use smol_servers::{Timer, block_on, now, run};

use crate::bits;
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    Recipe::plain("call_soon", "callbacks in the next turn of the loop", call_soon),
    Recipe::plain("call_later", "callbacks after a time", call_later),
    Recipe::plain("call_at", "callbacks at a time of the loop's clock", call_at),
    Recipe::plain("future", "a future, set by a callback", future),
    task!(await_future, "a future, awaited"),
    task!(done_callback, "what is called when a future is set"),
];

/// A callback is a task, and tasks start in the order of `spawn`. Where the course sleeps until they
/// have surely run, they can be awaited.
pub fn call_soon() {
    let callback = |n, kwarg| async move { println!("callback invoked with {n} and {kwarg}") };
    let ex = LocalExecutor::new();
    println!("entering event loop");
    block_on(run(&ex, async {
        println!("registering callbacks");
        bits::gather([ex.spawn(callback(1, "default")), ex.spawn(callback(2, "not default"))])
            .await;
    }));
    println!("closing event loop");
}

/// A callback that comes later is a task that sleeps first. To cancel it, drop its `Task`; to let it
/// run with nobody waiting for it, `detach()` it.
pub fn call_later() {
    let callback = |n, after| async move {
        Timer::after(Duration::from_millis(after)).await;
        println!("callback {n} invoked");
    };
    let ex = LocalExecutor::new();
    println!("entering event loop");
    block_on(run(&ex, async {
        println!("registering callbacks");
        let callbacks = [(1, 200), (2, 100), (3, 0)];
        bits::gather(callbacks.map(|(n, after)| ex.spawn(callback(n, after)))).await;
    }));
    println!("closing event loop");
}

/// `Timer::at` takes an `Instant`. That one has no number to print, only a distance to another, so
/// the loop's time is counted from its start. (Elsewhere, `now` is `Instant::now`.)
pub fn call_at() {
    let ex = LocalExecutor::new();
    println!("entering event loop");
    block_on(run(&ex, async {
        let start = now();
        let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        println!("clock time: {:.6}", clock.as_secs_f64());
        println!("loop  time: {:.9}", (now() - start).as_secs_f64());
        println!("registering callbacks");
        let callbacks = [(1, 200), (2, 100), (3, 0)].map(|(n, millis)| {
            ex.spawn(async move {
                Timer::at(start + Duration::from_millis(millis)).await;
                println!("callback {n} invoked at {:.9}", (now() - start).as_secs_f64());
            })
        });
        bits::gather(callbacks).await;
    }));
    println!("closing event loop");
}

/// asyncio's Future, a place for a result, is a `OnceCell`; a Rust `Future` is what asyncio calls an
/// awaitable. The task may borrow the cell, which lives longer than the executor.
pub fn future() {
    let all_done = OnceCell::new();
    let ex = LocalExecutor::new();
    println!("scheduling mark_done");
    ex.spawn(mark_done(&all_done)).detach();
    println!("entering event loop");
    let result = block_on(run(&ex, all_done.wait()));
    println!("returned result: '{result}'");
    println!("closing event loop");
    drop(ex);
    println!("future result: '{}'", all_done.get().expect("it was waited for"));
}

/// A second `set` would return an error, where asyncio raises InvalidStateError.
async fn mark_done(future: &OnceCell<&str>) {
    println!("setting future result to 'the result'");
    future.set("the result").await.expect("nobody else sets it");
}

/// Tasks of an executor that is passed around can borrow nothing, so they share the cell by an `Rc`,
/// a counted reference as each is in Python.
pub async fn await_future(ex: Ex) {
    let all_done = Rc::new(OnceCell::new());
    println!("scheduling mark_done");
    let future = all_done.clone();
    ex.spawn(async move { mark_done(&future).await }).detach();
    println!("returned result: '{}'", all_done.wait().await);
}

/// A callback on a future is a task that awaits it. Those that wait are woken in the order in which
/// they began.
pub async fn done_callback(ex: Ex) {
    let all_done = Rc::new(OnceCell::new());
    println!("registering callbacks on future");
    let callbacks = [1, 2].map(|n| {
        let future = all_done.clone();
        ex.spawn(async move { println!("{n}: future done: {}", future.wait().await) })
    });
    println!("setting result of future");
    all_done.set("the result").await.expect("nobody else sets it");
    bits::gather(callbacks).await;
}
