//! The command line that the three programs share: options into limits and addresses, and what
//! `-h`, `-V` and `--limits` print. No I/O.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::limits::{self, Limits};
use crate::log::Format;
use crate::pace::{self, Pace};
use crate::{chat, echo, presence, room, telnet, text as shown};

/// What one program is called and does.
#[derive(Debug)]
pub struct Program {
    /// Its name in log lines and help.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it listens on loopback without `--listen`.
    pub port: u16,
    /// Help on the options only this program has, a line each.
    pub options: &'static str,
    /// Commands to start from, a line each.
    pub examples: &'static str,
}

/// What the options say.
#[derive(Debug)]
pub struct Options {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The shared limits.
    pub limits: Limits,
    /// Form of the log.
    pub log: Format,
    /// Only warnings and errors in the log.
    pub quiet: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// To serve.
    Serve(Options),
    /// To print this and exit.
    Print(String),
}

/// Reads the command line. `own` takes the options that only one program has, and says whether
/// it knew the one it was given. `descriptors` is the limit that clients have to fit in.
///
/// # Errors
/// One line that names what is wrong and how to mend it.
pub fn parse(
    program: &Program,
    arguments: impl IntoIterator<Item = OsString>,
    descriptors: u64,
    mut own: impl FnMut(&str, &mut Parser) -> Result<bool, String>,
) -> Result<Command, String> {
    let mut parser = Parser::from_args(arguments);
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, program.port));
    let mut limits =
        Limits { max_clients: limits::clients_below(descriptors), ..Limits::default() };
    if program.name == "echo" {
        limits.send_buffer = echo::SEND_BUFFER;
    }
    let mut options = Options { listen: Vec::new(), limits, log: Format::Text, quiet: false };
    let mut print_limits = false;
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Short('h') => "help".to_owned(),
            Arg::Short('V') => "version".to_owned(),
            Arg::Long(name) => name.to_owned(),
            Arg::Short(short) => return Err(format!("unknown option -{short}")),
            Arg::Value(value) => {
                let value = value.to_string_lossy().into_owned();
                return Err(format!("unexpected '{value}'; an address goes behind --listen"));
            }
        };
        let limits = &mut options.limits;
        match name.as_str() {
            "help" => return Ok(Command::Print(help(program))),
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("smol-{} {version}\n", program.name)));
            }
            "limits" => print_limits = true,
            "listen" => {
                let value = text(&mut parser, "listen")?;
                options.listen.push(address(&value, program.port)?);
            }
            "max-clients" => {
                limits.max_clients =
                    number(&mut parser, "max-clients", 1, u32::MAX.into())? as usize;
                let needed = limits.max_clients as u64 + limits::RESERVED_DESCRIPTORS;
                if needed > descriptors {
                    let most = limits::clients_below(descriptors);
                    return Err(format!(
                        "--max-clients {} needs {needed} descriptors and the limit is {descriptors}; \
                         raise it with ulimit -n, or give at most {most}",
                        limits.max_clients
                    ));
                }
            }
            "max-per-ip" => {
                limits.max_per_ip = number(&mut parser, "max-per-ip", 0, u32::MAX.into())? as usize;
            }
            "stall" => limits.stall = seconds(&mut parser, "stall", 1, 86_400)?,
            "dead" => limits.dead = seconds(&mut parser, "dead", 2, 32_767)?,
            "log" => {
                options.log = match text(&mut parser, "log")?.as_str() {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    other => return Err(format!("--log is text or json, not '{other}'")),
                }
            }
            "quiet" => options.quiet = true,
            other if own(other, &mut parser)? => {}
            other => return Err(format!("unknown option --{other}")),
        }
    }
    let Limits { stall, dead, .. } = options.limits;
    if stall >= dead {
        let (stall, dead) = (stall.as_secs(), dead.as_secs());
        return Err(format!("--stall {stall} must be below --dead {dead}; give --dead too"));
    }
    if options.listen.is_empty() {
        options.listen.push(default);
    }
    if print_limits {
        return Ok(Command::Print(limits_table(program, &options.limits)));
    }
    Ok(Command::Serve(options))
}

/// The value of an option that takes a whole number.
///
/// # Errors
/// One line with the bounds, when it is not one between them.
pub fn number(parser: &mut Parser, name: &str, min: u64, max: u64) -> Result<u64, String> {
    let value = text(parser, name)?;
    match value.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("--{name} is a whole number from {min} to {max}, not '{value}'")),
    }
}

