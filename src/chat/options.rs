//! The chat program's own options.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use lexopt::Parser;

use super::motd::{self, MOTD_BYTES};
use super::{Chat, Config, NAME_CHARACTERS, NAME_TIMEOUT, WELCOME_NAMES};
use crate::bounds::{Bounds, bytes, seconds};
use crate::cli::{self, Own};
use crate::pace::{BURST_BYTES, BYTES_PER_SECOND};
use crate::room::LOOK_BACK;
use crate::{presence, text, time};

const HISTORY_LINES: RangeInclusive<u64> = 0..=LOOK_BACK as u64;
const PACE_LINES: RangeInclusive<u64> = 0..=1_000_000;

/// What the options say.
#[derive(Debug, Default)]
pub struct Options {
    config: Config,
    timestamps: bool,
    motd: Option<PathBuf>,
}

impl Own for Options {
    fn help() -> String {
        let (history, lines) = (cli::ends(&HISTORY_LINES), cli::ends(&PACE_LINES));
        format!(
            "  --history N        lines of the past a newcomer reads, {history}; 0 is none (20)
  --motd FILE        UTF-8 text of at most 64 KiB that a newcomer reads (none)
  --timestamps       lines begin with HH:MM, local time (TZ's zone, or else
                     /etc/localtime's, as it is at the start)
  --ascii            show ? for whatever is not ASCII, for terminals that do not show UTF-8
  --ask-names        ask newcomers for a name
  --rate LINES       lines a second from one client, the rest waits, {lines};
                     0 is no limit (100)
  --burst LINES      lines at once before that, {lines}; 0 is no limit (1000)
"
        )
    }

    fn read(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        let config = &mut self.config;
        match name {
            "history" => config.history = cli::number(parser, name, HISTORY_LINES)? as usize,
            "motd" => {
                let path = parser.value().map_err(|_| "--motd needs a file".to_owned())?;
                self.motd = Some(path.into());
            }
            "timestamps" => self.timestamps = true,
            "ascii" => config.ascii = true,
            "ask-names" => config.ask_names = true,
            "rate" => config.pace.rate = cli::number(parser, name, PACE_LINES)? as u32,
            "burst" => config.pace.burst = cli::number(parser, name, PACE_LINES)? as u32,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn bounds(&self, bounds: &mut Bounds) {
        let Config { log_bytes, history, pace, .. } = &self.config;
        let rate = format!("{}/s", pace.rate);
        bounds.row("lines a second", rate, "--rate: of one client; 0 is no limit");
        bounds.row("lines at once", pace.burst, "--burst: of one client; 0 is no limit");
        let a_second = format!("{}/s", bytes(BYTES_PER_SECOND as usize));
        bounds.row("bytes a second", a_second, "of one client");
        bounds.row("bytes at once", bytes(BURST_BYTES as usize), "of one client");
        bounds.row("history", history, "--history: lines for a newcomer");
        bounds.row("message of the day", bytes(MOTD_BYTES as usize), "--motd");
        bounds.row("name", NAME_CHARACTERS, "characters of a chosen one");
        bounds.row(
            "time to choose it",
            seconds(NAME_TIMEOUT),
            "then the guest keeps the one it has",
        );
        bounds.row("names", WELCOME_NAMES, "in the welcome line");
        bounds.row("marks", text::MARKS, "of no width on one character");
        let announced = format!("{}/s", presence::SINGLE_PER_SECOND);
        bounds.row("announcements", announced, "one by one, above: summed up");
        bounds.row("announced up to", presence::SINGLE_MEMBERS, "members, above: summed up");
        bounds.row("log", bytes(*log_bytes), "lines for all who are behind");
        bounds.room();
        bounds.cost(2 * log_bytes, 0);
    }
}

impl Options {
    /// The chat as the options want it.
    ///
    /// # Errors
    /// One line, when the message of the day cannot be used.
    pub fn chat(self) -> Result<Chat, String> {
        let mut config = self.config;
        config.timestamps = self.timestamps.then(time::local_zone);
        if let Some(path) = self.motd {
            let text = motd::read(&path)
                .map_err(|error| format!("cannot use {} as --motd: {error}", path.display()))?;
            config.motd = Some(text);
        }
        Ok(Chat::new(config))
    }
}
