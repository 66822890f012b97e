//! The command line that the three programs share: options into limits and addresses, and what
//! `-h` and `-V` print. No I/O.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::bounds::Bounds;
use crate::limits::{self, Limits};
use crate::log::Format;

/// What one program is called and does.
#[derive(Debug)]
pub struct Program {
    /// Its name in log lines and help.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it listens on loopback without `--listen`.
    pub port: u16,
    /// SO_SNDBUF of its clients, see [`Limits::send_buffer`].
    pub send_buffer: usize,
    /// Commands to start from, a line each.
    pub examples: &'static str,
}

/// The options, and the bounds, that only one program has.
pub trait Own: Default {
    /// Help on the options, a line each.
    const HELP: &str = "";

    /// Reads the value of an option; false when it is none of its own.
    ///
    /// # Errors
    /// One line, when the value is wrong.
    fn read(&mut self, _name: &str, _parser: &mut Parser) -> Result<bool, String> {
        Ok(false)
    }

    /// Adds its bounds, as the options set them.
    fn bounds(&self, bounds: &mut Bounds);
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
    /// To print the bounds that these options give and exit.
    Limits(Options),
    /// To print this and exit.
    Print(String),
}

/// Reads the command line; what only this program has goes into `own`. `descriptors` is the
/// limit that clients have to fit in.
///
/// # Errors
/// One line that names what is wrong and how to mend it.
pub fn parse<O: Own>(
    program: &Program,
    arguments: impl IntoIterator<Item = OsString>,
    descriptors: u64,
    own: &mut O,
) -> Result<Command, String> {
    let mut parser = Parser::from_args(arguments);
    let limits = Limits {
        max_clients: limits::clients_below(descriptors),
        send_buffer: program.send_buffer,
        ..Limits::default()
    };
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
        match name.as_str() {
            "help" => return Ok(Command::Print(help::<O>(program))),
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("smol-{} {version}\n", program.name)));
            }
            "limits" => print_limits = true,
            other if options.read(other, &mut parser, program.port)? => {}
            other if own.read(other, &mut parser)? => {}
            other => return Err(format!("unknown option --{other}")),
        }
    }
    options.check(descriptors)?;
    if options.listen.is_empty() {
        options.listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, program.port)));
    }
    Ok(if print_limits { Command::Limits(options) } else { Command::Serve(options) })
}

impl Options {
    /// Reads the value of an option; false when it is none that all programs have.
    fn read(&mut self, name: &str, parser: &mut Parser, port: u16) -> Result<bool, String> {
        let most = u32::MAX.into();
        let limits = &mut self.limits;
        match name {
            "listen" => self.listen.push(address(&text(parser, name)?, port)?),
            "max-clients" => limits.max_clients = number(parser, name, 1, most)? as usize,
            "max-per-ip" => limits.max_per_ip = number(parser, name, 0, most)? as usize,
            "stall" => limits.stall = seconds(parser, name, 1, 86_400)?,
            "dead" => limits.dead = seconds(parser, name, 2, 32_767)?,
            "log" => {
                self.log = match text(parser, name)?.as_str() {
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
    fn check(&self, descriptors: u64) -> Result<(), String> {
        let Limits { max_clients, stall, dead, .. } = self.limits;
        let needed = max_clients as u64 + limits::RESERVED_DESCRIPTORS;
        let most = limits::clients_below(descriptors);
        if max_clients > most {
            return Err(format!(
                "--max-clients {max_clients} needs {needed} descriptors and the limit is \
                 {descriptors}; raise it with ulimit -n, or give at most {most}"
            ));
        }
        if stall >= dead {
            let (stall, dead) = (stall.as_secs(), dead.as_secs());
            return Err(format!("--stall {stall} must be below --dead {dead}; give --dead too"));
        }
        Ok(())
    }
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

fn help<O: Own>(program: &Program) -> String {
    let Program { name, about, port, examples, .. } = program;
    let options = O::HELP;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo;

    const CHAT: Program =
        Program { name: "chat", about: "", port: 8002, send_buffer: 1, examples: "" };

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        let arguments = arguments.iter().map(OsString::from);
        match parse(&CHAT, arguments, 1024, &mut echo::Options)? {
            Command::Serve(options) | Command::Limits(options) => Ok(options),
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
