//! The accept loop: each client is taken in, or told why it cannot come in.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use futures_lite::future::{poll_fn, yield_now};

use super::clients::{Client, Server, Visit};
use super::connection::Connection;
use super::limits::{ACCEPT_PAUSE, BUDGET};
use super::peer::Peer;
use super::socket::{Spare, accept, is_exhaustion};
use super::stream::Stream;
use crate::driver::{Async, Timer};

pub(super) async fn accept_loop(server: Rc<Server>, socket: Async<OwnedFd>, mut spare: Spare) {
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

impl Server {
    /// Accepts the client at the head of the queue. If there is no descriptor left for it, it is
    /// only told so and closed.
    fn take(self: &Rc<Self>, listener: &OwnedFd, spare: &mut Spare) -> io::Result<()> {
        let limits = &self.shared.limits;
        match accept(listener, limits) {
            Ok((stream, peer)) => self.welcome(stream, peer),
            Err(error) if is_exhaustion(&error) => spare.accept(listener, limits, |stream| {
                self.complain(&error);
                let why = "server full, please try again later";
                self.refusals.tell(&self.shared.stats, &stream, why);
            })?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Starts the task of one client, or tells it why there is none.
    pub(super) fn welcome(self: &Rc<Self>, stream: Stream, peer: Peer) {
        let (place, subnet) = match self.admit(&peer) {
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
        place.forget();
        let visit = Visit::new(self.clone(), key, connection.clone(), subnet);
        if let Some(task) = (self.start)(visit) {
            self.clients.borrow_mut().insert(Client { connection, task });
        }
    }
}
