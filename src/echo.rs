//! What the echo server does with a connection (RFC 862): it sends every byte back, and looks
//! at none.

use std::rc::Rc;

use crate::bounds::Bounds;
use crate::cli::Own;
use crate::connection::Connection;
use crate::figures::Reason;
use crate::limits::CHUNK_BYTES;

/// SO_SNDBUF and SO_RCVBUF of an echo server, in bytes: the client's own backpressure needs no
/// small ones, but a client that never reads must not hold the 4 MiB that Linux would let it.
pub const SEND_BUFFER: usize = 64 * 1024;

/// The echo program has no options of its own.
#[derive(Debug, Default)]
pub struct Options;

impl Own for Options {
    fn bounds(&self, bounds: &mut Bounds) {
        bounds.cost(0, CHUNK_BYTES);
    }
}

/// Echoes until the client's FIN, sends what is left, then FIN.
///
/// A client that does not read is not read from either; what it costs meanwhile is at most one
/// [`CHUNK_BYTES`], and it is dropped after the stall limit.
pub async fn handle(connection: Rc<Connection>) -> Reason {
    let reason = loop {
        match echo_once(&connection).await {
            Ok(true) => {}
            Ok(false) => break Reason::Left,
            Err(reason) => break reason,
        }
    };
    connection.part(reason, async { Ok(()) }).await
}

/// One chunk there and back; false at the client's FIN.
async fn echo_once(connection: &Connection) -> Result<bool, Reason> {
    let chunk = connection.read().await?;
    if chunk.is_empty() {
        return Ok(false);
    }
    let mut rest = &chunk[..];
    match connection.try_write(rest) {
        Ok(n) => rest = &rest[n..],
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        Err(_) => return Err(Reason::Lost),
    }
    if !rest.is_empty() {
        let rest = rest.to_vec();
        drop(chunk);
        connection.write_all(&rest).await?;
    }
    Ok(true)
}
