//! Futures by themselves: no task and no executor yet.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use smol_servers::block_on;

use crate::python::delay;
use crate::recipe::Recipe;

pub const RECIPES: &[Recipe] = &[
    Recipe::plain("start", "a coroutine runs once the loop runs it", start),
    Recipe::plain("result", "what a coroutine returns", result),
    Recipe::plain("chain", "coroutines that await coroutines", chain),
    Recipe::plain("by_hand", "the same without async fn: a state machine", by_hand),
    Recipe::plain("run", "asyncio.run and sleep", run),
];

/// An async block is a future, and so is what an async fn returns. As with a coroutine, none of it
/// runs before `block_on` does that. There is no loop to make or to close.
pub fn start() {
    println!("starting coroutine");
    let coroutine = async { println!("in coroutine") };
    println!("entering event loop");
    block_on(coroutine);
    println!("closing event loop");
}

/// `block_on` returns what the future returns. An exception would be an `Err` in it.
pub fn result() {
    let coroutine = async {
        println!("in coroutine");
        "result"
    };
    println!("it returned: '{}'", block_on(coroutine));
}

/// `.await` stands behind the call, so calls can follow it. Where Python warns of a coroutine that was
/// never awaited when it runs, the compiler warns when it builds.
pub fn chain() {
    let (result1, result2) = block_on(outer());
    println!("return value: ('{result1}', '{result2}')");
}

async fn outer() -> (String, String) {
    println!("in outer");
    println!("waiting for result1");
    let result1 = phase1().await;
    println!("waiting for result2");
    let result2 = phase2(result1.clone()).await;
    (result1, result2)
}

async fn phase1() -> String {
    println!("in phase1");
    "result1".to_owned()
}

async fn phase2(argument: String) -> String {
    println!("in phase2");
    format!("result2 derived from {argument}")
}

/// Before `async def` there were generators and `yield from`; before `async fn`, types such as
/// [`Outer`]. The compiler still makes one of each async fn: a variant for each place where it waits.
pub fn by_hand() {
    let (result1, result2) = block_on(Outer::Start);
    println!("return value: ('{result1}', '{result2}')");
}

/// The same as [`outer`]. A phase is boxed only because the type of an async fn has no name.
enum Outer {
    Start,
    Phase1(Pin<Box<dyn Future<Output = String>>>),
    Phase2(String, Pin<Box<dyn Future<Output = String>>>),
}

impl Future for Outer {
    type Output = (String, String);

    /// Goes on from where it stopped, as far as it can. `ready!` returns where `yield` did.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(String, String)> {
        loop {
            *self = match &mut *self {
                Outer::Start => {
                    println!("in outer");
                    println!("waiting for result1");
                    Outer::Phase1(Box::pin(phase1()))
                }
                Outer::Phase1(phase1) => {
                    let result1 = ready!(phase1.as_mut().poll(cx));
                    println!("waiting for result2");
                    Outer::Phase2(result1.clone(), Box::pin(phase2(result1)))
                }
                Outer::Phase2(result1, phase2) => {
                    let result2 = ready!(phase2.as_mut().poll(cx));
                    return Poll::Ready((std::mem::take(result1), result2));
                }
            };
        }
    }
}

/// `block_on` is `asyncio.run`. An `.await` outside of an async function does not compile (E0728).
pub fn run() {
    let slept = block_on(delay(2));
    println!("{slept}");
}
