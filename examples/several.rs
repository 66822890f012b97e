//! Two chats and a clock in one thread.
//!
//! `cargo run --example several`, then `telnet localhost` with port 8002, 8003 or 8001.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::try_zip;
use smol::LocalExecutor;
use smol_servers::{Chat, Clock, Limits, Listener, TimeZone, block_on, run, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = Rc::new(LocalExecutor::new());
    let limits = Limits { max_clients: 100, ..Limits::default() };
    let listen = |port: u16| Listener::bind(&[([127, 0, 0, 1], port).into()], limits.clone());
    let clock = Clock::new(TimeZone::UTC, None, Duration::from_secs(1))?;
    let stop = pending::<()>;
    let time = serve(&executor, listen(8001)?, stop(), clock);
    let red = serve(&executor, listen(8002)?, stop(), Chat::default());
    let blue = serve(&executor, listen(8003)?, stop(), Chat::default());
    block_on(run(&executor, try_zip(time, try_zip(red, blue))))?;
    Ok(())
}