/// The value of an option that takes seconds.
///
/// # Errors
/// As [`number`].
pub fn seconds(parser: &mut Parser, name: &str, min: u64, max: u64) -> Result<Duration, String> {
    number(parser, name, min, max).map(Duration::from_secs)
}

/// The value of an option that takes text.
///
/// # Errors
/// One line, when it is missing or not Unicode.
pub fn text(parser: &mut Parser, name: &str) -> Result<String, String> {
    let value = parser.value().map_err(|_| format!("--{name} needs a value"))?;
    value.string().map_err(|_| format!("the value of --{name} is not valid Unicode"))
}

/// `ADDRESS:PORT`, `[IPV6]:PORT`, or an address alone, which gets the program's port. Names are
/// not resolved: that would need threads.
fn address(value: &str, port: u16) -> Result<SocketAddr, String> {
    let alone = || value.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
    value.parse().or_else(|_| alone()).map_err(|_| {
        format!(
            "--listen takes a numeric address such as 0.0.0.0:{port} or [::]:{port}, not '{value}'"
        )
    })
}

fn help(program: &Program) -> String {
    let Program { name, about, port, options, examples } = program;
    let Limits { max_per_ip, stall, dead, .. } = Limits::default();
    let (stall, dead) = (stall.as_secs(), dead.as_secs());
    format!(
        "{name}: {about}\n\n\
         Usage: {name} [OPTIONS]\n\n\
         Examples:\n{examples}\n\
         Options:\n{options}\
         \x20 --listen ADDR      address to listen on, repeatable; numeric IPv4 or IPv6 (127.0.0.1:{port})\n\
         \x20 --max-clients N    clients at once (descriptor limit minus {reserved})\n\
         \x20 --max-per-ip N     clients at once from one IPv4 address or IPv6 /64, loopback exempt;\n\
         \x20                    0 is no limit ({max_per_ip})\n\
         \x20 --stall SECONDS    drop a client that has output waiting and takes none for so long ({stall})\n\
         \x20 --dead SECONDS     find a peer that vanished without a word in this time ({dead})\n\
         \x20 --log FORM         log on standard error as text or json (text)\n\
         \x20 --quiet            log warnings and errors only\n\
         \x20 --limits           print every bound, and what that many clients can cost, and exit\n\
         \x20 -h, --help         print this and exit\n\
         \x20 -V, --version      print the version and exit\n\n\
         Signals: SIGINT and SIGTERM end it within 2 s, a second one at once;\n\
         SIGUSR1 writes one line of figures to standard error.\n",
        reserved = limits::RESERVED_DESCRIPTORS,
    )
}

/// What a client of a room can hold at most beside: a chunk not looked at yet, an unfinished
/// line, answers, and the rest of a line partly taken.
const CHAT_BUSY: usize =
    limits::CHUNK_BYTES + telnet::LINE_BYTES + room::TOLD_BYTES + room::LINE_BYTES;

/// A client's bytes in our own memory while it is idle: measured, see the README's figures.
const IDLE_BYTES: usize = 2048;

