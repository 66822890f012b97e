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
    while echo_once(&connection).await? {}
    Ok(())
}

/// One buffer there and back; false at the client's FIN.
async fn echo_once(connection: &Connection) -> Result<bool, CloseReason> {
    let bytes = connection.read().await?;
    let written = if bytes.is_empty() { 0 } else { connection.try_write(&bytes)? };
    if written < bytes.len() {
        // While it waits it holds only what is left.
        let rest = bytes[written..].to_vec();
        drop(bytes);
        connection.write_all(&rest).await?;
        return Ok(true);
    }
    Ok(!bytes.is_empty())
}
