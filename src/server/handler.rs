//! What a server does with a connection.

use std::future::Future;

use super::connection::Connection;
use super::stats::CloseReason;

/// What a server does with each connection: implemented by [`Chat`](crate::Chat),
/// [`Clock`](crate::Clock), and every function from a [`Connection`] to a future, such as
/// [`echo()`](crate::echo()).
///
/// When the future is ready, the server closes the connection: `Ok` is a client that
/// [left](CloseReason::Left), `Err` says why it ends otherwise. A future that panics closes its own
/// connection only, as long as panics unwind.
///
/// The future outlives the call, so that it may not borrow the handler. A closure clones what each
/// client's future is to have:
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use smol_servers::Connection;
///
/// let clients = Rc::new(Cell::new(0));
/// let handler = move |connection: Connection| {
///     clients.set(clients.get() + 1);
///     let clients = clients.clone();
///     async move {
///         let line = format!("{} so far\r\n", clients.get());
///         connection.write_all(line.as_bytes()).await
///     }
/// };
/// # fn is_handler(_: impl smol_servers::Handler) {}
/// # is_handler(handler);
/// ```
///
/// Without a state of its own it may be a plain function:
///
/// ```
/// use smol_servers::{CloseReason, Connection};
///
/// async fn shout(connection: Connection) -> Result<(), CloseReason> {
///     loop {
///         let bytes = connection.read().await?;
///         if bytes.is_empty() {
///             return Ok(());
///         }
///         connection.write_all(&bytes.to_ascii_uppercase()).await?;
///     }
/// }
/// ```
pub trait Handler: 'static {
    /// Serves one client until it leaves or must go. Only polled on the thread of the server.
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + 'static;
}

impl<H, F> Handler for H
where
    H: Fn(Connection) -> F + 'static,
    F: Future<Output = Result<(), CloseReason>> + 'static,
{
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + 'static {
        self(connection)
    }
}
