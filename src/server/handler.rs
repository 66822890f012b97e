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
