//! A host that runs a chat beside its own work, on one executor and one thread: it says into
//! the chat how long it has been up, prints what happens there, and removes who shouts.
//!
//! `cargo run --example embed`, then `telnet localhost 8002`.

use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use smol::LocalExecutor;
use smol_servers::{Chat, Event, Limits, Listener, Timer, block_on, run, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = Rc::new(LocalExecutor::new());
    let listener = Listener::bind(&["127.0.0.1:8002".parse()?], Limits::default())?;
    println!("listening on {:?}; type *** in the chat to end it", listener.addresses());
    let chat = Chat::default();
    let stop = or(report(chat.clone()), watch(chat.clone()));
    block_on(run(&executor, serve(&executor, listener, stop, chat)))?;
    Ok(())
}

/// The host's own work: here, a line into the chat every ten seconds.
async fn report(chat: Chat) {
    let started = Instant::now();
    loop {
        Timer::after(Duration::from_secs(10)).await;
        chat.say(&format!("*** this host is up for {} s", started.elapsed().as_secs()));
    }
}

/// Ready when anyone says `***`, which ends the chat.
async fn watch(chat: Chat) {
    let events = chat.events();
    while let Some(event) = events.next().await {
        println!("{event:?}");
        let Event::Said { name, text } = event else { continue };
        if text == "***" {
            return;
        }
        let shouts = text.len() > 9 && text.to_uppercase() == text;
        for guest in chat.participants().iter().filter(|it| shouts && it.name() == name) {
            chat.remove(guest, "no shouting here");
        }
    }
    pending().await
}
