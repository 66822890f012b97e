//! What the three programs share around [`serve`]: options, standard error, signals, exit code.
//! A host that embeds a server needs none of it.

mod address;
mod args;
mod log;
mod memory;
#[cfg(not(feature = "relay"))]
mod no_relay;
mod notify;
mod options;
#[cfg(target_os = "linux")]
mod passed;
#[cfg(feature = "relay")]
mod relay;
mod signals;
mod socket_file;
mod sockets;
mod text_file;
#[cfg(not(feature = "local-time"))]
mod utc;
#[cfg(feature = "local-time")]
mod zone;

use std::env::args_os;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::{or, zip};
use smol::LocalExecutor;

pub use args::{Args, END};
pub use memory::{BACKLOG_BYTES, ECHO_BYTES, EDITING_BYTES, TERMINAL_BYTES};
#[cfg(not(feature = "relay"))]
pub use no_relay::{Engine, check_room, join, parse_engine};
#[cfg(feature = "relay")]
pub use relay::{Engine, check_room, join, parse_engine};
pub use socket_file::{SocketFile, listen};
pub use text_file::read_text;
#[cfg(not(feature = "local-time"))]
pub use utc::{local_zone, parse_zone};
#[cfg(feature = "local-time")]
pub use zone::{local_zone, parse_zone};

use crate::driver::{self, Timer, block_on, run};
use crate::server::handler::Handler;
use crate::server::limits::{RESERVED_DESCRIPTORS, raise_descriptor_limit};
use crate::server::serve;
use crate::server::socket::is_exhaustion;
use notify::Notify;
use options::{Command, Options};
use signals::Signals;

/// What runs the tasks of a program.
pub type Executor = LocalExecutor<'static>;

/// What one program is.
#[derive(Debug, Default)]
pub struct Program {
    /// Its name without the `smol-` that it is installed with.
    pub name: &'static str,
    /// Where it listens on loopback without `--listen`.
    pub port: u16,
    /// SO_SNDBUF and SO_RCVBUF of its clients, in bytes.
    pub kernel_buffer: usize,
    /// Bytes of the backlog that its clients share, at most; 0 without one.
    pub backlog_bytes: usize,
    /// Bytes of one client, at most.
    pub client_bytes: usize,
    /// What `-h` says before the options that all programs have: one sentence, examples, and the
    /// options of its own. `$0` stands for the name that the program is called by.
    pub help: &'static str,
}

/// Time in which what a handler began can end behind its last client.
const REST: Duration = Duration::from_secs(1);

/// Runs a program until a signal ends it. The first `words` of this process's arguments are what it
/// is called by: one, or two as in `smol-servers chat`. `read` sets an option that only this program
/// has, or returns false when there is none of that name; it is asked for [`END`] behind the last.
/// `handler` makes what serves a client of them, with what is to be awaited when it has served the
/// last one, for 1 s at most; it may have tasks of its own on the executor. The exit code is 2 for a
/// wrong option, and 1 when the program cannot start.
pub fn main<O: Default, H: Handler, F: Future<Output = ()>>(
    program: &Program,
    words: usize,
    read: impl Fn(&mut O, &mut Args) -> Result<bool, String>,
    handler: impl FnOnce(O, &Executor) -> Result<(H, F), String>,
) -> ExitCode {
    #[cfg(target_os = "linux")]
    let passed = passed::take();
    #[cfg(not(target_os = "linux"))]
    let passed = Ok(Vec::new());
    let mut arguments = args_os();
    let name = args::called(arguments.by_ref().take(words), program.name);
    let descriptors = raise_descriptor_limit();
    let mut own = O::default();
    let read = |args: &mut Args| read(&mut own, args);
    let is_passed = passed.as_ref().is_ok_and(|it| !it.is_empty());
    let parsed = options::parse(program, name, arguments, descriptors, is_passed, read);
    let (code, error) = match parsed {
        Ok(Command::Print(text)) => {
            let printed = io::stdout().write_all(text.as_bytes());
            return printed.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
        }
        Ok(Command::Serve(options)) => {
            match start(program, name, descriptors, passed, options, |executor| {
                handler(own, executor)
            }) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(error) => (1, error),
            }
        }
        Err(error) => (2, format!("{error} ({name} -h shows all options)")),
    };
    // `eprintln!` would panic where standard error is closed.
    let _nobody_reads_it = writeln!(io::stderr(), "{name}: {error}");
    ExitCode::from(code)
}

/// Takes the steps to a server that runs, in this order, and serves until a signal.
fn start<H: Handler, F: Future<Output = ()>>(
    program: &Program,
    name: &'static str,
    descriptors: u64,
    passed: Result<Vec<OwnedFd>, String>,
    options: Options,
    handler: impl FnOnce(&Executor) -> Result<(H, F), String>,
) -> Result<(), String> {
    let Options { says_where, listen, paths, share_port, mut limits, log, quiet } = options;
    if descriptors <= RESERVED_DESCRIPTORS {
        let needed = RESERVED_DESCRIPTORS + 1;
        return Err(format!(
            "cannot start: the descriptor limit is {descriptors}, and {needed} are needed to serve \
             one client; raise it with ulimit -n"
        ));
    }
    // With --listen it needs nothing passed, and what is passed to another process does not matter.
    let passed = if says_where { Vec::new() } else { passed? };
    log::start(name, log, quiet);
    memory::fit(program, &mut limits)?;
    let wanted = RESERVED_DESCRIPTORS.saturating_add(limits.max_clients as u64);
    driver::start(wanted).map_err(cannot_start)?;
    let executor = Rc::new(LocalExecutor::new());
    let (handler, rest) = handler(&executor)?;
    let names = (!passed.is_empty()).then(|| var("LISTEN_FDNAMES").unwrap_or_default());
    let (listener, files) = sockets::open(&listen, &paths, passed, share_port, limits)?;
    let notify = Rc::new(Notify::new());
    let serving = async {
        let signals = Signals::new()?;
        let (stop, stopped) = async_channel::bounded(1);
        // A task, not a part of this future: `run` polls this one at every turn of the executor,
        // and with smol's reactor a poll of the signals is a system call.
        let stats = listener.stats();
        let handling = signals.handle(stop, stats.clone());
        // It first runs when the server below accepts.
        let _handling = executor.spawn(zip(handling, notify.clone().keep(stats)));
        sockets::announce(&listener, names.as_deref());
        log::serving();
        let stopped = async {
            let _closed = stopped.recv().await;
            notify.stopping();
            drop(files);
        };
        serve(&executor, listener, stopped, handler).await?;
        or(rest, async {
            Timer::after(REST).await;
        })
        .await;
        Ok(())
    };
    block_on(run(&executor, serving)).map_err(cannot_start)
}

/// A variable of the environment; none where it is not UTF-8.
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn cannot_start(error: io::Error) -> String {
    let hint = if is_exhaustion(&error) { "; raise the limit with ulimit -n" } else { "" };
    format!("cannot start: {error}{hint}")
}
