//! What the time server does with a connection: it sends the time, the same line to everyone at
//! the same moment.

mod cadence;
mod options;
mod zone;

use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;

pub use options::Options;
pub(crate) use zone::local as local_zone;

use crate::connection::Connection;
use crate::driver::Timer;
use crate::figures::Reason;
use crate::input::Input;
use crate::limits::GOODBYE;
use crate::pace::{Pace, Spent};
use crate::room::{LINE_BYTES, Member, Room};
use crate::telnet::Event;
use crate::writer;
use cadence::Cadence;

/// A tick aims this much behind its boundary, so that a clock that is being slewed (at most
/// 500 ppm, adjtime(3)) does not show the second before.
const MARGIN: Duration = Duration::from_millis(1);

/// The longest sleep between two looks at the wall clock: in it a slewed clock errs by at most
/// [`MARGIN`].
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// Time between two ticks, at most: a day.
pub const LONGEST_EVERY: Duration = Duration::from_secs(86_400);

/// Formats the time, and holds the room in which everyone reads it.
#[derive(Debug)]
pub struct Clock {
    room: Room,
    zone: TimeZone,
    format: Option<String>,
    cadence: Cadence,
}

impl Clock {
    /// A clock for `zone` that ticks `every` so often, on multiples of it since midnight there;
    /// zero counts as one second, and more than [`LONGEST_EVERY`] as that. Each day counts anew
    /// from its beginning, also where `every` does not divide it. Where the clocks are set back,
    /// what is rarer than the time they repeat does not come again. `format` is strftime's, as
    /// in the C locale; without one, lines are RFC 3339.
    ///
    /// # Errors
    /// What is wrong with the format: an unknown directive, control characters, or a line that
    /// is empty or longer than [`LINE_BYTES`].
    pub fn new(zone: TimeZone, format: Option<&str>, every: Duration) -> Result<Clock, String> {
        let every = if every.is_zero() { Duration::from_secs(1) } else { every.min(LONGEST_EVERY) };
        let cadence = Cadence::new(zone.clone(), every);
        let format = format.map(str::to_owned);
        let clock = Clock { room: Room::newest_only(), zone, format, cadence };
        let sample = clock.format(Timestamp::UNIX_EPOCH)?;
        if sample.is_empty() {
            return Err("it is empty".into());
        }
        if sample.chars().any(char::is_control) {
            return Err("it gives control characters".into());
        }
        if sample.len() > LINE_BYTES - 2 {
            return Err(format!("it gives {} bytes, at most {} fit", sample.len(), LINE_BYTES - 2));
        }
        Ok(clock)
    }

    /// The room every tick is published in, for a host that listens.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The line for this moment, without its end.
    pub fn line(&self) -> String {
        self.format(Timestamp::now()).unwrap_or_default()
    }

    /// Publishes a line at each tick, for ever: the one ticker for everybody.
    pub async fn run(&self) {
        let mut last: Option<Instant> = None;
        loop {
            loop {
                let since_last = last.map(|last| last.elapsed());
                let wait = self.cadence.until_tick(Timestamp::now(), since_last) + MARGIN;
                if wait <= LONGEST_SLEEP {
                    Timer::after(wait).await;
                    break;
                }
                Timer::after((wait - LONGEST_SLEEP / 2).min(LONGEST_SLEEP)).await;
            }
            last = Some(Instant::now());
            self.room.publish(self.line());
        }
    }

    fn format(&self, now: Timestamp) -> Result<String, String> {
        let format = match &self.format {
            Some(format) => format,
            None if self.zone == TimeZone::UTC => "%Y-%m-%dT%H:%M:%SZ",
            None => "%Y-%m-%dT%H:%M:%S%:z",
        };
        // jiff writes abbreviations in capitals, and Guam's is ChST.
        let zone = self.zone.to_offset_info(now);
        let parts = format.split("%%").map(|part| part.replace("%Z", zone.abbreviation()));
        let format = parts.collect::<Vec<_>>().join("%%");
        let c_locale = Config::new().custom(PosixCustom::new());
        let now = BrokenDownTime::from(&now.to_zoned(self.zone.clone()));
        let mut line = String::new();
        match now.format_with_config(&c_locale, &format, &mut line) {
            Ok(()) => Ok(line),
            Err(error) => Err(last_cause(&error.to_string())),
        }
    }
}

/// The end of a chain of causes, which can be mended, in one line.
fn last_cause(error: &str) -> String {
    error.rsplit(": ").next().unwrap_or(error).replace(char::is_control, " ")
}

