//! The options that all programs have: what `-h` says of them, and what they set. No I/O.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::args::{Args, END};
use super::log::Format;
use super::{Program, address};
use crate::server::limits::{Limits, RESERVED_DESCRIPTORS, clients_below};

const MIB: usize = 1024 * 1024;

const NO_ZONES: &str = "
This program was built without local-time: all times are UTC.
";

const NO_RELAY: &str = "
This program was built without relay: --relay, --relay-password and --room are refused.
";

/// What the options set.
#[derive(Debug)]
pub(super) struct Options {
    /// True with `--listen`.
    pub(super) says_where: bool,
    /// Addresses to listen on.
    pub(super) listen: Vec<SocketAddr>,
    /// Unix sockets to listen on.
    pub(super) paths: Vec<PathBuf>,
    /// Whether other servers may listen on the same ports.
    pub(super) share_port: bool,
    /// The shared limits.
    pub(super) limits: Limits,
    /// Form of the log.
    pub(super) log: Format,
    /// Only warnings and errors in the log.
    pub(super) quiet: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub(super) enum Command {
    /// To serve.
    Serve(Options),
    /// To print this and exit.
    Print(String),
}

/// Reads the command line of a program, without the name that it is `called` by. An option that
/// only this program has goes to `own`, which returns false when there is none of that name.
/// `descriptors` is the limit that the clients have to fit in, and `passed` says whether a service
/// manager passes sockets to listen on.
///
/// # Errors
/// One line that names what is wrong and how to mend it.
pub(super) fn parse(
    program: &Program,
    called: &str,
    arguments: impl IntoIterator<Item = OsString>,
    descriptors: u64,
    passed: bool,
    mut own: impl FnMut(&mut Args) -> Result<bool, String>,
) -> Result<Command, String> {
    let mut args = Args { parser: Parser::from_args(arguments), option: String::new() };
    let max_clients = clients_below(descriptors);
    let (send_buffer, receive_buffer) = (program.kernel_buffer, program.kernel_buffer);
    let limits = Limits { max_clients, send_buffer, receive_buffer, ..Limits::default() };
    let mut options = Options {
        says_where: false,
        listen: Vec::new(),
        paths: Vec::new(),
        share_port: false,
        limits,
        log: Format::Text,
        quiet: false,
    };
    let mut is_end = false;
    while !is_end {
        let argument = args.parser.next().map_err(|error| error.to_string())?;
        is_end = argument.is_none();
        match argument.unwrap_or(Arg::Long(END)) {
            Arg::Short('h') | Arg::Long("help") => {
                return Ok(Command::Print(help(program, called, max_clients)));
            }
            Arg::Short('V') | Arg::Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("smol-{} {version}\n", program.name)));
            }
            Arg::Long(name) => args.option = name.to_owned(),
            Arg::Short(short) => return Err(format!("unknown option -{short}")),
            Arg::Value(value) => {
                let value = value.to_string_lossy();
                return Err(format!("unexpected '{value}'; an address goes behind --listen"));
            }
        }
        if !options.read(&mut args, program.port)? && !own(&mut args)? && !is_end {
            return Err(format!("unknown option --{}", args.option));
        }
    }
    options.says_where = !options.listen.is_empty() || !options.paths.is_empty();
    options.check(descriptors, passed)?;
    if !options.says_where && !passed {
        options.listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, program.port)));
    }
    Ok(Command::Serve(options))
}

/// The help of a program under the name it is called by, where at most so many clients fit. The
/// bounds in it are those that the options are read with; `tests/it/cli.rs` tries each.
fn help(program: &Program, called: &str, clients: usize) -> String {
    let own = program.help.replace("$0", called);
    let port = program.port;
    let Limits { max_per_ip, stall, dead, .. } = Limits::default();
    let (stall, dead) = (stall.as_secs(), dead.as_secs());
    let memory = program.memory_of(clients).div_ceil(MIB);
    // A buffer for sending and one for receiving, and Linux doubles both.
    let kernel = clients.saturating_mul(4 * program.kernel_buffer).div_ceil(MIB);
    let zones = if cfg!(feature = "local-time") { "" } else { NO_ZONES };
    let has_relay = cfg!(feature = "relay") || program.name != "chat";
    let relay = if has_relay { "" } else { NO_RELAY };
    format!(
        "{own}  --listen ADDR      address to listen on, repeatable: numeric IPv4 or IPv6, or unix:PATH, a socket
                     for this program's user and group (127.0.0.1:{port})
  --share-port       let other servers listen on the same port, if they are started with this
                     too and by the same user; Linux spreads the clients over them
  --max-clients N    clients at once, 1 to {clients}, the descriptor limit minus {RESERVED_DESCRIPTORS} ({clients})
  --max-per-ip N     clients at once from one IPv4 address or IPv6 /64, loopback and
                     unix sockets exempt, 0 to 4294967295; 0 is no limit ({max_per_ip})
  --stall SECONDS    drop a client that has output waiting and takes none for so long,
                     1 to 86400, below --dead ({stall})
  --dead SECONDS     find a peer that vanished without a word in this time, 2 to 32767 ({dead})
  --log FORM         log on standard error as text or json (text)
  --quiet            log warnings and errors only
  -h, --help         print this and exit
  -V, --version      print the version and exit

Signals: SIGINT, SIGTERM and SIGHUP (the terminal is closed) end it within 2 s, a second
SIGINT or SIGTERM at once; nohup keeps SIGHUP from it.
SIGUSR1 writes one line of stats to standard error.

Without --listen it listens on the sockets that systemd passes, if any (LISTEN_FDS, on Linux).
It tells systemd when it is ready, how many clients it has, and that it is alive (NOTIFY_SOCKET).
{zones}{relay}
{clients} clients cost at most {memory} MiB in this process and {kernel} MiB in the kernel's buffers.
"
    )
}

