//! A host that runs a chat beside its own work, on one executor and one thread: it says into
//! the chat how long it has been up, and prints what is said there.
//!
//! `cargo run --example embed`, then `telnet localhost 8002`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::LocalExecutor;
use smol_servers::chat::{self, Chat};
use smol_servers::driver::{Timer, block_on};
use smol_servers::limits::Limits;
use smol_servers::listener::Listener;
use smol_servers::room::Room;
use smol_servers::{server, shutdown};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = Rc::new(LocalExecutor::new());
    let limits = Limits::default();
    let listener = Listener::bind(&["127.0.0.1:8002".parse()?], &limits)?;
    println!("listening on {:?}; type *** in the chat to end it", listener.addresses());
    let (trigger, stop) = shutdown::channel();
    let chat = Rc::new(Chat::default());

    executor.spawn(report(chat.room().clone())).detach();
    let listening = executor.spawn(listen(chat.room().clone(), trigger));

    let handler = move |client| chat::handle(chat.clone(), client);
    block_on(executor.run(async {
        server::serve(&executor, listener, &limits, stop, handler).await?;
        listening.await;
        Ok(())
    }))
}

/// The host's own work: here, a line into the chat every ten seconds.
async fn report(room: Room) {
    let started = Instant::now();
    loop {
        Timer::after(Duration::from_secs(10)).await;
        room.publish(format!("*** this host is up for {} s", started.elapsed().as_secs()));
    }
}

/// The host as a member of the room; `***` said by anyone ends the chat.
async fn listen(room: Room, trigger: shutdown::Trigger) {
    let member = room.join();
    while let Some(line) = member.line().await {
        let line = String::from_utf8_lossy(&line);
        print!("{line}");
        if line.trim_end().ends_with("> ***") {
            trigger.pull();
            return;
        }
    }
}
