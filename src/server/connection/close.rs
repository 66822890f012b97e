//! How a connection ends: politely where its client is still there, and recorded in one log line.

use std::future::poll_fn;
use std::time::Duration;

use futures_lite::future::or;
use rustix::net::{getpeername, sockopt};

use super::{Connection, Inner};
use crate::driver::Timer;
use crate::server::limits::BUFFER_BYTES;
use crate::server::stats::CloseReason;

/// The grace period is waited for in this many parts. If the whole process is stopped for a while,
/// that uses up at most one part, not the whole period.
const GRACE_PARTS: u32 = 8;

impl Connection {
    /// Ends the connection after its handler, and returns the reason. If the client is still there,
    /// the rest of its writer's output is sent, then FIN, and the client's FIN is awaited, all
    /// within [`grace`](crate::Limits::grace). What the kernel still holds after that, the client
    /// may take as slowly as any other.
    pub(in crate::server) async fn close(&self, handled: Result<(), CloseReason>) -> CloseReason {
        let reason = handled.err().unwrap_or(CloseReason::Left);
        if !reason.is_abrupt() {
            Box::pin(self.half_close()).await;
        }
        reason
    }

    /// Writes the one log line of an ended connection. Where the peer takes nothing any more, the
    /// kernel is told to drop what it still holds for it.
    pub(in crate::server) fn record(&self, reason: CloseReason) {
        if reason.is_abrupt() {
            self.abort_on_close();
        }
        // It holds this connection.
        drop(self.0.writer.take());
        self.stats().closed(reason).add(1);
        let traffic = self.traffic();
        log::info!(
            peer:% = self.peer(),
            name = self.name(),
            reason = reason.as_str(),
            seconds = (traffic.connected_for.as_secs_f64() * 10.0).round() / 10.0,
            bytes_in = traffic.bytes_in,
            bytes_out = traffic.bytes_out,
            missed = traffic.missed;
            "closed"
        );
    }

    /// Has the kernel drop what the peer has not taken.
    fn abort_on_close(&self) {
        let _best_effort = sockopt::set_socket_linger(&self.0.socket, Some(Duration::ZERO));
    }

    /// Sends FIN, and reads on until the client's: closing with its bytes unread would send a
    /// RST, which takes the last lines from the client (RFC 2525 2.17).
    async fn half_close(&self) {
        let Inner { socket, shared, writer, input_over, .. } = &*self.0;
        let writer = writer.take();
        let farewell = async {
            if let Some(writer) = writer {
                writer.await?;
            }
            socket.get_ref().shutdown_write().map_err(|_| CloseReason::Lost)?;
            while !input_over.get() {
                poll_fn(|cx| self.poll_buffer(cx, BUFFER_BYTES)).await?;
            }
            Ok(())
        };
        let late = async {
            for _ in 0..GRACE_PARTS {
                Timer::after(shared.limits.grace / GRACE_PARTS).await;
            }
            Err(CloseReason::Stalled)
        };
        match or(farewell, late).await {
            Ok(()) => self.until_taken().await,
            Err(_) => self.abort_on_close(),
        }
    }

    /// Waits until the client's machine has acknowledged everything, however slowly. The socket
    /// stays open for that: once it was closed, nobody would notice a stuck client, and what the
    /// kernel still held for it would count as nobody's. What was written to a unix socket is with
    /// the peer already.
    async fn until_taken(&self) {
        let mut pause = Duration::from_millis(5);
        // A connection that is closed on both sides has no peer.
        let tells = cfg!(target_os = "linux") && self.peer().ip().is_some();
        while tells && getpeername(&self.0.socket).is_ok() {
            let waited = async {
                Timer::after(pause).await;
                None
            };
            match or(async { Some(self.closing().await) }, waited).await {
                None => pause = (2 * pause).min(Duration::from_secs(1)),
                Some(CloseReason::GoingDown) => return,
                Some(_) => return self.abort_on_close(),
            }
        }
    }
}