impl Options {
    /// Sets what an option says; false when it is none that all programs have.
    fn read(&mut self, args: &mut Args, port: u16) -> Result<bool, String> {
        let limits = &mut self.limits;
        match args.option() {
            "listen" => {
                let value = args.text()?;
                match value.strip_prefix("unix:") {
                    Some(path) => self.paths.push(address::read_path(path)?),
                    None => self.listen.push(address::read(&value, port)?),
                }
            }
            "share-port" => self.share_port = true,
            "max-clients" => limits.max_clients = args.number(1..=u32::MAX as usize)?,
            "max-per-ip" => limits.max_per_ip = args.number(0..=u32::MAX as usize)?,
            // A day.
            "stall" => limits.stall = Duration::from_secs(args.number(1..=86_400)?),
            // The longest TCP_KEEPIDLE of Linux.
            "dead" => limits.dead = Duration::from_secs(args.number(2..=32_767)?),
            "log" => {
                self.log = match args.text()?.as_str() {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    other => return Err(format!("--log is text or json, not '{other}'")),
                }
            }
            "quiet" => self.quiet = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Finds what does not go together, or is more than the system gives.
    fn check(&self, descriptors: u64, passed: bool) -> Result<(), String> {
        let Limits { max_clients, stall, dead, .. } = self.limits;
        let most = clients_below(descriptors);
        if max_clients > most {
            let needed = max_clients as u64 + RESERVED_DESCRIPTORS;
            return Err(format!(
                "--max-clients {max_clients} needs {needed} descriptors and the limit is \
                 {descriptors}; raise it with ulimit -n, or give at most {most}"
            ));
        }
        if stall >= dead {
            let (stall, dead) = (stall.as_secs(), dead.as_secs());
            return Err(format!("--stall {stall} must be below --dead {dead}; give --dead too"));
        }
        if passed && self.says_where {
            return Err(
                "--listen is given, and LISTEN_FDS passes sockets too; leave one out".into()
            );
        }
        if self.share_port && passed {
            return Err(
                "--share-port is given, and LISTEN_FDS passes sockets that are bound already; \
                 leave it out, and give ReusePort=yes in the socket unit"
                    .into(),
            );
        }
        if self.share_port && !self.paths.is_empty() {
            return Err(
                "--share-port is for ports, and a unix socket has none; leave it out".into()
            );
        }
        for (index, address) in self.listen.iter().enumerate() {
            // Port 0 is another port each time.
            if address.port() > 0 && self.listen[..index].contains(address) {
                return Err(format!("--listen {address} is given twice; leave one out"));
            }
        }
        for (index, path) in self.paths.iter().enumerate() {
            if self.paths[..index].contains(path) {
                let path = path.display();
                return Err(format!("--listen unix:{path} is given twice; leave one out"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        let chat = Program { name: "chat", port: 8002, ..Program::default() };
        let arguments = arguments.iter().map(OsString::from);
        match parse(&chat, "chat", arguments, 1024, false, |_| Ok(false))? {
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
    fn it_listens_on_every_address_it_is_given_and_on_none_twice() {
        let listen = ["--listen", "0.0.0.0", "--listen", "::1", "--listen=[::]:80"];
        let options = parsed(&listen).expect("addresses");
        let shown: Vec<String> = options.listen.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["0.0.0.0:8002", "[::1]:8002", "[::]:80"]);
        assert!(parsed(&["--listen", "[::1]:0", "--listen", "[::1]:0"]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (arguments, said) in [
            (&["--listen", "localhost"][..], "numeric address such as 0.0.0.0:8002"),
            (&["--listen", "::1", "--listen", "[::1]:8002"], "[::1]:8002 is given twice"),
            (&["--listen", "unix:/a", "--listen", "unix:/a"], "unix:/a is given twice"),
            (&["--listen"], "--listen needs a value"),
            (&["--stall", "x"], "whole number from 1 to 86400"),
            (&["--stall", "40"], "must be below --dead 40"),
            (&["--max-clients", "0"], "from 1 to"),
            (&["--max-clients", "1000"], "needs 1032 descriptors"),
            (&["--log", "xml"], "text or json"),
            (&["--share-port", "--listen", "unix:/a"], "a unix socket has none; leave it out"),
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
