//! The programs of an asyncio course, written for smol.
//!
//! `cargo run --example asyncio` lists them by topic, `cargo run --example asyncio -- gather` runs
//! one. A file here is a topic, a function in it a recipe; [`bits`] are the pieces of asyncio that
//! smol lacks. README.md says what becomes of each name of asyncio.

// Items are `pub` so that a file can be copied into another crate.
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

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use recipe::{Recipe, Run};
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::register_conditional_default;
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
    // A reader that closes the pipe, as `head` does, ends the program; otherwise println would panic.
    let always = Arc::new(AtomicBool::new(true));
    register_conditional_default(SIGPIPE, always).expect("SIGPIPE can be handled");
    let arguments = std::env::args_os().skip(1);
    let mut arguments: Vec<String> =
        arguments.map(|it| it.to_string_lossy().into_owned()).collect();
    let is_paused = arguments.iter().any(|argument| argument == "--paused");
    arguments.retain(|argument| argument != "--paused");
    match arguments.as_slice() {
        [] => list(),
        [name] => start_named(name, is_paused),
        [name, _address] if name == "http" => start_named(name, is_paused),
        [name, ..] if name == "http" => wrong("http takes one address at most"),
        _ => wrong("one recipe at a time: cargo run --example asyncio -- NAME"),
    }
}

fn recipes() -> impl Iterator<Item = &'static Recipe> {
    TOPICS.iter().flat_map(|(_, recipes)| *recipes)
}

fn list() -> ExitCode {
    for (topic, recipes) in TOPICS {
        println!("{topic}");
        for recipe in *recipes {
            println!("  {:<20}{}", recipe.name, recipe.about);
        }
    }
    ExitCode::SUCCESS
}

fn start_named(name: &str, is_paused: bool) -> ExitCode {
    match recipes().find(|recipe| recipe.name == name) {
        Some(recipe) if is_paused && recipe.is_real_time => {
            wrong(&format!("{name} waits for what no clock can pause; start it without --paused"))
        }
        Some(recipe) if is_paused => start_paused(recipe),
        Some(recipe) => start(recipe),
        None => wrong(&format!(
            "there is no recipe {name:?}; without a name, cargo run --example asyncio lists them"
        )),
    }
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
