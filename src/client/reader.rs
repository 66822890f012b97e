//! What a client does, one event after another: its connection's bytes through the telnet
//! machine. The reading side of chat and time.

use std::time::{Duration, Instant};

use futures_lite::future::{or, poll_fn, yield_now};

use super::rate_limit::{RateLimit, Usage};
use super::sniffer::Sniffer;
use super::telnet::{Event, Telnet};
use crate::driver::Timer;
use crate::server::Buffer;
use crate::server::connection::Connection;
use crate::server::limits::BUDGET;
use crate::server::stats::CloseReason;

/// Bytes that one read asks for. Those not looked at yet a client holds while it is over its rate:
/// as few as make no more reads of ordinary talk.
pub(super) const INPUT_BYTES: usize = 4 * 1024;

/// The shortest time for which a client over its rate_limit is not read. Each such pause is a timer, so
/// a thousand clients that are a little over it all the time would keep the thread busy with them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What a client has used of its rate_limit at once counts as much from what takes so long to earn: ten
/// lines at the default rate_limit, or six KiB.
const MUCH: Duration = Duration::from_millis(100);

/// Bytes of a line that are as much work as one event more.
const EVENT_BYTES: usize = 64;

/// A client's events. While it waits for bytes it holds none.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Connection,
    telnet: Telnet,
    sniffer: Sniffer,
    buffer: Option<Buffer>,
    /// Events since others had their turn; a long line counts for several.
    events: u8,
    /// Whether the last read was full: two screens of text at once, and maybe more.
    full: bool,
    rate_limit: RateLimit,
    usage: Usage,
    /// How long the client is over its rate_limit.
    over: Duration,
}

impl Reader {
    /// Nothing is read before the first [`next`](Self::next). `usage` is what the client has used
    /// of its rate_limit already.
    pub(crate) fn new(connection: Connection, rate_limit: RateLimit, usage: Usage) -> Reader {
        Reader {
            connection,
            telnet: Telnet::default(),
            sniffer: Sniffer::default(),
            buffer: None,
            events: 0,
            full: false,
            rate_limit,
            usage,
            over: Duration::ZERO,
        }
    }

    /// The next event; `None` at the client's FIN. Others have their turn after [`BUDGET`] events,
    /// and one over its rate_limit is not read for a while.
    ///
    /// # Errors
    /// Why the connection is over, as [`Connection::read`]; [`CloseReason::WrongProtocol`] when its first
    /// bytes are another protocol's.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, CloseReason> {
        loop {
            if !self.over.is_zero() {
                let over = std::mem::take(&mut self.over);
                Box::pin(self.pause(over.max(SHORTEST_PAUSE))).await?;
            }
            if usize::from(self.events) >= BUDGET {
                self.events = 0;
                self.release();
                yield_now().await;
            }
            if let Some(buffer) = &mut self.buffer {
                let mut rest = &buffer[..];
                let event = self.telnet.next(&mut rest);
                let seen = buffer.len() - rest.len();
                buffer.advance(seen);
                if let Some(event) = event {
                    self.events += 1;
                    if event == Event::Line {
                        // At most 1 + LINE_BYTES / EVENT_BYTES, which is 16.
                        self.events += (self.telnet.line().len() / EVENT_BYTES) as u8;
                        self.over = self.usage.line(self.rate_limit, Instant::now());
                    }
                    return Ok(Some(event));
                }
                self.buffer = None;
            }
            let buffer = poll_fn(|cx| self.connection.poll_read(cx, INPUT_BYTES)).await?;
            if buffer.is_empty() {
                return Ok(None);
            }
            if self.sniffer.is_foreign(&buffer) {
                return Err(CloseReason::WrongProtocol);
            }
            self.full = buffer.len() == INPUT_BYTES;
            self.over = self.usage.read(self.rate_limit, buffer.len(), Instant::now());
            self.buffer = Some(buffer);
        }
    }

    /// The line of the last [`Event::Line`].
    pub(crate) fn line(&self) -> &[u8] {
        self.telnet.line()
    }

    /// Whether the client has sent a telnet command.
    pub(crate) fn is_telnet(&self) -> bool {
        self.telnet.is_telnet()
    }

    /// Whether the client says more than a person who types: faster, or more at once.
    pub(crate) fn says_much(&self) -> bool {
        self.full || self.usage.is_remembered(Instant::now() + MUCH)
    }

    /// What the client has used of its rate_limit.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// The line begun and not ended.
    pub(crate) fn unfinished(&self) -> &[u8] {
        self.telnet.unfinished()
    }

    /// Reads nothing for so long; of what is read already it keeps an exact copy.
    ///
    /// # Errors
    /// Why the connection is over, if it ends meanwhile.
    pub(crate) async fn pause(&mut self, time: Duration) -> Result<(), CloseReason> {
        self.release();
        let resumed = async {
            Timer::after(time).await;
            if self.connection.is_broken() { Err(CloseReason::Lost) } else { Ok(()) }
        };
        or(async { Err(self.connection.closing().await) }, resumed).await
    }

    /// Gives the buffer back to the others, for one that waits before it reads on.
    pub(crate) fn release(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            buffer.release();
        }
    }
}
