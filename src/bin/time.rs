//! The time server: sends everyone the time once a second.

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use smol_servers::program::{self, Args, Memory, Program, ServerOptions, ends, zone};
use smol_servers::{Clock, TimeZone};

const TIME: Program = Program {
    name: "time",
    about: "sends the time to every connected client, once a second",
    port: 8001,
    kernel_buffer: 16 * 1024,
    examples: &[
        ("", "then: nc localhost 8001"),
        ("--utc --every 60", "UTC, on every full minute"),
        ("--format '%A, %H:%M'", "strftime directives"),
    ],
};

fn main() -> ExitCode {
    program::main(&TIME, Options::clock)
}

/// Up to a day.
const EVERY_SECONDS: RangeInclusive<u64> = 1..=86_400;

#[derive(Default)]
struct Options {
    utc: bool,
    zone: Option<TimeZone>,
    format: Option<String>,
    every: Duration,
}

impl ServerOptions for Options {
    fn help() -> String {
        let every = ends(&EVERY_SECONDS);
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

    fn read(&mut self, name: &str, args: &mut Args) -> Result<bool, String> {
        match name {
            "utc" => self.utc = true,
            "zone" => {
                let zone = zone::parse(&args.text(name)?)?;
                self.zone = Some(zone);
            }
            "format" => {
                let format = args.text(name)?;
                Clock::new(TimeZone::UTC, Some(&format), Duration::ZERO).map_err(|error| {
                    format!("--format takes strftime directives such as %H:%M:%S: {error}")
                })?;
                self.format = Some(format);
            }
            "every" => self.every = args.seconds(name, EVERY_SECONDS)?,
            _ => return Ok(false),
        }
        if self.utc && self.zone.is_some() {
            return Err("--utc is a zone; give it or --zone, not both".into());
        }
        Ok(true)
    }

    fn memory(&self) -> Memory {
        Memory::of_room(0)
    }
}

impl Options {
    fn clock(self) -> Result<Clock, String> {
        let zone = if self.utc { Some(TimeZone::UTC) } else { self.zone };
        let zone = zone.unwrap_or_else(zone::local);
        Clock::new(zone, self.format.as_deref(), self.every).map_err(|error| error.to_string())
    }
}
