//! Tasks: futures that run beside each other.

use std::time::Duration;

use futures_lite::future::yield_now;
use jiff::Zoned;
use smol::{LocalExecutor, Task};
use smol_servers::{Timer, block_on, run};

use crate::bits;
use crate::python::{delay, truth};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(create_task, "a task and its result"),
    Recipe::plain("ensure_future", "a function that takes a task", ensure_future),
    task!(hello, "a line each second"),
    task!(switch, "two tasks that take turns"),
    task!(two_tasks, "two tasks, the time of one"),
    task!(done, "whether a task has ended"),
];

/// `spawn` starts a task. Keep what it returns: asyncio's task runs on when its handle is lost (and
/// may be collected as garbage), smol's is cancelled. `detach()` lets it run.
pub async fn create_task(ex: Ex) {
    println!("creating task");
    let task = ex.spawn(async {
        println!("in task_func");
        "the result"
    });
    println!("waiting for {}", state(&task));
    let result = task.await;
    println!("task completed <Task finished result='{result}'>");
    println!("return value: '{result}'");
}

/// What Python prints of a task, without the name of its coroutine: a future has none.
fn state<T>(task: &Task<T>) -> &'static str {
    if task.is_finished() { "<Task finished>" } else { "<Task pending>" }
}

/// A Task is a future as any other. A function that would call ensure_future takes
/// `impl Future<Output = T>`; this one needs the task itself, to print it.
pub fn ensure_future() {
    let ex = LocalExecutor::new();
    println!("entering event loop");
    block_on(run(&ex, async {
        println!("starter: creating task");
        let task = ex.spawn(async {
            println!("wrapped");
            "result"
        });
        println!("starter: waiting for inner");
        inner(task).await;
        println!("starter: inner returned");
    }));
}

async fn inner(task: Task<&str>) {
    println!("inner: starting");
    println!("inner: waiting for {}", state(&task));
    println!("inner: task returned '{}'", task.await);
}

/// The course's runs for ever. So could this task: a loop that awaits blocks nobody, and it ends
/// with its executor.
pub async fn hello(ex: Ex) {
    let greeter = ex.spawn(async {
        for _ in 0..7 {
            println!("Hello world");
            Timer::after(Duration::from_secs(1)).await;
        }
    });
    greeter.await;
}

/// `yield_now` is `asyncio.sleep(0)`: the others have their turn first. `Timer::after` with 0 s is
/// not: it is ready at once.
pub async fn switch(ex: Ex) {
    let tasks = ["f2", "f1"].map(|name| {
        ex.spawn(async move {
            println!("start {name}");
            yield_now().await;
            println!("finish {name}");
        })
    });
    bits::gather(tasks).await;
}

/// Both run from `spawn` on: 4 s and not 6. Without `spawn` they would run one after the other, each
/// when it is awaited.
pub async fn two_tasks(ex: Ex) {
    let delay2 = ex.spawn(timed_delay("delay2", 2));
    let delay4 = ex.spawn(timed_delay("delay4", 4));
    println!("{}", delay2.await);
    println!("{}", delay4.await);
    // What main returns, which is (), and has no text in Rust.
    println!("None");
}

async fn timed_delay(name: &str, seconds: u64) -> &str {
    println!(">>> start {name}. {}", Zoned::now().strftime("%F %T.%6f"));
    Timer::after(Duration::from_secs(seconds)).await;
    println!("<<< end   {name}. {}", Zoned::now().strftime("%F %T.%6f"));
    name
}

/// `&mut task` awaits the task and leaves it to be asked afterwards. `task.await` takes it.
pub async fn done(ex: Ex) {
    let mut task = ex.spawn(delay(3));
    yield_now().await;
    println!("{}", truth(task.is_finished()));
    (&mut task).await;
    println!("{}", truth(task.is_finished()));
}
