//! What the three programs share around [`serve`]: options, standard error, signals, exit code.
//! A host that embeds a server needs none of it.

mod address;
mod args;
mod help;
mod log;
mod memory;
mod signals;
pub mod text_file;
pub mod zone;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use smol::LocalExecutor;

pub use args::{Args, ends};
pub use memory::Memory;

use crate::driver::{self, block_on, run};
use crate::server::handler::Handler;
use crate::server::limits::{RESERVED_DESCRIPTORS, address_space_left, raise_descriptor_limit};
use crate::server::listener::{BindError, Listener};
use crate::server::serve;
use crate::server::socket::is_exhaustion;
use crate::server::stats::{CloseReason, Stats};
use args::{Command, Options};
use signals::{Signal, Signals};

/// Exit code for a wrong option.
const USAGE: u8 = 2;

/// What one program is.
#[derive(Debug)]
pub struct Program {
    /// Its name without the `smol-` that it is installed with.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it listens on loopback without `--listen`.
    pub port: u16,
    /// SO_SNDBUF and SO_RCVBUF of its clients, in bytes.
    pub kernel_buffer: usize,
    /// Commands to start from: the arguments, and a remark.
    pub examples: &'static [(&'static str, &'static str)],
}

/// The options that only one program has.
pub trait ServerOptions: Default {
    /// Help on the options, a line each.
    fn help() -> String;

    /// Reads the value of an option; false when it is none of its own.
    ///
    /// # Errors
    /// One line, when the value is wrong.
    fn read(&mut self, name: &str, args: &mut Args) -> Result<bool, String>;

    /// What the program can cost, as the options set it.
    fn memory(&self) -> Memory;
}

/// Runs a program: reads its options, binds, and serves with the handler that `handler` makes
/// of its own ones until a signal. A wrong option is exit code 2; a handler that cannot be made,
/// or an address that cannot be bound, 1.
pub fn main<O: ServerOptions, H: Handler>(
    program: &'static Program,
    handler: impl FnOnce(O) -> Result<H, String>,
) -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = args::called(arguments.next(), program.name);
    let descriptors = raise_descriptor_limit();
    let mut own = O::default();
    let mut options = match args::parse(program, name, arguments, descriptors, &mut own) {
        Ok(Command::Serve(options)) => options,
        Ok(Command::Print(text)) => return print(&text),
        Err(error) => return usage(name, &error),
    };
    if descriptors <= RESERVED_DESCRIPTORS {
        return fail(name, &too_few(descriptors));
    }
    log::start(name, options.log, options.quiet);
    if let Err(error) = fit_memory(&mut options, own.memory()) {
        return fail(name, &error);
    }
    let clients = options.limits.max_clients as u64;
    if let Err(error) = driver::start(clients.saturating_add(RESERVED_DESCRIPTORS)) {
        return fail(name, &cannot_start(&error));
    }
    let handler = match handler(own) {
        Ok(handler) => handler,
        Err(error) => return fail(name, &error),
    };
    let Options { listen, limits, .. } = options;
    let listener = match Listener::bind(&listen, limits) {
        Ok(listener) => listener,
        Err(error) => return fail(name, &cannot_listen(&error, &listen)),
    };
    let executor = Rc::new(LocalExecutor::new());
    match block_on(run(&executor, serve_until_signal(&executor, listener, handler))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &cannot_start(&error)),
    }
}

fn too_few(descriptors: u64) -> String {
    let needed = RESERVED_DESCRIPTORS + 1;
    format!(
        "cannot start: the descriptor limit is {descriptors}, and {needed} are needed to serve one \
         client; raise it with ulimit -n"
    )
}

/// Takes no more clients than fit below a limit on memory: without it the process would end for
/// all of them at once.
fn fit_memory(options: &mut Options, memory: Memory) -> Result<(), String> {
    let Some(left) = address_space_left() else { return Ok(()) };
    let fitting = memory.clients_within(left);
    if fitting == 0 {
        let kibibytes = left / 1024;
        return Err(format!(
            "cannot start: {kibibytes} KiB of memory fit no client; raise it with ulimit -v"
        ));
    }
    if fitting < options.limits.max_clients {
        options.limits.max_clients = fitting;
        ::log::warn!("memory has room for {fitting} clients; raise it with ulimit -v");
    }
    Ok(())
}