fn limits_table(program: &Program, limits: &Limits) -> String {
    let mut table = String::new();
    let mut row = |name: &str, value: String, why: &str| {
        let _infallible = writeln!(table, "{name:<26} {value:>12}  {why}");
    };
    row("clients", limits.max_clients.to_string(), "--max-clients");
    row("clients per address", limits.max_per_ip.to_string(), "--max-per-ip; 0 is no limit");
    row("stall", secs(limits.stall), "--stall: output waits and no byte is taken");
    row("dead", secs(limits.dead), "--dead: keepalive and TCP_USER_TIMEOUT");
    row("grace", secs(limits.grace), "for one who leaves to read what is left");
    row("shutdown", secs(limits::SHUTDOWN), "from the signal to the end");
    row("backlog", limits::BACKLOG.to_string(), "connections the kernel holds between accepts");
    row("send buffer", kib(limits.send_buffer), "a client, in the kernel, which doubles it");
    row("chunk", kib(limits::CHUNK_BYTES), "bytes a read or a write");
    row("turn", limits::TURN.to_string(), "accepts, or a client's lines, before others");
    row("refusals", limits::REFUSALS.to_string(), "refused clients still reading why");
    row("refusal grace", secs(limits::REFUSAL_GRACE), "for each of them");
    row("accept pause", secs(limits::ACCEPT_PAUSE), "when descriptors or memory are out");
    row("reserved descriptors", limits::RESERVED_DESCRIPTORS.to_string(), "for the server itself");
    row("log line", kib(crate::log::LINE_BYTES), "on standard error");
    let (shared, busy) = match program.name {
        "echo" => (0, limits::CHUNK_BYTES),
        "time" => (room::LINE_BYTES, CHAT_BUSY),
        _ => {
            row("rate", format!("{}/s", Pace::default().rate), "--rate: lines of one client");
            row("burst", Pace::default().burst.to_string(), "--burst: lines of one client at once");
            row(
                "rate of bytes",
                format!("{}/s", kib(pace::BYTES_PER_SECOND as usize)),
                "of one client",
            );
            row("burst of bytes", kib(pace::BURST_BYTES as usize), "of one client at once");
            row("history", chat::HISTORY.to_string(), "--history: lines for a newcomer");
            row("message of the day", kib(chat::MOTD_BYTES as usize), "--motd");
            row("name", format!("{} B", chat::NAME_BYTES), "a chosen one");
            row("time to choose it", secs(chat::ASK), "then the guest keeps the one it has");
            row("marks", shown::MARKS.to_string(), "of no width on one character");
            row("log", kib(room::LOG_BYTES), "lines for all who are behind");
            row("line", format!("{} B", telnet::LINE_BYTES), "a longer one is split");
            row("names", chat::WELCOME_NAMES.to_string(), "in the welcome line");
            let per_second = presence::SINGLE_PER_SECOND;
            row("announcements", format!("{per_second}/s"), "one by one, above: summed up");
            row(
                "announcements up to",
                presence::SINGLE_MEMBERS.to_string(),
                "members, above: summed up",
            );
            (2 * room::LOG_BYTES, CHAT_BUSY)
        }
    };
    if program.name != "echo" {
        row("line of the room", kib(room::LINE_BYTES), "at most, with its name");
        row("told", kib(room::TOLD_BYTES), "answers that wait for one client");
        row("telnet replies", telnet::REPLIES.to_string(), "free a connection, one more a line");
    }
    let clients = limits.max_clients;
    let ours = |each: usize| kib(shared.saturating_add(clients.saturating_mul(each)));
    let _infallible = write!(
        table,
        "\n{clients} clients cost, in this process: all idle {}, all at their bounds {};\n\
         in the kernel's send buffers, all stalled: {}.\n",
        ours(IDLE_BYTES),
        ours(IDLE_BYTES + busy),
        kib(clients.saturating_mul(2 * limits.send_buffer)),
    );
    table
}

fn secs(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn kib(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 10 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Program =
        Program { name: "chat", about: "", port: 8002, options: "", examples: "" };

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        let arguments = arguments.iter().map(OsString::from);
        match parse(&CHAT, arguments, 1024, |_, _| Ok(false))? {
            Command::Serve(options) => Ok(options),
            Command::Print(text) => Err(text),
        }
    }

    #[test]
    fn without_options_it_listens_on_loopback() {
        let options = parsed(&[]).expect("no option to be wrong");
        assert_eq!(options.listen, ["127.0.0.1:8002".parse().expect("an address")]);
        assert_eq!(options.limits.max_clients, 1024 - 32);
    }

    #[test]
    fn addresses_are_numeric_and_may_leave_out_the_port() {
        let listen = ["--listen", "0.0.0.0", "--listen", "::1", "--listen=[::]:80"];
        let options = parsed(&listen).expect("addresses");
        let shown: Vec<String> = options.listen.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["0.0.0.0:8002", "[::1]:8002", "[::]:80"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (arguments, said) in [
            (&["--listen", "localhost"][..], "numeric address such as 0.0.0.0:8002"),
            (&["--listen"], "--listen needs a value"),
            (&["--stall", "x"], "whole number from 1 to 86400"),
            (&["--stall", "40"], "must be below --dead 40"),
            (&["--max-clients", "0"], "from 1 to"),
            (&["--max-clients", "1000"], "needs 1032 descriptors"),
            (&["--log", "xml"], "text or json"),
            (&["--lisen", "x"], "unknown option --lisen"),
            (&["-x"], "unknown option -x"),
            (&["8002"], "behind --listen"),
        ] {
            let error = parsed(arguments).expect_err("it is wrong");
            assert!(error.contains(said), "{arguments:?}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
