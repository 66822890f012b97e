//! The time server: sends everyone the time once a second.

use std::future::ready;
use std::process::ExitCode;
use std::time::Duration;

use smol_servers::program::{self, Args, Program};
use smol_servers::{Clock, TimeZone};

const TIME: Program = Program {
    name: "time",
    port: 8001,
    kernel_buffer: 16 * 1024,
    backlog_bytes: 0,
    client_bytes: program::TERMINAL_BYTES,
    help: "\
$0: sends the time to every connected client, once a second

Usage: $0 [OPTIONS]

Examples:
  $0                        then: nc localhost 8001
  $0 --utc --every 60       UTC, on every full minute
  $0 --format '%A, %H:%M'   strftime directives

Options:
  --utc              the time in UTC (local time)
  --zone ZONE        the time in a zone such as Europe/Berlin, or by a POSIX rule (local time:
                     TZ's zone, or else /etc/localtime's, as it is at the start)
  --format STRFTIME  form of the line, in the C locale (RFC 3339 with offset)
  --every SECONDS    time between two lines, 1 to 86400, on multiples of it since each
                     local midnight (1)
",
};

pub(crate) fn main() -> ExitCode {
    serve(1)
}

/// Runs it, called by so many of this process's arguments.
pub(crate) fn serve(words: usize) -> ExitCode {
    program::main(&TIME, words, Options::read, |options: Options, _| {
        Ok((options.clock()?, ready(())))
    })
}

#[derive(Default)]
struct Options {
    utc: bool,
    zone: Option<TimeZone>,
    format: Option<String>,
    every: Duration,
}

impl Options {
    fn read(&mut self, args: &mut Args) -> Result<bool, String> {
        match args.option() {
            "utc" => self.utc = true,
            "zone" => self.zone = Some(program::parse_zone(&args.text()?)?),
            "format" => {
                let format = args.text()?;
                Clock::new(TimeZone::UTC, Some(&format), Duration::ZERO).map_err(|error| {
                    format!("--format takes strftime directives such as %H:%M:%S: {error}")
                })?;
                self.format = Some(format);
            }
            // Up to a day.
            "every" => self.every = Duration::from_secs(args.number(1..=86_400)?),
            _ => return Ok(false),
        }
        if self.utc && self.zone.is_some() {
            return Err("--utc is a zone; give it or --zone, not both".into());
        }
        Ok(true)
    }

    fn clock(self) -> Result<Clock, String> {
        let zone = if self.utc { Some(TimeZone::UTC) } else { self.zone };
        let zone = zone.unwrap_or_else(program::local_zone);
        Clock::new(zone, self.format.as_deref(), self.every).map_err(|error| error.to_string())
    }
}
