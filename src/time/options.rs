//! The time program's own options.

use std::time::Duration;

use jiff::tz::TimeZone;
use lexopt::Parser;

use super::{Clock, local_zone};
use crate::bounds::{Bounds, seconds};
use crate::cli::{self, Own};
use crate::room;

/// What the options say.
#[derive(Debug, Default)]
pub struct Options {
    utc: bool,
    format: Option<String>,
    every: Duration,
}

impl Own for Options {
    const HELP: &str = "  --utc              the time in UTC (local time)
  --format STRFTIME  form of the line (RFC 3339 with offset)
  --every SECONDS    time between two lines, on multiples of it (1)
";

    fn read(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        match name {
            "utc" => self.utc = true,
            "format" => {
                let format = cli::text(parser, name)?;
                Clock::new(TimeZone::UTC, Some(&format), Duration::ZERO).map_err(|error| {
                    format!("--format takes strftime directives such as %H:%M:%S: {error}")
                })?;
                self.format = Some(format);
            }
            "every" => self.every = cli::seconds(parser, name, 1, 86_400)?,
            _ => return Ok(false),
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
        let zone = if self.utc { TimeZone::UTC } else { local_zone() };
        Clock::new(zone, self.format.as_deref(), self.every)
    }
}
