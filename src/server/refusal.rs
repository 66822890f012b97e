//! Clients that cannot come in: each reads one line that says why, then FIN.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::future::{or, yield_now};

use super::limits::{REFUSAL_GRACE, REFUSALS, REPEAT_PAUSE};
use super::shared::Shared;
use super::stats::{CloseReason, Stats};
use super::stream::Stream;
use crate::driver::{Async, Timer, elapsed, now};

/// Those that are still reading why, and the log that speaks of them now and then.
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    log: LogThrottle,
}

impl Refusals {
    pub(super) fn new() -> Refusals {
        Refusals { places: Arc::new(Semaphore::new(REFUSALS)), log: LogThrottle::default() }
    }

    /// Tells a client why it cannot come in, then FIN. MUST NOT wait.
    pub(super) fn tell(&self, stats: &Stats, mut stream: &Stream, why: &str) {
        let refused = stats.closed(CloseReason::Full);
        refused.add(1);
        if self.log.is_due() {
            log::warn!(refused = refused.get(); "refusing clients: {why}");
        }
        let line = format!("*** {why}\r\n");
        // A new socket's send buffer is empty, so this cannot block.
        let _best_effort = stream.write(line.as_bytes());
        let _best_effort = stream.shutdown_write();
        // What it has said already would make a close at once a RST, which takes the line from it.
        let _best_effort = stream.read(&mut [0; 512]);
    }

    /// Keeps a refused client's socket open while it reads why, for [`REFUSAL_GRACE`] and
    /// while fewer than [`REFUSALS`] others do.
    pub(super) fn linger(&self, shared: &Shared, stream: Stream) {
        if let Some(place) = self.places.try_acquire_arc() {
            if let Some(task) = shared.spawn(let_read(stream, place)) {
                task.detach();
            }
        }
    }
}

/// Reads and discards until the refused client has closed, so that no RST takes the line from it.
async fn let_read(stream: Stream, _place: SemaphoreGuardArc) {
    let Ok(socket) = Async::new(stream) else { return };
    let closed = async {
        let mut discarded = [0; 512];
        loop {
            let ready = poll_fn(|cx| socket.poll_readable(cx)).await;
            match ready.and_then(|()| socket.read(&mut discarded)) {
                Ok(0) => return,
                Ok(_) => yield_now().await,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    or(closed, async {
        Timer::after(REFUSAL_GRACE).await;
    })
    .await;
}

/// Lets one log line through in each [`REPEAT_PAUSE`].
#[derive(Default)]
pub(super) struct LogThrottle(Cell<Option<Instant>>);

impl LogThrottle {
    pub(super) fn is_due(&self) -> bool {
        let due = self.0.get().is_none_or(|last| elapsed(last) >= REPEAT_PAUSE);
        if due {
            self.0.set(Some(now()));
        }
        due
    }
}
