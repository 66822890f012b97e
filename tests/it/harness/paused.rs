//! Clients on the thread of their server, so that one paused clock is everybody's.

use std::future::pending;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::or;
use smol_servers::{
    Connection, Handler, Limits, Listener, ServerHandle, Stats, Timer, block_on_paused, run, serve,
};

use super::{Executor, take_turn};

/// Longer than any session: no client gives up its server.
const PATIENT: Duration = Duration::from_secs(100 * 86_400);

/// Serves on a paused clock during `session`, which is all of the clients' side.
pub(crate) fn serve_paused(limits: Limits, handler: impl Handler, session: impl AsyncFnOnce(Host)) {
    take_turn();
    let executor = Executor::default();
    let patient = Limits { stall: PATIENT, ..Limits::default() };
    let [server, clients] =
        [limits, patient].map(|limits| Listener::bind(&[], limits).expect("nothing to bind"));
    let (tell, connected) = bounded(1);
    let (to_server, to_clients) = (server.handle(), clients.handle());
    let host = Host { to_server, to_clients, connected, stats: server.stats() };
    // The library reads and writes for the clients, too.
    let client = move |connection: Connection| {
        let tell = tell.clone();
        async move {
            let (stays, gone) = bounded(1);
            let client = LocalClient { connection, stays, read: Vec::new() };
            tell.try_send(client).expect("one connects at a time");
            let _it_was_dropped = gone.recv().await;
            Ok(())
        }
    };
    let clients = serve(&executor, clients, pending::<()>(), client);
    // Else a session in which somebody waits for what never comes would never end.
    let session = or(session(host), async {
        Timer::after(PATIENT).await;
        panic!("the session waits for something that does not come");
    });
    let server = serve(&executor, server, session, handler);
    block_on_paused(run(&executor, or(clients, server))).expect("it serves");
}

/// What a session has of its server.
pub(crate) struct Host {
    to_server: ServerHandle,
    to_clients: ServerHandle,
    connected: Receiver<LocalClient>,
    pub(crate) stats: Rc<Stats>,
}

impl Host {
    /// A client over a unix socket, in which everything is with the peer at once.
    pub(crate) async fn connect(&self) -> LocalClient {
        let (ours, theirs) = UnixStream::pair().expect("descriptors");
        self.to_server.admit(theirs).expect("it serves");
        self.to_clients.admit(ours).expect("it serves");
        self.connected.recv().await.expect("a client")
    }
}

/// A client that says FIN when it is dropped.
pub(crate) struct LocalClient {
    pub(crate) connection: Connection,
    stays: Sender<()>,
    read: Vec<u8>,
}

impl LocalClient {
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) {
        self.connection.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// The next line without its end; `None` at the server's FIN, or once it is cut off.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            match self.connection.read().await {
                Ok(bytes) if !bytes.is_empty() => self.read.extend_from_slice(&bytes),
                _ => return None,
            }
        }
    }

    /// The next line that somebody said.
    pub(crate) async fn said(&mut self) -> String {
        loop {
            let line = self.line().await.expect("the server is there");
            if line.contains('<') {
                return line;
            }
        }
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        self.stays.close();
    }
}
