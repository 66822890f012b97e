//! The programs of an asyncio course, written for smol.
//!
//! `cargo run --example asyncio` lists them by topic, `cargo run --example asyncio -- gather` runs
//! one. A file here is a topic, a function in it a recipe; [`bits`] are the pieces of asyncio that
//! smol lacks. README.md says what becomes of each name of asyncio.

// A file taken from here into a crate of its own is to be seen there.
#![allow(unreachable_pub)]

mod bits;
mod callbacks;
mod cancel;
mod coroutines;
mod events;
mod gather;
mod generators;
mod http;
mod locks;
mod pool;
mod protocol;
mod python;
mod queues;
mod recipe;
mod semaphores;
mod signals;
mod subprocess;
mod tasks;
mod threads;
mod timeouts;
mod wait;

use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use recipe::{Recipe, Run};
use smol::LocalExecutor;
use smol_servers::{block_on, now, run};

const TOPICS: &[(&str, &[Recipe])] = &[
    ("coroutines", coroutines::RECIPES),
    ("tasks", tasks::RECIPES),
    ("callbacks and futures", callbacks::RECIPES),
    ("cancel", cancel::RECIPES),
    ("timeouts", timeouts::RECIPES),
    ("gather", gather::RECIPES),
    ("wait", wait::RECIPES),
    ("locks", locks::RECIPES),
    ("events and conditions", events::RECIPES),
    ("semaphores", semaphores::RECIPES),
    ("queues", queues::RECIPES),
    ("generators", generators::RECIPES),
    ("http", http::RECIPES),
    ("pool", pool::RECIPES),
    ("sockets and protocols", protocol::RECIPES),
    ("signals", signals::RECIPES),
    ("subprocesses", subprocess::RECIPES),
    ("threads", threads::RECIPES),
];

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let mut arguments: Vec<String> =
        arguments.map(|it| it.to_string_lossy().into_owned()).collect();
    let is_paused = arguments.iter().any(|argument| argument == "--paused");
    arguments.retain(|argument| argument != "--paused");
    match arguments.as_slice() {
        [] => list(),
        // The server may be told where to listen.
        [name, rest @ ..] if rest.is_empty() || name == "http" => {
            match recipes().find(|recipe| recipe.name == name) {
                Some(recipe) if is_paused => start_paused(recipe),
                Some(recipe) => start(recipe),
                None => wrong(&format!(
                    "there is no recipe {name:?}; without a name, cargo run --example asyncio lists them"
                )),
            }
        }
        _ => wrong("one recipe at a time: cargo run --example asyncio -- NAME"),
    }
}

fn recipes() -> impl Iterator<Item = &'static Recipe> {
    TOPICS.iter().flat_map(|(_, recipes)| *recipes)
}

fn list() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for (topic, recipes) in TOPICS {
        let lines =
            recipes.iter().map(|it| format!("  {:<20}{:>6}  {}\n", it.name, it.number, it.about));
        let text = format!("{topic}\n{}", lines.collect::<String>());
        // Who closes the pipe, as `head` does, has read enough.
        if out.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a recipe and says how long it took.
fn start(recipe: &Recipe) -> ExitCode {
    let started = now();
    match recipe.run {
        // A recipe is a task among its tasks. As the future that `run` is given, it would be polled
        // ahead of those that were ready before it.
        Run::Task(future) => {
            let ex = Rc::new(LocalExecutor::new());
            block_on(run(&ex, ex.spawn(future(ex.clone()))));
        }
        Run::Plain(function) => function(),
    }
    eprintln!("took {:.3} s", (now() - started).as_secs_f64());
    ExitCode::SUCCESS
}

/// The same on a clock that stands still while any task can run, and then jumps to the next timer.
#[cfg(all(target_os = "linux", feature = "one-thread", feature = "paused-clock"))]
fn start_paused(recipe: &Recipe) -> ExitCode {
    smol_servers::block_on_paused(async { start(recipe) })
}

#[cfg(not(all(target_os = "linux", feature = "one-thread", feature = "paused-clock")))]
fn start_paused(_recipe: &Recipe) -> ExitCode {
    wrong(
        "--paused is a feature: cargo run --features paused-clock --example asyncio -- --paused NAME",
    )
}

/// Says what is wrong with the command line.
fn wrong(message: &str) -> ExitCode {
    eprintln!("asyncio: {message}");
    ExitCode::from(2)
}
