//! The accept loop that all three servers share: it admits or refuses clients, starts a task for
//! each, survives errors, and drains the clients at shutdown.
//!
//! It knows connections, but not what is said on them. Accepting never waits for a peer; only the
//! drain does, for a bounded time.

mod accept;
mod buffer;
mod clients;
pub(crate) mod connection;
#[cfg(target_os = "linux")]
mod diag;
pub(crate) mod handle;
pub(crate) mod handler;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod peer;
mod refusal;
mod shared;
pub(crate) mod socket;
pub(crate) mod stats;
pub(crate) mod stream;

use std::cell::RefCell;
use std::future::Future;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::rc::Rc;

use async_channel::Receiver;
use async_lock::Semaphore;
use smol::{LocalExecutor, Task};

use accept::accept_loop;
pub use buffer::Buffer;
use clients::{Clients, Server, Start};
#[cfg(target_os = "linux")]
use diag::Diag;
use handle::Admitting;
use handler::Handler;
use limits::make_room;
use listener::Listener;
#[cfg(target_os = "linux")]
use peer::Peer;
use refusal::{LogThrottle, Refusals};
use shared::Shared;
#[cfg(target_os = "linux")]
use socket::local_address;
use socket::{Spare, open_descriptors};

use crate::driver::{Async, ensure_driven};

/// Accepts clients and runs `handler` for each as a task on `executor`, until `stop` is ready. That
/// can be any future, such as `recv` on a channel whose closing ends several servers.
///
/// Nothing happens, not even the end, unless the executor runs: `run(&executor, serve(…))`. Several
/// servers share one with `futures_lite::future::try_zip` (see `examples/several.rs`).
///
/// The process's descriptor limit is raised as far as the listener's [`Limits`](crate::Limits) need
/// and the system allows, and only as many clients are admitted as fit below it beside the files
/// that the process has open at that moment. Others are refused with one line that says why, also
/// if the process opens more files later and descriptors run out.
///
/// Shutdown, in this order: stop accepting and close the listening sockets; let every
/// connection's read return [`CloseReason::GoingDown`](crate::CloseReason), upon which handlers may
/// say goodbye, as [`Chat`](crate::Chat) and [`Clock`](crate::Clock) do; give them up to 1.8 seconds
/// to finish, less where there are many to drop; drop those that are left; return, within 2 seconds.
/// Dropping the future of `serve` closes everything at once.
///
/// # Errors
/// When the sockets cannot be registered with the driver, or the thread runs neither
/// [`block_on`](crate::block_on) nor a `HostLoop`. Later errors (descriptors, memory, aborted
/// connections) are survived and logged, by the crate `log`.
pub async fn serve<T>(
    executor: &Rc<LocalExecutor<'static>>,
    listener: Listener,
    stop: impl Future<Output = T>,
    handler: impl Handler,
) -> io::Result<()> {
    ensure_driven()?;
    let running = Running::open(executor, listener, start(handler))?;
    stop.await;
    running.close().await;
    Ok(())
}

/// Ends everything when dropped: the tasks with their sockets, then the clients.
struct Running {
    /// Those that accept, and those that look for dead clients.
    tasks: Vec<Task<()>>,
    admitting: Admitting,
    clients: Clients,
    gone: Receiver<()>,
}

impl Running {
    fn open(
        executor: &Rc<LocalExecutor<'static>>,
        listener: Listener,
        start: Box<Start>,
    ) -> io::Result<Running> {
        let Listener { sockets, limits, stats, handle } = listener;
        let open = open_descriptors().saturating_add(sockets.len() as u64);
        let max_clients = make_room(limits.max_clients, open);
        let (left, gone) = async_channel::bounded(1);
        let server = Rc::new(Server {
            shared: Shared::new(executor, limits, stats),
            start,
            max_clients,
            places: Semaphore::new(max_clients),
            subnets: RefCell::default(),
            clients: RefCell::default(),
            refusals: Refusals::new(),
            accepts_log: LogThrottle::default(),
            left,
        });
        let mut tasks = Vec::new();
        for socket in sockets {
            #[cfg(target_os = "linux")]
            tasks.extend(watch(&server, &socket));
            let spare = Spare::new(&socket)?;
            let socket = Async::new(socket)?;
            tasks.push(executor.spawn(accept_loop(server.clone(), socket, spare)));
        }
        let admitting = Admitting::start(handle, &server);
        Ok(Running { tasks, admitting, clients: Clients(server), gone })
    }

    async fn close(self) {
        drop(self.admitting);
        for task in self.tasks {
            task.cancel().await;
        }
        self.clients.drain(self.gone).await;
    }
}

/// The function that starts the task of a client. Only it knows the type of the handler, so that
/// the rest is compiled once for all servers.
fn start(handler: impl Handler) -> Box<Start> {
    let handler = Rc::new(handler);
    Box::new(move |visit| {
        let (shared, handler) = (visit.server.shared.clone(), handler.clone());
        // A block and not an `async fn`, whose future would hold its arguments twice. The handler is
        // called within, so that its panic ends this client only.
        shared.spawn(async move {
            let handled = handler.handle(visit.connection.clone()).await;
            visit.reason.set(Some(visit.connection.close(handled).await));
        })
    })
}

/// Ends clients that died while data was on its way to them, as sock_diag reports them. If the
/// kernel does not answer sock_diag, TCP_USER_TIMEOUT is set instead, which may also cut slow
/// readers.
#[cfg(target_os = "linux")]
fn watch(server: &Rc<Server>, listener: &OwnedFd) -> Option<Task<()>> {
    let (server, shared) = (server.clone(), server.shared.clone());
    let Some(diag) = Diag::new(local_address(listener)?) else {
        log::warn!("the kernel does not answer sock_diag: slow readers may be cut");
        let _without_it = socket::set_user_timeout(listener, shared.limits.dead);
        return None;
    };
    let close = move |row: &diag::Row, reason| {
        let clients = server.clients.borrow();
        let mut connections = clients.iter().map(|(_, client)| &client.connection);
        let found = connections
            .find(|it| it.peer() == Peer::from(row.peer) && it.cookie() == Some(row.cookie));
        let found = found.cloned();
        drop(clients);
        found.map(|connection| connection.request_close(reason));
    };
    shared.clone().spawn(diag.watch(shared, close))
}
