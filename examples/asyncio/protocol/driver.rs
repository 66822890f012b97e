//! What asyncio does for a protocol: it calls back.

use std::mem::take;

use smol_servers::{CloseReason, Connection, Peer};

/// What becomes of a connection, by callbacks. None of them can wait.
pub trait Protocol {
    fn connection_made(&mut self, transport: &mut Transport);

    fn data_received(&mut self, data: &[u8], transport: &mut Transport);

    /// The peer writes no more. What is written now is still sent, and then the connection closed.
    fn eof_received(&mut self, transport: &mut Transport);

    /// Why it ended, unless by its peer's or by our own will.
    fn connection_lost(&mut self, reason: Option<CloseReason>);
}

/// What a protocol writes to, until its callback returns.
pub struct Transport {
    peer: Peer,
    output: Vec<u8>,
    is_closing: bool,
}

impl Transport {
    pub fn peer(&self) -> Peer {
        self.peer
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Sends what was written, and closes.
    pub fn close(&mut self) {
        self.is_closing = true;
    }
}

/// Handles a connection by a protocol.
pub async fn drive(connection: Connection, mut protocol: impl Protocol) -> Result<(), CloseReason> {
    let peer = connection.peer();
    let mut transport = Transport { peer, output: Vec::new(), is_closing: false };
    protocol.connection_made(&mut transport);
    let result = call_back(&connection, &mut protocol, &mut transport).await;
    protocol.connection_lost(result.err());
    result
}

async fn call_back(
    connection: &Connection,
    protocol: &mut impl Protocol,
    transport: &mut Transport,
) -> Result<(), CloseReason> {
    loop {
        connection.write_all(&take(&mut transport.output)).await?;
        if transport.is_closing {
            return Ok(());
        }
        let data = connection.read().await?;
        if data.is_empty() {
            protocol.eof_received(transport);
            transport.close();
        } else {
            protocol.data_received(&data, transport);
        }
    }
}
