//! The chat server: what one client writes, all others read.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use smol_servers::program::{self, Args, Program};
use smol_servers::{Chat, ChatConfig};

const CHAT: Program = Program {
    name: "chat",
    port: 8002,
    kernel_buffer: 16 * 1024,
    backlog_bytes: program::BACKLOG_BYTES,
    client_bytes: program::TERMINAL_BYTES,
    help: "\
$0: what one client writes, all others read; telnet, PuTTY or nc is the client

Usage: $0 [OPTIONS]

Examples:
  $0                                   then, in two terminals: telnet localhost 8002
  $0 --listen 0.0.0.0:8002             open to the network
  $0 --listen 0.0.0.0 --max-per-ip 8

Options:
  --history N        lines of the past a newcomer reads, 0 to 1000; 0 is none (20)
  --motd FILE        UTF-8 text of at most 64 KiB that a newcomer reads (none)
  --timestamps       lines begin with HH:MM, local time (TZ's zone, or else
                     /etc/localtime's, as it is at the start)
  --ascii            show ? for whatever is not ASCII, for terminals that do not show UTF-8
  --ask-names        ask newcomers for a name
  --rate LINES       lines a second from one client, the rest waits, 0 to 1000000;
                     0 is no limit (100)
  --burst LINES      lines at once before that, 0 to 1000000; 0 is no limit (1000)
  --pause MS         milliseconds that a line may wait while the chat is busy, so that several
                     go to each guest at once, 0 to 1000; at most 0.1 for each guest; 0 is off (10)
",
};

pub(crate) fn main() -> ExitCode {
    serve(1)
}

/// Runs it, called by so many of this process's arguments.
pub(crate) fn serve(words: usize) -> ExitCode {
    program::main(&CHAT, words, Options::read, Options::chat)
}

#[derive(Default)]
struct Options {
    config: ChatConfig,
    timestamps: bool,
    motd: Option<PathBuf>,
}

impl Options {
    fn read(&mut self, args: &mut Args) -> Result<bool, String> {
        let ChatConfig { history, ascii, ask_names, rate_limit, pause, .. } = &mut self.config;
        match args.option() {
            "history" => *history = args.number(0..=1000)?,
            "motd" => self.motd = Some(args.path()?),
            "timestamps" => self.timestamps = true,
            "ascii" => *ascii = true,
            "ask-names" => *ask_names = true,
            "rate" => rate_limit.rate = args.number(0..=1_000_000)?,
            "pause" => *pause = Duration::from_millis(args.number(0..=1000)?),
            "burst" => rate_limit.burst = args.number(0..=1_000_000)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn chat(self) -> Result<Chat, String> {
        let mut config = self.config;
        config.timestamps = self.timestamps.then(program::local_zone);
        if let Some(path) = self.motd {
            let text = program::read_text(&path)
                .map_err(|error| format!("cannot use {} as --motd: {error}", path.display()))?;
            config.motd = Some(text);
        }
        Ok(Chat::new(config))
    }
}
