//! The accept loop that all three servers share: admit or refuse, spawn, survive, drain.
//!
//! Knows connections, not what a server says on them. Nothing here waits for a peer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::future::{or, poll_fn, yield_now};
use slab::Slab;
use smol::{LocalExecutor, Task};

use crate::chunk::Scratch;
use crate::connection::Connection;
#[cfg(target_os = "linux")]
use crate::diag::{Diag, Row};
use crate::driver::{Async, Timer, ensure_driven};
use crate::figures::{Figures, Reason};
use crate::limits::{ACCEPT_PAUSE, Limits, SHUTDOWN, TEARDOWN, TURN, make_room};
use crate::listener::{Listener, origin};
use crate::refusal::{Quiet, Refusals};
use crate::shutdown::Stop;
#[cfg(target_os = "linux")]
use crate::socket::set_user_timeout;
use crate::socket::{Spare, accept, is_exhaustion, open_descriptors};

/// Accepts clients and runs `handler` for each as a task on `executor`, until `stop`.
///
/// The process's descriptor limit is raised as far as `limits` needs and the system allows, and no
/// more clients come in than fit below it beside what the host has open now. The others, also when
/// the host opens more later, are refused with one line that says why.
///
/// The handler returns why its connection ended; the connection is closed when its future is
/// dropped. A handler that panics ends its own connection only, as long as panics unwind.
///
/// Shutdown, in this order: stop accepting and close the listening sockets; let every
/// connection's read return [`Reason::GoingDown`], upon which handlers say goodbye and flush;
/// wait for them, for at most [`SHUTDOWN`]; drop what is left; return.
///
/// # Errors
/// When the sockets cannot be registered with the reactor, or nobody drives it: see
/// [`driver`](crate::driver). Later errors (descriptors, memory,
/// aborted connections) are survived and logged.
pub async fn serve<H, F>(
    executor: &Rc<LocalExecutor<'static>>,
    listener: Listener,
    limits: &Limits,
    stop: Stop,
    handler: H,
) -> io::Result<()>
where
    H: Fn(Rc<Connection>) -> F + 'static,
    F: Future<Output = Reason> + 'static,
{
    ensure_driven()?;
    let shared = Rc::new(Shared {
        executor: Rc::downgrade(executor),
        limits: limits.clone(),
        figures: listener.figures(),
        scratch: Rc::default(),
    });
    let max_clients = max_clients(&listener.sockets, limits);
    let door = |socket| Ok((Spare::new(&socket)?, Async::new(socket)?));
    let doors = listener.sockets.into_iter().map(door).collect::<io::Result<Vec<_>>>()?;
    let (emptied, empty) = async_channel::bounded(1);
    let server = Rc::new(Server {
        max_clients,
        places: Arc::new(Semaphore::new(max_clients)),
        origins: RefCell::default(),
        clients: RefCell::default(),
        refusals: Refusals::new(),
        accepts_log: Quiet::default(),
        emptied,
        handler,
        shared,
    });
    #[cfg(target_os = "linux")]
    let _watching: Vec<_> = doors.iter().map(|(_, it)| watch(&server, it.get_ref())).collect();
    let loops: Vec<Task<()>> = doors
        .into_iter()
        .map(|(spare, socket)| executor.spawn(accept_loop(server.clone(), socket, spare)))
        .collect();
    let clients = Clients(server.clone());

    stop.wait().await;
    for accepting in loops {
        accepting.cancel().await;
    }
    let teardown = TEARDOWN * server.clients.borrow().len().min(40_000) as u32;
    server.end_all();
    let emptied = async {
        while !server.clients.borrow().is_empty() {
            let _rung = empty.recv().await;
        }
    };
    or(emptied, async {
        Timer::after(SHUTDOWN.saturating_sub(teardown)).await;
    })
    .await;
    for (_, client) in clients.take() {
        client.task.cancel().await;
    }
    Ok(())
}

