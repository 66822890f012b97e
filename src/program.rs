//! What the three programs do around [`server::serve`]: descriptor limit, log, listeners,
//! signals, exit code. A host that embeds a server needs none of it.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use futures_lite::future::{or, yield_now};
use smol::LocalExecutor;

use crate::cli::{self, Command, Options, Own, Program};
use crate::connection::Connection;
use crate::driver::{self, block_on};
use crate::figures::{Figures, Reason};
use crate::limits::{RESERVED_DESCRIPTORS, address_space_left, raise_descriptor_limit};
use crate::listener::{BindError, Listener};
use crate::shutdown::{self, Trigger};
use crate::signals::{Signal, Signals};
use crate::socket::is_exhaustion;
use crate::{bounds, log as stderr_log, server};

/// The executor that all code of a program runs on.
pub type Executor = Rc<LocalExecutor<'static>>;

/// Exit code for a wrong option.
const USAGE: u8 = 2;

/// Tasks that run between two looks at the sockets, at most.
const TASKS: u32 = 200;

/// Runs a program: reads its options, binds, and serves with the handler that `handler` makes
/// of its own ones until a signal. A wrong option is exit code 2; a handler that cannot be made,
/// or an address that cannot be bound, 1.
pub fn main<O, H, F>(
    program: &'static Program,
    handler: impl FnOnce(O, &Executor) -> Result<H, String>,
) -> ExitCode
where
    O: Own,
    H: Fn(Rc<Connection>) -> F + 'static,
    F: Future<Output = Reason> + 'static,
{
    let mut arguments = std::env::args_os();
    let name = cli::called(arguments.next(), program.name);
    let descriptors = raise_descriptor_limit();
    let mut own = O::default();
    let mut options = match cli::parse(program, name, arguments, descriptors, &mut own) {
        Ok(Command::Serve(options)) => options,
        Ok(Command::Limits(mut options)) => {
            let _nobody_to_warn = fit_memory(&mut options, &own);
            return print(&bounds::table(&options.limits, |bounds| own.bounds(bounds)));
        }
        Ok(Command::Print(text)) => return print(&text),
        Err(error) => return usage(name, &error),
    };
    if descriptors <= RESERVED_DESCRIPTORS {
        return fail(name, &too_few(descriptors));
    }
    stderr_log::start(name, options.log, options.quiet);
    if let Err(error) = fit_memory(&mut options, &own) {
        return fail(name, &error);
    }
    let clients = options.limits.max_clients as u64;
    if let Err(error) = driver::start(clients.saturating_add(RESERVED_DESCRIPTORS)) {
        return fail(name, &cannot_start(&error));
    }
    let executor = Executor::default();
    let handler = match handler(own, &executor) {
        Ok(handler) => handler,
        Err(error) => return fail(name, &error),
    };
    let listener = match Listener::bind(&options.listen, &options.limits) {
        Ok(listener) => listener,
        Err(error) => return fail(name, &cannot_listen(&error, &options.listen)),
    };
    match block_on(run_beside(&executor, serve(&executor, &options, listener, handler))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &cannot_start(&error)),
    }
}

/// As [`LocalExecutor::run`], which has a second queue for each thread that runs tasks: on one
/// thread all pass through both, a tenth of the user time of a line to 1,000.
async fn run_beside<T>(executor: &Executor, future: impl Future<Output = T>) -> T {
    let tasks = async {
        loop {
            for _ in 0..TASKS {
                if !executor.try_tick() {
                    executor.tick().await;
                }
            }
            yield_now().await;
        }
    };
    or(future, tasks).await
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
fn fit_memory(options: &mut Options, own: &impl Own) -> Result<(), String> {
    let Some(left) = address_space_left() else { return Ok(()) };
    let fitting = bounds::clients_within(left, |bounds| own.bounds(bounds));
    if fitting == 0 {
        let left = bounds::bytes(left);
        return Err(format!(
            "cannot start: {left} of memory fit no client; raise it with ulimit -v"
        ));
    }
    if fitting < options.limits.max_clients {
        options.limits.max_clients = fitting;
        log::warn!("memory has room for {fitting} clients; raise it with ulimit -v");
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

async fn serve<H, F>(
    executor: &Executor,
    options: &Options,
    listener: Listener,
    handler: H,
) -> io::Result<()>
where
    H: Fn(Rc<Connection>) -> F + 'static,
    F: Future<Output = Reason> + 'static,
{
    let signals = Signals::new()?;
    let (trigger, stop) = shutdown::channel();
    // A task, not a part of this future: `run` polls this one at every turn of the executor,
    // and with smol's reactor a poll of the signals is a system call.
    let _obeying = executor.spawn(obey(signals, trigger, listener.figures()));
    announce(&listener);
    stderr_log::serving();
    server::serve(executor, listener, &options.limits, stop, handler).await
}

fn announce(listener: &Listener) {
    let addresses = listener.addresses();
    for address in &addresses {
        log::info!("listening on {address}");
    }
    let Some(port) = addresses.first().map(SocketAddr::port) else { return };
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        // `[::]` takes IPv4 clients too.
        let everywhere = if addresses.iter().any(SocketAddr::is_ipv6) { "[::]" } else { "0.0.0.0" };
        log::info!(
            "only this machine can connect; --listen {everywhere}:{port} opens it to the network"
        );
    }
}

/// The first signal ends the server politely, a second SIGINT or SIGTERM at once. A SIGHUP is no
/// second one: bash and the kernel each send one when a terminal is closed.
async fn obey(signals: Signals, trigger: Trigger, figures: Rc<Figures>) {
    let mut told = false;
    loop {
        match signals.next().await {
            Signal::Figures => figures.log(),
            Signal::End(number) if told => std::process::exit(128 + number),
            Signal::Hangup if told => {}
            Signal::End(_) | Signal::Hangup => {
                told = true;
                log::info!("going down");
                trigger.pull();
            }
        }
    }
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