/// Sends the client the time until it goes: the line of this moment at once, then every tick's.
///
/// What the network and the client's own machine hold already still arrives; nothing is added
/// to it while it does not flow.
///
/// A FIN does not stop the ticks, since `nc host port </dev/null` sends one and reads on; a dead
/// socket does.
pub async fn handle(clock: Rc<Clock>, connection: Rc<Connection>) -> Reason {
    log::info!(peer:% = connection.peer(); "connected");
    let member = Rc::new(clock.room.join());
    member.tell(clock.line() + "\r\n");
    connection.figures().lines_out.add(1);
    let writer = connection.spawn(writer::pump(connection.clone(), member.clone()));
    let reason = match until_leave(&connection, &member).await {
        Ok(reason) | Err(reason) => reason,
    };
    if reason == Reason::GoingDown {
        member.tell(GOODBYE);
    }
    member.leave();
    connection.part(reason, writer).await
}

/// Ignores what the client sends, but for telnet's requests and its ways to leave.
async fn until_leave(connection: &Rc<Connection>, member: &Member) -> Result<Reason, Reason> {
    let mut input = Input::new(connection.clone(), Pace::default(), Spent::default());
    while let Some(event) = input.next().await? {
        match event {
            Event::Leave | Event::Interrupt => return Ok(Reason::Left),
            Event::Reply(bytes) => {
                let _too_many_unread = member.tell(bytes);
            }
            Event::Line | Event::AreYouThere => {}
        }
    }
    Err(connection.ended_or_dead().await)
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

    /// What date(1) of glibc printed with LC_ALL=C.
    #[test]
    fn directives_print_what_they_do_in_the_c_locale() {
        let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
        let sunday = "2027-01-03T06:05:09Z".parse().expect("a time");
        for (directive, printed) in [
            ("%a", "Sun"),
            ("%A", "Sunday"),
            ("%b", "Jan"),
            ("%B", "January"),
            ("%c", "Sun Jan  3 07:05:09 2027"),
            ("%C", "20"),
            ("%d", "03"),
            ("%D", "01/03/27"),
            ("%e", " 3"),
            ("%F", "2027-01-03"),
            ("%g", "26"),
            ("%G", "2026"),
            ("%h", "Jan"),
            ("%H", "07"),
            ("%I", "07"),
            ("%j", "003"),
            ("%k", " 7"),
            ("%l", " 7"),
            ("%m", "01"),
            ("%M", "05"),
            ("%p", "AM"),
            ("%P", "am"),
            ("%r", "07:05:09 AM"),
            ("%R", "07:05"),
            ("%s", "1798956309"),
            ("%S", "09"),
            ("%T", "07:05:09"),
            ("%u", "7"),
            ("%U", "01"),
            ("%V", "53"),
            ("%w", "0"),
            ("%W", "00"),
            ("%x", "01/03/27"),
            ("%X", "07:05:09"),
            ("%y", "27"),
            ("%Y", "2027"),
            ("%z", "+0100"),
            ("%Z", "CET"),
            ("%%", "%"),
            ("%%Z %%%Z", "%Z %CET"),
        ] {
            let zone = TimeZone::posix(rule).expect("a rule");
            let clock = Clock::new(zone, Some(directive), SECOND).expect("a format");
            assert_eq!(clock.format(sunday).as_deref(), Ok(printed), "{directive}");
        }
        let guam = TimeZone::posix("ChST-10").expect("a rule");
        let clock = Clock::new(guam, Some("%Z"), SECOND).expect("a format");
        assert_eq!(clock.line(), "ChST");
    }

    #[test]
    fn what_is_no_directive_is_refused_in_one_short_line() {
        for format in ["%E", "%Ey", "%OH", "%+", "%v", "%", "%\n", "%\u{1b}", "%é", "%9999999999d"]
        {
            let refused = Clock::new(TimeZone::UTC, Some(format), SECOND).expect_err(format);
            assert!(refused.len() < 80 && !refused.contains(char::is_control), "{refused}");
        }
    }

    #[test]
    fn the_default_line_is_rfc_3339_with_offset() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let clock = Clock::new(zone, None, SECOND).expect("no format to be wrong");
        assert_eq!(clock.format(Timestamp::UNIX_EPOCH).as_deref(), Ok("1970-01-01T02:00:00+02:00"));
        let utc = Clock::new(TimeZone::UTC, None, SECOND).expect("no format to be wrong");
        assert_eq!(utc.format(Timestamp::UNIX_EPOCH).as_deref(), Ok("1970-01-01T00:00:00Z"));
    }
}
