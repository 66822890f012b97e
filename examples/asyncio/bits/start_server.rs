//! `asyncio.start_server`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use async_channel::{Sender, bounded};
use futures_lite::future::poll_once;
use smol::Task;
use smol_servers::{Handler, Limits, Listener, ServerHandle, serve};

use super::open_connection::{OpenConnection, open_connection};
use crate::recipe::Ex;

/// A server that runs beside the recipe until this is dropped.
pub struct Server {
    ex: Ex,
    handle: ServerHandle,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    stop: Sender<()>,
    serving: Task<io::Result<()>>,
}

/// Port 0 lets the system choose. Without an address, [`Server::connect`] is the only way in.
pub async fn start_server(
    ex: &Ex,
    addresses: &[SocketAddr],
    handler: impl Handler,
) -> io::Result<Server> {
    let listener = Listener::bind(addresses, Limits::default()).map_err(io::Error::other)?;
    let (handle, addresses) = (listener.handle(), listener.addresses());
    let (stop, stopped) = bounded::<()>(1);
    let executor = ex.clone();
    let mut serving =
        Box::pin(async move { serve(&executor, listener, stopped.recv(), handler).await });
    // A server takes connections from its host once it was polled.
    let _goes_on = poll_once(&mut serving).await;
    Ok(Server { ex: ex.clone(), handle, addresses, stop, serving: ex.spawn(serving) })
}

impl Server {
    /// Serves a connected `TcpStream` or `UnixStream` of the standard library.
    pub fn admit(&self, stream: impl Into<OwnedFd>) -> io::Result<()> {
        self.handle.admit(stream)
    }

    /// The client's end of a new connection. What is written to one socket of such a pair is in the
    /// other at once, which makes the recipes exact; over TCP it is on its way for a moment.
    pub async fn connect(&self) -> io::Result<OpenConnection> {
        let (near, far) = UnixStream::pair()?;
        self.admit(far)?;
        open_connection(&self.ex, near).await
    }

    /// `close` and `wait_closed`: lets the clients finish, for two seconds, and drops the handler.
    pub async fn stop(self) -> io::Result<()> {
        self.stop.close();
        self.serving.await
    }
}
