//! What the time server does with a connection: it sends the time, the same line to everyone at
//! the same moment.

mod cadence;

use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::client::GOODBYE;
use crate::client::rate_limit::{RateLimit, Usage};
use crate::client::reader::Reader;
use crate::client::telnet::Event;
use crate::client::writer::pump;
use crate::driver::{Timer, elapsed, now};
use crate::moment::Moment;
use crate::moment::strftime::strftime;
use crate::room::{LINE_BYTES, Member, Room};
use crate::server::connection::Connection;
use crate::server::handler::Handler;
use crate::server::stats::CloseReason;
use crate::zone::TimeZone;
use cadence::Cadence;

/// A tick aims this much behind its boundary, so that a clock that is being slewed (at most
/// 500 ppm, adjtime(3)) does not show the second before.
const MARGIN: Duration = Duration::from_millis(1);

/// The longest sleep between two looks at the wall clock: in it a slewed clock errs by at most
/// [`MARGIN`].
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// The time service: everybody reads the time, the same line at the same moment. Clones are the
/// same clock; give one to [`serve`](crate::serve).
///
/// ```
/// use std::time::Duration;
///
/// use smol_servers::{Clock, TimeZone};
///
/// let clock = Clock::new(TimeZone::UTC, Some("%H:%M"), Duration::from_secs(60))?;
/// # Ok::<(), smol_servers::FormatError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    room: Room,
    format: String,
    cadence: Cadence,
    /// The task that ticks holds a clone.
    ticker: Rc<()>,
}

impl Clock {
    /// A clock for `zone` that ticks at each multiple of `every` since midnight there; zero counts
    /// as one second, and more than a day as a day. Each day counts anew from its beginning, also
    /// where `every` does not divide it. Where the clocks are set back, so that some time comes
    /// twice, an `every` longer than that ticks in the first one only. `format` is strftime's, as
    /// in the C locale; without one, lines are RFC 3339. It ticks while it has clients.
    ///
    /// # Errors
    /// What is wrong with the format: an unknown directive, control characters, or a line that
    /// is empty or longer than 4 KiB.
    pub fn new(
        zone: TimeZone,
        format: Option<&str>,
        every: Duration,
    ) -> Result<Clock, FormatError> {
        let offset = if zone == TimeZone::UTC { "Z" } else { "%:z" };
        let format = format.map_or_else(|| format!("%Y-%m-%dT%H:%M:%S{offset}"), str::to_owned);
        let (room, cadence, ticker) = (Room::new(0), Cadence::new(zone, every), Rc::default());
        let clock = Clock(Rc::new(Inner { room, format, cadence, ticker }));
        let sample = clock.format(Moment(0))?;
        let most = LINE_BYTES - 2;
        if sample.is_empty() {
            Err(FormatError("it is empty".into()))
        } else if sample.chars().any(char::is_control) {
            Err(FormatError("it gives control characters".into()))
        } else if sample.len() > most {
            Err(FormatError(format!("it gives {} bytes, at most {most} fit", sample.len())))
        } else {
            Ok(clock)
        }
    }

    /// Tells a client the time, as [`serve`](crate::serve) does; for a handler that does more with
    /// its connections.
    pub fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + use<> {
        tell_time(self.clone(), connection)
    }

    /// The line for this moment, without its end.
    fn line(&self) -> String {
        self.format(Moment::now()).unwrap_or_default()
    }

    /// Publishes a line at each tick while there are clients: one task for all of them.
    async fn tick(self, _ticker: Rc<()>) {
        let Clock(clock) = &self;
        let mut last: Option<Instant> = None;
        while !clock.room.is_empty() {
            let since_last = last.map(elapsed);
            let wait = clock.cadence.until_tick(Moment::now(), since_last) + MARGIN;
            if wait > LONGEST_SLEEP {
                Timer::after((wait - LONGEST_SLEEP / 2).min(LONGEST_SLEEP)).await;
                continue;
            }
            Timer::after(wait).await;
            last = Some(now());
            clock.room.publish(self.line());
        }
    }

    fn format(&self, at: Moment) -> Result<String, FormatError> {
        strftime(&self.0.format, at, &self.0.cadence.zone).map_err(FormatError)
    }
}

/// What is wrong with the format of a [`Clock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError(String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormatError {}

impl Handler for Clock {
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + 'static {
        self.handle(connection)
    }
}

/// Sends the client the time until it goes: the line of this moment at once, then every tick's.
///
/// A client that reads slowly still gets what the kernel and the network hold for it already, and
/// after that only the newest line.
///
/// A FIN does not stop the ticks, since `nc host port </dev/null` sends one and reads on; a dead
/// socket does.
async fn tell_time(clock: Clock, connection: Connection) -> Result<(), CloseReason> {
    log::info!(peer:% = connection.peer(); "connected");
    let member = clock.0.room.join();
    let ticker = &clock.0.ticker;
    if Rc::strong_count(ticker) == 1 {
        connection.spawn_detached(clock.clone().tick(ticker.clone()));
    }
    member.tell(clock.line() + "\r\n");
    connection.stats().lines_out.add(1);
    // A client that missed some is told nothing: the newest line is all that it needs.
    connection.spawn_writer(pump(connection.clone(), member.clone(), |_| String::new()));
    let result = until_leave(&connection, &member).await;
    if result == Err(CloseReason::GoingDown) {
        member.tell(GOODBYE);
    }
    member.leave();
    result
}

/// Reads until the client leaves, and answers what telnet asks; lines are ignored.
async fn until_leave(connection: &Connection, member: &Member) -> Result<(), CloseReason> {
    let mut input = Reader::new(connection.clone(), RateLimit::default(), Usage::default());
    while let Some(event) = input.next().await? {
        match event {
            Event::Leave | Event::Interrupt => return Ok(()),
            Event::Reply(bytes) => {
                let _too_many_unread = member.tell(bytes);
            }
            _ => {}
        }
    }
    // In a box, see client.rs.
    Err(Box::pin(connection.closing_or_dead()).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_format_is_checked_before_anyone_reads_it() {
        let check = |format| Clock::new(TimeZone::UTC, Some(format), SECOND).map(|_| ());
        assert_eq!(check("%H:%M"), Ok(()));
        for format in ["%!", "", "%n", "a\tb"] {
            assert!(check(format).is_err(), "{format:?}");
        }
    }

    #[test]
    fn the_default_line_is_rfc_3339_with_offset() {
        #[cfg(feature = "local-time")]
        {
            let zone = TimeZone::fixed(jiff::tz::offset(2));
            let clock = Clock::new(zone, None, SECOND).expect("no format to be wrong");
            assert_eq!(clock.format(Moment(0)).as_deref(), Ok("1970-01-01T02:00:00+02:00"));
        }
        let utc = Clock::new(TimeZone::UTC, None, SECOND).expect("no format to be wrong");
        assert_eq!(utc.format(Moment(0)).as_deref(), Ok("1970-01-01T00:00:00Z"));
    }
}
