//! The clients of a server: their places, each client's visit, and the end of all.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use async_lock::{Semaphore, SemaphoreGuard};
use futures_lite::future::or;
use slab::Slab;
use smol::Task;

use super::connection::Connection;
use super::limits::{SHUTDOWN, TEARDOWN};
use super::peer::Peer;
use super::refusal::{LogThrottle, Refusals};
use super::shared::Shared;
use super::stats::CloseReason;
use crate::driver::Timer;

pub(super) struct Server {
    pub(super) shared: Rc<Shared>,
    pub(super) start: Box<Start>,
    /// [`Limits::max_clients`](crate::Limits), or fewer if the descriptor limit has no room for
    /// them.
    pub(super) max_clients: usize,
    /// One permit a client.
    pub(super) places: Semaphore,
    /// Clients by [`Peer::subnet`]; empty unless `max_per_ip` is set.
    pub(super) subnets: RefCell<HashMap<IpAddr, usize>>,
    pub(super) clients: RefCell<Slab<Client>>,
    pub(super) refusals: Refusals,
    pub(super) accepts_log: LogThrottle,
    /// Holds a message once a client is gone.
    pub(super) left: Sender<()>,
}

/// Starts the task of a client; `None` while the executor is being dropped.
pub(super) type Start = dyn Fn(Visit) -> Option<Task<()>>;

pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) task: Task<()>,
}

/// Ends every client's task when dropped. The tasks hold the server, which would otherwise outlive
/// a [`serve`] that its host drops.
pub(super) struct Clients(pub(super) Rc<Server>);

impl Clients {
    /// Lets the clients read what is left, for as long as a shutdown may take, and drops who is
    /// still there then.
    pub(super) async fn drain(&self, gone: Receiver<()>) {
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

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl Server {
    fn close_all(&self) {
        let clients: Vec<_> =
            self.clients.borrow().iter().map(|(_, client)| client.connection.clone()).collect();
        for connection in clients {
            connection.request_close(CloseReason::GoingDown);
        }
    }

    /// A place for one more client from `peer`, or why there is none.
    pub(super) fn admit(
        &self,
        peer: &Peer,
    ) -> Result<(SemaphoreGuard<'_>, Option<IpAddr>), String> {
        let max_per_ip = self.shared.limits.max_per_ip;
        let place = self.places.try_acquire().ok_or_else(|| {
            let s = if self.max_clients == 1 { "" } else { "s" };
            format!("server full ({} client{s}), please try again later", self.max_clients)
        })?;
        let subnet = peer.subnet().filter(|_| max_per_ip > 0);
        match (subnet, peer.ip()) {
            (Some(it), Some(ip)) if self.subnets.borrow().get(&it) >= Some(&max_per_ip) => {
                Err(format!("too many connections from {ip}"))
            }
            _ => Ok((place, subnet)),
        }
    }

    pub(super) fn complain(&self, error: &io::Error) {
        if self.accepts_log.is_due() {
            log::warn!("cannot take new clients for the moment: {error}");
        }
    }
}

/// A client's time at the server. When it is dropped, for whatever reason (the handler is done or
/// panics, or a shutdown's time is over), it gives its place back and is logged.
pub(super) struct Visit {
    pub(super) server: Rc<Server>,
    /// Its key among the clients: 32 bits do, as for the number of a descriptor.
    key: u32,
    pub(super) connection: Connection,
    /// In a box: only with `max_per_ip` there is one.
    subnet: Option<Box<IpAddr>>,
    /// Why it ended, once the handler said so.
    pub(super) reason: Cell<Option<CloseReason>>,
}

impl Visit {
    pub(super) fn new(
        server: Rc<Server>,
        key: usize,
        connection: Connection,
        subnet: Option<IpAddr>,
    ) -> Visit {
        server.shared.stats.clients.add(1);
        server.shared.stats.accepted.add(1);
        if let Some(subnet) = subnet {
            *server.subnets.borrow_mut().entry(subnet).or_default() += 1;
        }
        let (subnet, reason) = (subnet.map(Box::new), Cell::default());
        Visit { server, key: key as u32, connection, subnet, reason }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Visit { server, subnet, .. } = self;
        let dropped =
            if std::thread::panicking() { CloseReason::Failed } else { CloseReason::GoingDown };
        self.connection.record(self.reason.get().unwrap_or(dropped));
        server.shared.stats.clients.sub(1);
        server.places.add_permits(1);
        if let Some(subnet) = subnet {
            let mut subnets = server.subnets.borrow_mut();
            if let Some(count) = subnets.get_mut(&**subnet) {
                *count -= 1;
                if *count == 0 {
                    subnets.remove(&**subnet);
                }
            }
        }
        if let Some(client) = server.clients.borrow_mut().try_remove(self.key as usize) {
            client.task.detach();
        }
        let _already_full = server.left.try_send(());
    }
}