fn cannot_start(error: &io::Error) -> String {
    let hint = if is_exhaustion(error) { "; raise the limit with ulimit -n" } else { "" };
    format!("cannot start: {error}{hint}")
}

fn cannot_listen(error: &BindError, listen: &[SocketAddr]) -> String {
    let address = error.address();
    let other = listen.iter().find(|other| overlap(address, **other));
    match (error.kind(), other) {
        (ErrorKind::AddrInUse, Some(other)) => {
            format!("{error}; --listen {other} is given too, and one covers the other")
        }
        (ErrorKind::AddrInUse, None) => {
            format!("{error}; another program has this port, choose one with --listen")
        }
        _ => error.to_string(),
    }
}

/// True for a port on one address and the same port on every address.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let alike = a.is_ipv4() == b.is_ipv4() && a.port() == b.port();
    alike && a.ip() != b.ip() && (a.ip().is_unspecified() || b.ip().is_unspecified())
}

async fn serve_until_signal(
    executor: &Rc<LocalExecutor<'static>>,
    listener: Listener,
    handler: impl Handler,
) -> io::Result<()> {
    let signals = Signals::new()?;
    let (stop, stopped) = async_channel::bounded(1);
    // A task, not a part of this future: `run` polls this one at every turn of the executor,
    // and with smol's reactor a poll of the signals is a system call.
    let _handling = executor.spawn(handle_signals(signals, stop, listener.stats()));
    announce(&listener);
    log::serving();
    serve(executor, listener, stopped.recv(), handler).await
}

fn announce(listener: &Listener) {
    let addresses = listener.addresses();
    for address in &addresses {
        ::log::info!("listening on {address}");
    }
    let Some(port) = addresses.first().map(SocketAddr::port) else { return };
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        // `[::]` takes IPv4 clients too.
        let everywhere = if addresses.iter().any(SocketAddr::is_ipv6) { "[::]" } else { "0.0.0.0" };
        ::log::info!(
            "only this machine can connect; --listen {everywhere}:{port} opens it to the network"
        );
    }
}

/// The first signal ends the server politely, a second SIGINT or SIGTERM at once. A SIGHUP is no
/// second one: bash and the kernel each send one when a terminal is closed.
async fn handle_signals(signals: Signals, stop: async_channel::Sender<()>, stats: Rc<Stats>) {
    let (started, mut told) = (Instant::now(), false);
    loop {
        match signals.next().await {
            Signal::Stats => log_stats(&stats, started),
            Signal::End(number) if told => std::process::exit(128 + number),
            Signal::Hangup if told => {}
            Signal::End(_) | Signal::Hangup => {
                told = true;
                ::log::info!("going down");
                stop.close();
            }
        }
    }
}

/// One line of all counters, even into a quiet log.
fn log_stats(stats: &Stats, started: Instant) {
    let closed = |reason| stats.closed(reason).get();
    ::log::info!(
        target: log::ASKED_FOR,
        clients = stats.clients.get(),
        accepted = stats.accepted.get(),
        lines_in = stats.lines_in.get(),
        lines_out = stats.lines_out.get(),
        bytes_in = stats.bytes_in.get(),
        bytes_out = stats.bytes_out.get(),
        missed = stats.missed.get(),
        refused = closed(CloseReason::Full),
        left = closed(CloseReason::Left),
        lost = closed(CloseReason::Lost),
        stalled = closed(CloseReason::Stalled),
        going_down = closed(CloseReason::GoingDown),
        wrong_protocol = closed(CloseReason::WrongProtocol),
        failed = closed(CloseReason::Failed),
        uptime_seconds = started.elapsed().as_secs();
        "stats"
    );
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn usage(name: &str, error: &str) -> ExitCode {
    complain(&format!("{name}: {error} ({name} -h shows all options)"));
    ExitCode::from(USAGE)
}

fn fail(name: &str, error: &dyn Display) -> ExitCode {
    complain(&format!("{name}: {error}"));
    ExitCode::FAILURE
}

/// `eprintln!` would panic where standard error is closed.
fn complain(line: &str) {
    let _nobody_reads_it = writeln!(io::stderr(), "{line}");
}
