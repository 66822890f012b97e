//! The time program's own options.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::TimeZone;
use lexopt::Parser;

use super::{Clock, LONGEST_EVERY, zone};
use crate::bounds::{Bounds, seconds};
use crate::cli::{self, Own};
use crate::room;

const EVERY_SECONDS: RangeInclusive<u64> = 1..=LONGEST_EVERY.as_secs();

/// What the options say.
#[derive(Debug, Default)]
pub struct Options {
    utc: bool,
    zone: Option<TimeZone>,
    format: Option<String>,
    every: Duration,
}

impl Own for Options {
    fn help() -> String {
        let every = cli::ends(&EVERY_SECONDS);
        format!(
            "  --utc              the time in UTC (local time)
  --zone ZONE        the time in a zone such as Europe/Berlin, or by a POSIX rule (local time:
                     TZ's zone, or else /etc/localtime's, as it is at the start)
  --format STRFTIME  form of the line, in the C locale (RFC 3339 with offset)
  --every SECONDS    time between two lines, {every}, on multiples of it since each
                     local midnight (1)
"
        )
    }

    fn read(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        match name {
            "utc" => self.utc = true,
            "zone" => {
                let text = cli::text(parser, name)?;
                let zone = zone::parse(&text).ok_or_else(|| {
                    format!("--zone takes {}, not '{}'", zone::EXPECTED, text.escape_debug())
                })?;
                self.zone = Some(zone);
            }
            "format" => {
                let format = cli::text(parser, name)?;
                Clock::new(TimeZone::UTC, Some(&format), Duration::ZERO).map_err(|error| {
                    format!("--format takes strftime directives such as %H:%M:%S: {error}")
                })?;
                self.format = Some(format);
            }
            "every" => self.every = cli::seconds(parser, name, EVERY_SECONDS)?,
            _ => return Ok(false),
        }
        if self.utc && self.zone.is_some() {
            return Err("--utc is a zone; give it or --zone, not both".into());
        }
        Ok(true)
    }

    fn bounds(&self, bounds: &mut Bounds) {
        let every = if self.every.is_zero() { Duration::from_secs(1) } else { self.every };
        bounds.row("every", seconds(every), "--every: time between two lines");
        bounds.room();
        bounds.cost(room::LINE_BYTES, 0);
    }
}

impl Options {
    /// The clock as the options want it.
    ///
    /// # Errors
    /// One line, when the format cannot be used after all.
    pub fn clock(self) -> Result<Clock, String> {
        let zone = if self.utc { Some(TimeZone::UTC) } else { self.zone };
        let zone = zone.unwrap_or_else(zone::local);
        Clock::new(zone, self.format.as_deref(), self.every)
    }
}
