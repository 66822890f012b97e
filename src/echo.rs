//! What the echo server does with a connection (RFC 862): it sends every byte back, and looks
//! at none.

use crate::server::connection::Connection;
use crate::server::stats::CloseReason;

/// The echo service: a [`Handler`](crate::Handler) that sends back what the client sends, until
/// its FIN.
///
/// A client that does not read is not read from either. What it costs meanwhile is at most 16 KiB,
/// and it is dropped after the [stall limit](crate::Limits::stall).
///
/// # Errors
/// Why the connection ended, where the client did not leave.
pub async fn echo(connection: Connection) -> Result<(), CloseReason> {
    loop {
        let bytes = connection.read().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        let written = connection.try_write(&bytes)?;
        // A client that does not read keeps no buffer from the others, only a copy of the rest.
        let rest = bytes[written..].to_vec();
        drop(bytes);
        if !rest.is_empty() {
            // In a box, see client.rs.
            Box::pin(connection.write_all(&rest)).await?;
        }
    }
}
