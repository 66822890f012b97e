//! The chat program's own options.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use lexopt::Parser;

use super::{Chat, Config};
use crate::{cli, time};

/// Bytes of a message of the day, at most.
pub const MOTD_BYTES: u64 = 64 * 1024;

/// What the options say.
#[derive(Debug, Default)]
pub struct Options {
    config: Config,
    timestamps: bool,
    motd: Option<PathBuf>,
}

impl Options {
    /// Help on the options.
    pub const HELP: &str = "  --history N        lines of the past a newcomer reads, 0 is none (20)
  --motd FILE        text of at most 64 KiB that a newcomer reads (none)
  --timestamps       lines that people say begin with HH:MM, local time
  --ask-names        ask newcomers for a name
  --rate LINES       lines a second from one client, the rest waits; 0 is no limit (100)
  --burst LINES      lines at once before that; 0 is no limit (1000)
";

    /// Reads the value of an option that is the chat's own; false when it is not.
    ///
    /// # Errors
    /// One line, when the value is wrong.
    pub fn read(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        let config = &mut self.config;
        match name {
            "history" => config.history = cli::number(parser, name, 0, 1000)? as usize,
            "motd" => {
                let path = parser.value().map_err(|_| "--motd needs a file".to_owned())?;
                self.motd = Some(path.into());
            }
            "timestamps" => self.timestamps = true,
            "ask-names" => config.ask_names = true,
            "rate" => config.pace.rate = cli::number(parser, name, 0, 1_000_000)? as u32,
            "burst" => config.pace.burst = cli::number(parser, name, 0, 1_000_000)? as u32,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The chat as the options want it.
    ///
    /// # Errors
    /// One line, when the message of the day cannot be read or is too large.
    pub fn chat(self) -> Result<Chat, String> {
        let mut config = self.config;
        config.timestamps = self.timestamps.then(time::local_zone);
        if let Some(path) = self.motd {
            let text = read_motd(&path)
                .map_err(|error| format!("cannot use {} as --motd: {error}", path.display()))?;
            config.motd = Some(text.into_bytes().into());
        }
        Ok(Chat::new(config))
    }
}

/// The file's text in lines that end in CR LF. Its escape sequences stay: they are the owner's.
fn read_motd(path: &PathBuf) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MOTD_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOTD_BYTES {
        return Err(format!("it is larger than {} KiB", MOTD_BYTES / 1024));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().flat_map(|line| [line, "\r\n"]).collect())
}
