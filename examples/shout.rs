//! A fourth server: answers in capitals.
//!
//! `cargo run --example shout`, then `nc localhost 8003`; another address may be given.

use std::rc::Rc;

use smol_servers::{CloseReason, Connection, Limits, Listener, block_on, run, serve};

async fn shout(connection: Connection) -> Result<(), CloseReason> {
    loop {
        match &*connection.read().await? {
            [] => return Ok(()),
            bytes => connection.write_all(&bytes.to_ascii_uppercase()).await?,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8003".to_owned());
    let listener = Listener::bind(&[address.parse()?], Limits::default())?;
    println!("listening on {}", listener.addresses()[0]);
    let executor = Rc::new(smol::LocalExecutor::new());
    let stop = std::future::pending::<()>();
    Ok(block_on(run(&executor, serve(&executor, listener, stop, shout)))?)
}
