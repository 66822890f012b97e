//! Two chats and a clock in one thread, which end together.
//!
//! `cargo run --example several`, then `telnet localhost` with port 8001, 8002 or 8003; three other
//! ports may be given. Enter ends it.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::try_zip;
use smol::LocalExecutor;
use smol_servers::{Chat, Clock, Limits, Listener, TimeZone, block_on, run, serve};

fn main() -> Result<(), Box<dyn Error>> {
    let executor = Rc::new(LocalExecutor::new());
    let clock = Clock::new(TimeZone::UTC, None, Duration::from_secs(1))?;
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let time = serve(&executor, listen(1)?, stopped.recv(), clock);
    let red = serve(&executor, listen(2)?, stopped.recv(), Chat::default());
    let blue = serve(&executor, listen(3)?, stopped.recv(), Chat::default());
    // Reading standard input blocks, so that takes a thread; a channel tells the servers.
    std::thread::spawn(move || {
        let _typed = std::io::stdin().read_line(&mut String::new());
        stop.close();
    });
    block_on(run(&executor, try_zip(time, try_zip(red, blue))))?;
    Ok(())
}

/// Binds the port given as this argument, or 8001, 8002 and 8003.
fn listen(argument: u16) -> Result<Listener, Box<dyn Error>> {
    let port = std::env::args().nth(argument.into());
    let port: u16 = port.map_or(Ok(8000 + argument), |port| port.parse())?;
    let limits = Limits { max_clients: 100, ..Limits::default() };
    let listener = Listener::bind(&[([127, 0, 0, 1], port).into()], limits)?;
    println!("listening on {}", listener.addresses()[0]);
    Ok(listener)
}
