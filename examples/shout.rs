//! A fourth server: answers in capitals.
//!
//! `cargo run --example shout`, then `nc localhost 8003`.

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
    let executor = std::rc::Rc::new(smol::LocalExecutor::new());
    let listener = Listener::bind(&["127.0.0.1:8003".parse()?], Limits::default())?;
    let stop = std::future::pending::<()>();
    Ok(block_on(run(&executor, serve(&executor, listener, stop, shout)))?)
}
