//! The chat server: what one client writes, all others read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use smol_servers::program::{self, Args, Engine, Executor, Program};
use smol_servers::{Chat, ChatConfig};

const CHAT: Program = Program {
    name: "chat",
    port: 8002,
    kernel_buffer: 16 * 1024,
    backlog_bytes: program::BACKLOG_BYTES,
    client_bytes: program::EDITING_BYTES,
    help: "\
$0: what one client writes, all others read; telnet, PuTTY or nc is the client

Usage: $0 [OPTIONS]

Examples:
  $0                                   then, in two terminals: telnet localhost 8002
  $0 --listen 0.0.0.0:8002             open to the network
  $0 --listen 0.0.0.0 --max-per-ip 8
  $0 --relay 127.0.0.1:6379            one room with all others that say so

Options:
  --history N        lines of the past a newcomer reads, 0 to 1000; 0 is none (20)
  --motd FILE        UTF-8 text of at most 64 KiB that a newcomer reads (none)
  --timestamps       lines begin with HH:MM, local time (TZ's zone, or else
                     /etc/localtime's, as it is at the start)
  --ascii            show ? for whatever is not ASCII, for terminals that do not show UTF-8
  --ask-names        ask newcomers for a name
  --edit             offer telnet clients a line editor as they connect, so that what others say
                     does not tear the line being typed; nc shows the offer as garbage
  --rate LINES       lines a second from one client, the rest waits, 0 to 1000000;
                     0 is no limit (100)
  --burst LINES      lines at once before that, 0 to 1000000; 0 is no limit (1000)
  --pause MS         milliseconds that a line may wait while the chat is busy, so that several
                     go to each guest at once, 0 to 1000; at most 0.1 for each guest; 0 is off (10)
  --relay ADDRESS    share the room with the chats of other servers, over Redis or Valkey at a
                     numeric IPv4 or IPv6 address, port 6379 by default, or unix:PATH; its password,
                     if it has one, is read from the environment, RELAY_PASSWORD (none)
  --relay-password FILE
                     read that password from the first line of this file, of at most 64 KiB
  --room NAME        which of its rooms is shared, a name of 1 to 64 of A-Z a-z 0-9 - and _ (lobby)
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
    engine: Option<Engine>,
    password: Option<PathBuf>,
    room: Option<String>,
}

impl Options {
    fn read(&mut self, args: &mut Args) -> Result<bool, String> {
        let ChatConfig { history, ascii, ask_names, edit, rate_limit, pause, .. } =
            &mut self.config;
        match args.option() {
            "history" => *history = args.number(0..=1000)?,
            "relay" => self.engine = Some(program::parse_engine(&args.text()?)?),
            "relay-password" => self.password = Some(args.path()?),
            "room" => {
                let room = args.text()?;
                program::check_room(&room)?;
                self.room = Some(room);
            }
            "motd" => self.motd = Some(args.path()?),
            "timestamps" => self.timestamps = true,
            "ascii" => *ascii = true,
            "ask-names" => *ask_names = true,
            "edit" => *edit = true,
            "rate" => rate_limit.rate = args.number(0..=1_000_000)?,
            "pause" => *pause = Duration::from_millis(args.number(0..=1000)?),
            "burst" => rate_limit.burst = args.number(0..=1_000_000)?,
            program::END if self.engine.is_none() => {
                let needs = |option| Err(format!("{option} needs --relay; give it too"));
                self.password.as_ref().map_or(Ok(()), |_| needs("--relay-password"))?;
                self.room.as_ref().map_or(Ok(()), |_| needs("--room"))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The chat, and what waits until the last of it is passed on.
    fn chat(self, executor: &Executor) -> Result<(Chat, impl Future<Output = ()> + use<>), String> {
        let mut config = self.config;
        config.timestamps = self.timestamps.then(program::local_zone);
        if let Some(path) = self.motd {
            config.motd = Some(read_text("motd", &path)?);
        }
        let chat = Chat::new(config);
        let mut relay = None;
        if let Some(engine) = self.engine {
            let password = self.password.map(|path| first_line("relay-password", &path));
            let room = self.room.unwrap_or_else(|| "lobby".to_owned());
            relay = Some(program::join(&chat, executor, engine, room, password.transpose()?));
        }
        let passed_on = async {
            if let Some(relay) = relay {
                relay.await;
            }
        };
        Ok((chat, passed_on))
    }
}

fn read_text(option: &str, path: &Path) -> Result<String, String> {
    program::read_text(path)
        .map_err(|error| format!("cannot use {} as --{option}: {error}", path.display()))
}

fn first_line(option: &str, path: &Path) -> Result<String, String> {
    let text = read_text(option, path)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
