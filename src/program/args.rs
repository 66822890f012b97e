//! The command line that the three programs share: options into limits and addresses, and what
//! `-h` and `-V` print. No I/O.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use super::log::Format;
use super::{Program, ServerOptions, address, help};
use crate::server::limits::{self, Limits};

/// Bytes of a name that a program is [called] by, at most.
const NAME_BYTES: usize = 32;

pub(super) const MAX_PER_IP: RangeInclusive<u64> = 0..=u32::MAX as u64;
/// A day.
pub(super) const STALL_SECONDS: RangeInclusive<u64> = 1..=86_400;
/// Up to the longest TCP_KEEPIDLE of Linux.
pub(super) const DEAD_SECONDS: RangeInclusive<u64> = 2..=32_767;

/// What the options say.
#[derive(Debug)]
pub(super) struct Options {
    /// Addresses to listen on.
    pub(super) listen: Vec<SocketAddr>,
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

/// The name that a program speaks of itself by: the file name it was started by, its first
/// argument, so that what it says to type is what its user has to type; its own name where that
/// one is no plain name of at most 32 ASCII letters, digits and `-_.+`.
pub(super) fn called(first_argument: Option<OsString>, own: &'static str) -> &'static str {
    let path = first_argument.unwrap_or_default();
    let name = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= NAME_BYTES
        && name.chars().all(is_plain);
    // Leaked once: the log of the process has it too.
    if is_name { name.to_owned().leak() } else { own }
}

/// Reads the command line behind the name that the program is [called] by; what only this program
/// has goes into `own`. `descriptors` is the limit that clients have to fit in.
///
/// # Errors
/// One line that names what is wrong and how to mend it.
pub(super) fn parse<O: ServerOptions>(
    program: &Program,
    called: &str,
    arguments: impl IntoIterator<Item = OsString>,
    descriptors: u64,
    own: &mut O,
) -> Result<Command, String> {
    let mut args = Args(Parser::from_args(arguments));
    let limits = Limits {
        max_clients: limits::clients_below(descriptors),
        send_buffer: program.kernel_buffer,
        receive_buffer: program.kernel_buffer,
        ..Limits::default()
    };
    let mut options = Options { listen: Vec::new(), limits, log: Format::Text, quiet: false };
    while let Some(argument) = args.0.next().map_err(|error| error.to_string())? {
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
            "help" => {
                let clients = limits::clients_below(descriptors);
                return Ok(Command::Print(help::text::<O>(program, called, clients)));
            }
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("smol-{} {version}\n", program.name)));
            }
            other if options.read(other, &mut args, program.port)? => {}
            other if own.read(other, &mut args)? => {}
            other => return Err(format!("unknown option --{other}")),
        }
    }
    options.check(descriptors)?;
    if options.listen.is_empty() {
        options.listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, program.port)));
    }
    Ok(Command::Serve(options))
}

impl Options {
    /// Reads the value of an option; false when it is none that all programs have.
    fn read(&mut self, name: &str, args: &mut Args, port: u16) -> Result<bool, String> {
        let limits = &mut self.limits;
        match name {
            "listen" => self.listen.push(address::read(&args.text(name)?, port)?),
            "max-clients" => {
                limits.max_clients = args.number(name, 1..=u32::MAX.into())? as usize;
            }
            "max-per-ip" => limits.max_per_ip = args.number(name, MAX_PER_IP)? as usize,
            "stall" => limits.stall = args.seconds(name, STALL_SECONDS)?,
            "dead" => limits.dead = args.seconds(name, DEAD_SECONDS)?,
            "log" => {
                self.log = match args.text(name)?.as_str() {
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
        for (index, address) in self.listen.iter().enumerate() {
            // Port 0 is another one each time.
            if address.port() > 0 && self.listen[..index].contains(address) {
                return Err(format!("--listen {address} is given twice; leave one out"));
            }
        }
        Ok(())
    }
}

/// The command line from here on, for the values of options.
#[derive(Debug)]
pub struct Args(Parser);

impl Args {
    /// The value of an option that takes a whole number.
    ///
    /// # Errors
    /// One line with the bounds, when it is not within them.
    pub fn number(&mut self, name: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
        let value = self.text(name)?;
        match value.parse() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            _ => Err(format!("--{name} is a whole number from {}, not '{value}'", ends(&bounds))),
        }
    }

    /// The value of an option that takes seconds.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn seconds(&mut self, name: &str, bounds: RangeInclusive<u64>) -> Result<Duration, String> {
        self.number(name, bounds).map(Duration::from_secs)
    }

    /// The value of an option that takes text.
    ///
    /// # Errors
    /// One line, when it is missing or not Unicode.
    pub fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.0.value().map_err(|_| format!("--{name} needs a value"))?;
        value.string().map_err(|_| format!("the value of --{name} is not valid Unicode"))
    }

    /// The value of an option that takes a file.
    ///
    /// # Errors
    /// One line, when it is missing.
    pub fn path(&mut self, name: &str) -> Result<PathBuf, String> {
        self.0.value().map(PathBuf::from).map_err(|_| format!("--{name} needs a file"))
    }
}

/// What the help says of the bounds of a number.
pub fn ends(bounds: &RangeInclusive<u64>) -> String {
    format!("{} to {}", bounds.start(), bounds.end())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::program::Memory;

    const CHAT: Program =
        Program { name: "chat", about: "", port: 8002, kernel_buffer: 1, examples: &[] };

    #[derive(Default)]
    struct Own;

    impl ServerOptions for Own {
        fn help() -> String {
            String::new()
        }

        fn read(&mut self, _name: &str, _args: &mut Args) -> Result<bool, String> {
            Ok(false)
        }

        fn memory(&self) -> Memory {
            Memory::of_echo()
        }
    }

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        let arguments = arguments.iter().map(OsString::from);
        match parse(&CHAT, "chat", arguments, 1024, &mut Own)? {
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
    fn a_program_is_called_as_it_was_started_where_that_is_a_plain_name() {
        let called = |first: &[u8]| called(Some(OsString::from_vec(first.to_vec())), "chat");
        assert_eq!(called(b"/usr/local/bin/smol-chat"), "smol-chat");
        assert_eq!(called(b"smol_chat-1.0+git"), "smol_chat-1.0+git");
        assert_eq!(called(b"bin/chat/"), "chat");
        let long = "x".repeat(NAME_BYTES + 1);
        for odd in [
            &b""[..],
            b"/",
            b"..",
            b"-bash",
            b"a b",
            b"a\x1b[2J",
            b"a\nb",
            b"\xff\xfe",
            "žert".as_bytes(),
            long.as_bytes(),
        ] {
            assert_eq!(called(odd), "chat", "{}", odd.escape_ascii());
        }
        assert_eq!(super::called(None, "chat"), "chat");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_mend() {
        for (arguments, said) in [
            (&["--listen", "localhost"][..], "numeric address such as 0.0.0.0:8002"),
            (&["--listen", "::1", "--listen", "[::1]:8002"], "[::1]:8002 is given twice"),
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
