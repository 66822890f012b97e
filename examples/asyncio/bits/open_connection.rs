//! `asyncio.open_connection`.

use std::io;
use std::os::fd::OwnedFd;

use async_channel::bounded;
use smol_servers::{Buffer, CloseReason, Connection};

use super::start_server::{Server, start_server};
use crate::recipe::Ex;

/// One end of a connection, closed when dropped.
pub struct OpenConnection {
    connection: Connection,
    _server: Server,
}

/// Reads and writes a connected `TcpStream` or `UnixStream` of the standard library.
///
/// A program of your own needs no such thing: `smol::net::TcpStream` reads and writes by itself, in
/// smol's reactor, as the recipe "streams" shows. This is how the recipes have clients in their own
/// process, on the one thread and the paused clock. In the library's reactor connections belong to a
/// server; this one accepts nothing and has this one connection.
pub async fn open_connection(ex: &Ex, stream: impl Into<OwnedFd>) -> io::Result<OpenConnection> {
    let (sender, opened) = bounded(1);
    let hand_over = move |connection: Connection| {
        let sender = sender.clone();
        async move {
            let _received = sender.try_send(connection.clone());
            // It lasts until its owner drops it.
            Err(connection.closing().await)
        }
    };
    let server = start_server(ex, &[], hand_over).await?;
    server.admit(stream)?;
    let connection = opened.recv().await.map_err(io::Error::other)?;
    Ok(OpenConnection { connection, _server: server })
}

impl OpenConnection {
    /// What has come; nothing at the end.
    pub async fn read(&self) -> io::Result<Buffer> {
        self.connection.read().await.map_err(broken)
    }

    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write_all(bytes).await.map_err(broken)
    }
}

fn broken(reason: CloseReason) -> io::Error {
    io::Error::other(format!("the connection is over: {reason:?}"))
}
