//! What a client does, one event after another: its connection's bytes through the telnet
//! machine. The reading side of chat and time.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::future::{or, poll_fn, yield_now};

use crate::chunk::Chunk;
use crate::connection::Connection;
use crate::driver::Timer;
use crate::figures::Reason;
use crate::limits::{INPUT_BYTES, TURN};
use crate::opening::Opening;
use crate::pace::{Pace, Spent};
use crate::telnet::{Event, Telnet};

/// The shortest time for which a client over its pace is not read. Each such pause is a timer, so
/// a thousand clients that are a little over it all the time would keep the thread busy with them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What a client has used of its pace at once counts as much from what takes so long to earn: ten
/// lines at the default pace, or six KiB.
const MUCH: Duration = Duration::from_millis(100);

/// Bytes of a line that are as much work as one event more.
const EVENT_BYTES: usize = 64;

/// A client's events. While it waits for bytes it holds none.
#[derive(Debug)]
pub struct Input {
    connection: Rc<Connection>,
    telnet: Telnet,
    opening: Opening,
    chunk: Option<Chunk>,
    /// Events since others had their turn; a long line counts for several.
    events: u8,
    /// Whether the last read was full: two screens of text at once, and maybe more.
    full: bool,
    pace: Pace,
    spent: Spent,
    /// How long the client is over its pace.
    over: Duration,
}

impl Input {
    /// Nothing is read before the first [`next`](Self::next). `spent` is what the client has used
    /// of its pace already.
    pub fn new(connection: Rc<Connection>, pace: Pace, spent: Spent) -> Input {
        Input {
            connection,
            telnet: Telnet::default(),
            opening: Opening::default(),
            chunk: None,
            events: 0,
            full: false,
            pace,
            spent,
            over: Duration::ZERO,
        }
    }

    /// The next event; `None` at the client's FIN. Others have their turn after [`TURN`] events,
    /// and one over its pace is not read for a while.
    ///
    /// # Errors
    /// Why the connection is over, as [`Connection::read`]; [`Reason::Stranger`] when its first
    /// bytes are another protocol's.
    pub async fn next(&mut self) -> Result<Option<Event>, Reason> {
        loop {
            if !self.over.is_zero() {
                let over = std::mem::take(&mut self.over);
                Box::pin(self.pause(over.max(SHORTEST_PAUSE))).await?;
            }
            if usize::from(self.events) >= TURN {
                self.events = 0;
                self.release();
                yield_now().await;
            }
            if let Some(chunk) = &mut self.chunk {
                let mut rest = &chunk[..];
                let event = self.telnet.next(&mut rest);
                let seen = chunk.len() - rest.len();
                chunk.advance(seen);
                if let Some(event) = event {
                    self.events += 1;
                    if event == Event::Line {
                        // At most 1 + LINE_BYTES / EVENT_BYTES, which is 16.
                        self.events += (self.telnet.line().len() / EVENT_BYTES) as u8;
                        self.over = self.spent.line(self.pace, Instant::now());
                    }
                    return Ok(Some(event));
                }
                self.chunk = None;
            }
            let chunk = poll_fn(|cx| self.connection.poll_read(cx, INPUT_BYTES)).await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            if self.opening.is_foreign(&chunk) {
                return Err(Reason::Stranger);
            }
            self.full = chunk.len() == INPUT_BYTES;
            self.over = self.spent.read(self.pace, chunk.len(), Instant::now());
            self.chunk = Some(chunk);
        }
    }

    /// The line of the last [`Event::Line`].
    pub fn line(&self) -> &[u8] {
        self.telnet.line()
    }

    /// Whether the client has sent a telnet command.
    pub fn is_telnet(&self) -> bool {
        self.telnet.is_telnet()
    }

    /// Whether the client says more than a person who types: faster, or more at once.
    pub(crate) fn says_much(&self) -> bool {
        self.full || self.spent.lasts(Instant::now() + MUCH)
    }

    /// What the client has used of its pace.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// The line begun and not ended.
    pub fn unfinished(&self) -> &[u8] {
        self.telnet.unfinished()
    }

    /// Reads nothing for so long; of what is read already it keeps an exact copy.
    ///
    /// # Errors
    /// Why the connection is over, if it ends meanwhile.
    pub async fn pause(&mut self, time: Duration) -> Result<(), Reason> {
        self.release();
        let resumed = async {
            Timer::after(time).await;
            if self.connection.is_broken() { Err(Reason::Lost) } else { Ok(()) }
        };
        or(async { Err(self.connection.ended().await) }, resumed).await
    }

    /// Reads nothing until others have had their turn.
    ///
    /// # Errors
    /// Why the connection is over, if it is.
    pub(crate) async fn give_way(&mut self) -> Result<(), Reason> {
        self.release();
        yield_now().await;
        self.connection.ending().map_or(Ok(()), Err)
    }

    /// Gives the buffer back to the others, for one that waits before it reads on.
    pub(crate) fn release(&mut self) {
        if let Some(chunk) = &mut self.chunk {
            chunk.release();
        }
    }
}
