//! Generators: those that give values and those that take them.

use std::pin::pin;

use async_channel::{Receiver, bounded};
use futures_lite::StreamExt;
use futures_lite::stream::unfold;
use smol::LocalExecutor;

use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(fib, "a generator of numbers"),
    Recipe::plain("grep", "a generator that is sent lines", grep),
];

/// An async generator is a `Stream`, and `unfold` makes one of a state and a function. `async
/// for` is `while let` with `next`. Where nothing is awaited, as here, an `Iterator` will do:
/// `std::iter::successors`.
pub async fn fib(_ex: Ex) {
    let mut numbers = pin!(unfold((0, 1), |(a, b)| async move { Some((a, (b, a + b))) }));
    while let Some(number) = numbers.next().await {
        println!("{number}");
        if number > 50 {
            break;
        }
    }
}

/// A generator that is sent values is a task that owns the receiving end of a channel; `try_tick`
/// runs it to its next `recv`, as `send` does in Python, and needs no event loop. To `close()` it
/// is to drop the sender.
pub fn grep() {
    let ex = LocalExecutor::new();
    let (sender, lines) = bounded(1);
    ex.spawn(search("coroutine", lines)).detach();
    ex.try_tick();
    for line in ["I love you", "Don't you love me?", "I love coroutines instead!"] {
        sender.try_send(line).expect("it has read the line before");
        ex.try_tick();
    }
    drop(sender);
    ex.try_tick();
}

async fn search(pattern: &str, lines: Receiver<&str>) {
    println!("Searching for {pattern}");
    while let Ok(line) = lines.recv().await {
        if line.contains(pattern) {
            println!("{line}");
        }
    }
}
