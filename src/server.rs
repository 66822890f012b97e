//! The accept loop that all three servers share: it admits or refuses clients, starts a task for
//! each, survives errors, and drains the clients at shutdown.
//!
//! It knows connections, but not what is said on them. Accepting never waits for a peer; only the
//! drain does, for a bounded time.

mod buffer;
pub(crate) mod connection;
#[cfg(target_os = "linux")]
mod diag;
pub(crate) mod handler;
pub(crate) mod limits;
pub(crate) mod listener;
mod refusal;
mod shared;
pub(crate) mod socket;
pub(crate) mod stats;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::future::{or, poll_fn, yield_now};
use slab::Slab;
use smol::{LocalExecutor, Task};

pub use buffer::Buffer;
use connection::Connection;
#[cfg(target_os = "linux")]
use diag::Diag;
use handler::Handler;
use limits::{ACCEPT_PAUSE, BUDGET, SHUTDOWN, TEARDOWN, make_room};
use listener::{Listener, subnet};
use refusal::{LogThrottle, Refusals};
use shared::Shared;
use socket::{Spare, accept, is_exhaustion, open_descriptors};
use stats::CloseReason;

use crate::driver::{Async, Timer, ensure_driven};

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
/// connection's read return [`CloseReason::GoingDown`], upon which handlers may say goodbye, as
/// [`Chat`](crate::Chat) and [`Clock`](crate::Clock) do; give them up to 1.8 seconds to finish,
/// less where there are many to drop; drop those that are left; return, within 2 seconds. Dropping
/// the future of `serve` closes everything at once.
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
    let Listener { sockets, limits, stats } = listener;
    let max_clients = max_clients(&sockets, limits.max_clients);
    let door = |socket| Ok((Spare::new(&socket)?, Async::new(socket)?));
    let doors = sockets.into_iter().map(door).collect::<io::Result<Vec<_>>>()?;
    let (left, gone) = async_channel::bounded(1);
    let server = Rc::new(Server {
        shared: Shared::new(executor, limits, stats),
        handler,
        max_clients,
        places: Arc::new(Semaphore::new(max_clients)),
        subnets: RefCell::default(),
        clients: RefCell::default(),
        refusals: Refusals::new(),
        accepts_log: LogThrottle::default(),
        left,
    });
    #[cfg(target_os = "linux")]
    let _watching: Vec<_> = doors.iter().map(|(_, it)| watch(&server, it.get_ref())).collect();
    let loops: Vec<Task<()>> = doors
        .into_iter()
        .map(|(spare, socket)| executor.spawn(accept_loop(server.clone(), socket, spare)))
        .collect();
    let clients = Clients(server.clone());

    stop.await;
    for accepting in loops {
        accepting.cancel().await;
    }
    clients.drain(gone).await;
    Ok(())
}

/// How many clients are admitted beside what the process has open now.
fn max_clients(sockets: &[TcpListener], wanted: usize) -> usize {
    let Some(socket) = sockets.first() else { return 0 };
    make_room(wanted, open_descriptors(socket).saturating_add(sockets.len() as u64))
}

struct Server<H> {
    shared: Rc<Shared>,
    handler: H,
    /// [`Limits::max_clients`](crate::Limits), or fewer if the descriptor limit has no room for
    /// them.
    max_clients: usize,
    /// One permit a client.
    places: Arc<Semaphore>,
    /// Clients by [`subnet`]; empty unless `max_per_ip` is set.
    subnets: RefCell<HashMap<IpAddr, usize>>,
    clients: RefCell<Slab<Client>>,
    refusals: Refusals,
    accepts_log: LogThrottle,
    /// Holds a message once a client is gone.
    left: Sender<()>,
}

struct Client {
    connection: Connection,
    task: Task<()>,
}

/// Ends every client's task when dropped. The tasks hold the server, which would otherwise outlive
/// a [`serve`] that its host drops.
struct Clients<H>(Rc<Server<H>>);

impl<H> Clients<H> {
    /// Lets the clients read what is left, for as long as a shutdown may take, and drops who is
    /// still there then.
    async fn drain(&self, gone: Receiver<()>) {
        let Server { clients, .. } = &*self.0;
        let teardown = TEARDOWN * clients.borrow().len().min(40_000) as u32;
        self.0.close_all();
        let drained = async {
            while !clients.borrow().is_empty() {
                let _woken = gone.recv().await;
            }
        };
        or(drained, async {
            Timer::after(SHUTDOWN.saturating_sub(teardown)).await;
        })
        .await;
        for (_, client) in self.take() {
            client.task.cancel().await;
        }
    }

    fn take(&self) -> Slab<Client> {
        std::mem::take(&mut *self.0.clients.borrow_mut())
    }
}

impl<H> Drop for Clients<H> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<H> Server<H> {
    fn close_all(&self) {
        let clients: Vec<_> =
            self.clients.borrow().iter().map(|(_, client)| client.connection.clone()).collect();
        for connection in clients {
            connection.request_close(CloseReason::GoingDown);
        }
    }

    /// A place for one more client from `peer`, or why there is none.
    fn admit(&self, peer: SocketAddr) -> Result<(SemaphoreGuardArc, Option<IpAddr>), String> {
        let max_per_ip = self.shared.limits.max_per_ip;
        let place = self.places.try_acquire_arc().ok_or_else(|| {
            let s = if self.max_clients == 1 { "" } else { "s" };
            format!("server full ({} client{s}), please try again later", self.max_clients)
        })?;
        let subnet = subnet(peer.ip()).filter(|_| max_per_ip > 0);
        if subnet.is_some_and(|it| self.subnets.borrow().get(&it) >= Some(&max_per_ip)) {
            return Err(format!("too many connections from {}", peer.ip()));
        }
        Ok((place, subnet))
    }