/// How many clients are admitted beside what the process has open now.
fn max_clients(sockets: &[TcpListener], limits: &Limits) -> usize {
    let Some(socket) = sockets.first() else { return 0 };
    let spares = sockets.len() as u64;
    make_room(limits.max_clients, open_descriptors(socket).saturating_add(spares))
}

/// What every connection needs of its server.
pub(crate) struct Shared {
    /// Weak: the executor owns the tasks that own this.
    executor: Weak<LocalExecutor<'static>>,
    pub(crate) limits: Limits,
    pub(crate) figures: Rc<Figures>,
    pub(crate) scratch: Rc<Scratch>,
}

impl Shared {
    pub(crate) fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.try_spawn(future).expect("a task that runs has an executor")
    }

    /// `None` when the executor is being dropped, and this task with it.
    pub(crate) fn try_spawn<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Option<Task<T>> {
        Some(self.executor.upgrade()?.spawn(future))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

struct Server<H> {
    shared: Rc<Shared>,
    handler: H,
    /// Those of [`Limits::max_clients`] that the descriptor limit has room for.
    max_clients: usize,
    /// One permit a client.
    places: Arc<Semaphore>,
    /// Clients by [`origin`]; empty unless `max_per_ip` is set.
    origins: RefCell<HashMap<IpAddr, usize>>,
    clients: RefCell<Slab<Client>>,
    refusals: Refusals,
    accepts_log: Quiet,
    /// Rung whenever a client is gone.
    emptied: async_channel::Sender<()>,
}

struct Client {
    connection: Rc<Connection>,
    task: Task<()>,
}

/// Ends every client's task when dropped: those hold the server, so that it would outlive a
/// [`serve`] that its host drops.
struct Clients<H>(Rc<Server<H>>);

impl<H> Clients<H> {
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
    fn end_all(&self) {
        let clients: Vec<_> =
            self.clients.borrow().iter().map(|(_, client)| client.connection.clone()).collect();
        for connection in clients {
            connection.end(Reason::GoingDown);
        }
    }

    #[cfg(target_os = "linux")]
    fn end(&self, row: &Row, reason: Reason) {
        let clients = self.clients.borrow();
        let found =
            clients.iter().map(|(_, client)| client.connection.clone()).find(|connection| {
                connection.peer() == row.peer && connection.cookie() == Some(row.cookie)
            });
        drop(clients);
        if let Some(connection) = found {
            connection.end(reason);
        }
    }

    /// A place for one more client from `peer`, or why there is none.
    fn admit(self: &Rc<Self>, peer: SocketAddr) -> Result<Admission<H>, String> {
        let limits = &self.shared.limits;
        let place = self.places.try_acquire_arc().ok_or_else(|| {
            let s = if self.max_clients == 1 { "" } else { "s" };
            format!("server full ({} client{s}), please try again later", self.max_clients)
        })?;
        let origin = origin(peer.ip()).filter(|_| limits.max_per_ip > 0);
        if let Some(origin) = origin {
            let mut origins = self.origins.borrow_mut();
            let count = origins.entry(origin).or_default();
            if *count >= limits.max_per_ip {
                return Err(format!("too many connections from {}", peer.ip()));
            }
            *count += 1;
        }
        self.shared.figures.clients.add(1);
        self.shared.figures.accepted.add(1);
        Ok(Admission { server: self.clone(), origin: origin.map(Box::new), _place: place })
    }

    fn complain(&self, error: &io::Error) {
        if self.accepts_log.speak() {
            log::warn!("cannot take new clients for the moment: {error}");
        }
    }
}

impl<H, F> Server<H>
where
    H: Fn(Rc<Connection>) -> F + 'static,
    F: Future<Output = Reason> + 'static,
{
    /// Takes the client at the head of the queue: in, or to be refused at once where there is no
    /// descriptor for it to stay.
    fn take(self: &Rc<Self>, listener: &TcpListener, spare: &mut Spare) -> io::Result<()> {
        match accept(listener) {
            Ok((stream, peer)) => self.welcome(stream, peer),
            Err(error) if is_exhaustion(&error) => spare.accept(listener, |stream| {
                self.complain(&error);
                let why = "server full, please try again later";
                self.refusals.tell(&self.shared.figures, &stream, why);
            })?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let admission = match self.admit(peer) {
            Ok(admission) => admission,
            Err(why) => {
                self.refusals.tell(&self.shared.figures, &stream, &why);
                return self.refusals.linger(&self.shared, stream);
            }
        };
        let connection = match Connection::new(self.shared.clone(), stream, peer) {
            Ok(connection) => Rc::new(connection),
            Err(error) => return self.complain(&error),
        };
        let mut clients = self.clients.borrow_mut();
        let entry = clients.vacant_entry();
        let key = entry.key();
        let ending =
            Ending { key, connection: connection.clone(), admission, reason: Cell::default() };
        // A block and not an `async fn`, whose future would hold its argument twice.
        let task = self.shared.spawn(async move {
            let handled = (ending.admission.server.handler)(ending.connection.clone());
            ending.reason.set(Some(handled.await));
        });
        entry.insert(Client { connection, task });
    }
}

/// A client's place; gives it back when dropped.
struct Admission<H> {
    server: Rc<Server<H>>,
    /// In a box: only with `max_per_ip` there is one.
    origin: Option<Box<IpAddr>>,
    _place: SemaphoreGuardArc,
}

impl<H> Drop for Admission<H> {
    fn drop(&mut self) {
        self.server.shared.figures.clients.sub(1);
        if let Some(origin) = &self.origin {
            let mut origins = self.server.origins.borrow_mut();
            if let Some(count) = origins.get_mut(origin) {
                *count -= 1;
                if *count == 0 {
                    origins.remove(origin);
                }
            }
        }
    }
}

/// Does what is due when a connection ends, however it ends: by itself, by a panic, by the end
/// of the grace period.
struct Ending<H> {
    key: usize,
    connection: Rc<Connection>,
    admission: Admission<H>,
    /// What the handler returned, if it came to that: it panics, or is dropped by a server that
    /// goes down.
    reason: Cell<Option<Reason>>,
}

impl<H> Drop for Ending<H> {
    fn drop(&mut self) {
        let server = &self.admission.server;
        let reason = self.reason.get().unwrap_or(if std::thread::panicking() {
            Reason::Failed
        } else {
            Reason::GoingDown
        });
        self.connection.close(reason);
        if let Some(client) = server.clients.borrow_mut().try_remove(self.key) {
            client.task.detach();
        }
        let _already_rung = server.emptied.try_send(());
    }
}

/// Ends those who are dead while data is under way, which TCP_USER_TIMEOUT does where the kernel
/// does not say what it knows.
#[cfg(target_os = "linux")]
fn watch<H: 'static>(server: &Rc<Server<H>>, listener: &TcpListener) -> Option<Task<()>> {
    let (server, shared) = (server.clone(), server.shared.clone());
    let Some(diag) = Diag::new(listener) else {
        log::warn!("the kernel does not answer sock_diag: slow readers may be cut");
        let _without_it = set_user_timeout(listener, shared.limits.dead);
        return None;
    };
    shared.try_spawn(diag.watch(shared.clone(), move |row, reason| server.end(row, reason)))
}

async fn accept_loop<H, F>(server: Rc<Server<H>>, socket: Async<TcpListener>, mut spare: Spare)
where
    H: Fn(Rc<Connection>) -> F + 'static,
    F: Future<Output = Reason> + 'static,
{
    let mut failures = 0;
    loop {
        for _ in 0..TURN {
            match socket.try_read(|listener| server.take(listener, &mut spare)) {
                Ok(()) => failures = 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _told_by_take = poll_fn(|cx| socket.poll_readable(cx)).await;
                }
                // An aborted connection; but an error that persists must not spin.
                Err(error) => {
                    failures += 1;
                    if failures > TURN || is_exhaustion(&error) {
                        server.complain(&error);
                        Timer::after(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        yield_now().await;
    }
}
