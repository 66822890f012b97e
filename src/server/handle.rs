//! A host's way to hand a running server a connection that it did not accept itself.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

use super::clients::Server;
use super::socket::adopt_stream;

/// Hands connections to the server that serves the [`Listener`](crate::Listener) it was taken from;
/// clones are of the same server.
#[derive(Clone, Default)]
pub struct ServerHandle(Rc<RefCell<Option<Rc<Admit>>>>);

type Admit = dyn Fn(OwnedFd) -> io::Result<()>;

impl ServerHandle {
    /// Serves a connected `TcpStream` or `UnixStream` of the standard library, or another stream
    /// socket over TCP or a unix socket, as one that the server accepted: under the same limits,
    /// until the same stop. If the server is full, the client reads why and is closed; that is not
    /// an error here. It becomes non-blocking. Never waits.
    ///
    /// On Linux one whose client vanishes is found by TCP_USER_TIMEOUT while data is on its way to
    /// it, which may also cut a client that reads slowly.
    ///
    /// # Errors
    /// All of them close the connection. [`NotConnected`](io::ErrorKind::NotConnected) while
    /// [`serve`](crate::serve) does not run (it was not polled yet, or was told to stop), and for a
    /// socket without a peer; [`InvalidInput`](io::ErrorKind::InvalidInput) for anything but a
    /// stream socket; otherwise what the system says.
    pub fn admit(&self, stream: impl Into<OwnedFd>) -> io::Result<()> {
        let admit = self.0.borrow().clone();
        admit.ok_or(io::ErrorKind::NotConnected)?(stream.into())
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}

/// Lets a server's handle admit for as long as this lives.
pub(super) struct Admitting(ServerHandle);

impl Admitting {
    pub(super) fn start(handle: ServerHandle, server: &Rc<Server>) -> Admitting {
        let server: Weak<Server> = Rc::downgrade(server);
        let admit = move |stream| {
            let server = server.upgrade().ok_or(io::ErrorKind::NotConnected)?;
            let (stream, peer) = adopt_stream(stream, &server.shared.limits)?;
            server.welcome(stream, peer);
            Ok(())
        };
        *handle.0.borrow_mut() = Some(Rc::new(admit));
        Admitting(handle)
    }
}

impl Drop for Admitting {
    fn drop(&mut self) {
        self.0.0.take();
    }
}