    fn complain(&self, error: &io::Error) {
        if self.accepts_log.is_due() {
            log::warn!("cannot take new clients for the moment: {error}");
        }
    }
}

impl<H: Handler> Server<H> {
    /// Accepts the client at the head of the queue. If there is no descriptor left for it, it is
    /// only told so and closed.
    fn take(self: &Rc<Self>, listener: &TcpListener, spare: &mut Spare) -> io::Result<()> {
        match accept(listener) {
            Ok((stream, peer)) => self.welcome(stream, peer),
            Err(error) if is_exhaustion(&error) => spare.accept(listener, |stream| {
                self.complain(&error);
                let why = "server full, please try again later";
                self.refusals.tell(&self.shared.stats, &stream, why);
            })?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let (place, subnet) = match self.admit(peer) {
            Ok(admitted) => admitted,
            Err(why) => {
                self.refusals.tell(&self.shared.stats, &stream, &why);
                return self.refusals.linger(&self.shared, stream);
            }
        };
        let connection = match Connection::new(self.shared.clone(), stream, peer) {
            Ok(connection) => connection,
            Err(error) => return self.complain(&error),
        };
        let key = self.clients.borrow().vacant_key();
        let visit = Visit::new(self.clone(), key, connection.clone(), place, subnet);
        // A block and not an `async fn`, whose future would hold its argument twice.
        let task = self.shared.spawn(async move {
            let handled = visit.server.handler.handle(visit.connection.clone()).await;
            visit.reason.set(Some(visit.connection.close(handled).await));
        });
        if let Some(task) = task {
            self.clients.borrow_mut().insert(Client { connection, task });
        }
    }
}

/// A client's time at the server. When it is dropped, for whatever reason (the handler is done or
/// panics, or a shutdown's time is over), it gives its place back and is logged.
struct Visit<H> {
    server: Rc<Server<H>>,
    key: usize,
    connection: Connection,
    /// In a box: only with `max_per_ip` there is one.
    subnet: Option<Box<IpAddr>>,
    /// Why it ended, once the handler said so.
    reason: Cell<Option<CloseReason>>,
    _place: SemaphoreGuardArc,
}

impl<H> Visit<H> {
    fn new(
        server: Rc<Server<H>>,
        key: usize,
        connection: Connection,
        place: SemaphoreGuardArc,
        subnet: Option<IpAddr>,
    ) -> Visit<H> {
        server.shared.stats.clients.add(1);
        server.shared.stats.accepted.add(1);
        if let Some(subnet) = subnet {
            *server.subnets.borrow_mut().entry(subnet).or_default() += 1;
        }
        let (subnet, reason) = (subnet.map(Box::new), Cell::default());
        Visit { server, key, connection, subnet, reason, _place: place }
    }
}

impl<H> Drop for Visit<H> {
    fn drop(&mut self) {
        let Visit { server, subnet, .. } = self;
        let dropped =
            if std::thread::panicking() { CloseReason::Failed } else { CloseReason::GoingDown };
        self.connection.record(self.reason.get().unwrap_or(dropped));
        server.shared.stats.clients.sub(1);
        if let Some(subnet) = subnet {
            let mut subnets = server.subnets.borrow_mut();
            if let Some(count) = subnets.get_mut(&**subnet) {
                *count -= 1;
                if *count == 0 {
                    subnets.remove(&**subnet);
                }
            }
        }
        if let Some(client) = server.clients.borrow_mut().try_remove(self.key) {
            client.task.detach();
        }
        let _already_full = server.left.try_send(());
    }
}

/// Ends clients that died while data was on its way to them, as sock_diag reports them. If the
/// kernel does not answer sock_diag, TCP_USER_TIMEOUT is set instead, which may also cut slow
/// readers.
#[cfg(target_os = "linux")]
fn watch<H: 'static>(server: &Rc<Server<H>>, listener: &TcpListener) -> Option<Task<()>> {
    let (server, shared) = (server.clone(), server.shared.clone());
    let Some(diag) = Diag::new(listener) else {
        log::warn!("the kernel does not answer sock_diag: slow readers may be cut");
        let _without_it = socket::set_user_timeout(listener, shared.limits.dead);
        return None;
    };
    let close = move |row: &diag::Row, reason| {
        let clients = server.clients.borrow();
        let mut connections = clients.iter().map(|(_, client)| &client.connection);
        let found = connections.find(|it| it.peer() == row.peer && it.cookie() == Some(row.cookie));
        let found = found.cloned();
        drop(clients);
        found.map(|connection| connection.request_close(reason));
    };
    shared.clone().spawn(diag.watch(shared, close))
}

async fn accept_loop<H: Handler>(
    server: Rc<Server<H>>,
    socket: Async<TcpListener>,
    mut spare: Spare,
) {
    let mut failures = 0;
    loop {
        for _ in 0..BUDGET {
            match socket.try_read(|listener| server.take(listener, &mut spare)) {
                Ok(()) => failures = 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _told_by_take = poll_fn(|cx| socket.poll_readable(cx)).await;
                }
                // An aborted connection; but an error that persists must not spin.
                Err(error) => {
                    failures += 1;
                    if failures > BUDGET || is_exhaustion(&error) {
                        server.complain(&error);
                        Timer::after(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        yield_now().await;
    }
}
