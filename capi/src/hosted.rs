//! A chat and the loop it runs in, on the thread that made it. Knows nothing of pointers.

use std::cell::{RefCell, RefMut};
use std::ffi::{OsStr, c_int};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use async_channel::Sender;
use smol::LocalExecutor;
use smol_servers::program::{SocketFile, listen};
use smol_servers::{Chat, Events, HostLoop, Limits, Listener, ServerHandle, Turn, run, serve};

use crate::error::{Error, Kind};
use crate::event::CEvent;

/// Where a chat listens if its host does not say.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8002);

/// The future of the server.
type Serving = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A chat that only its own thread enters.
pub struct Hosted {
    home: ThreadId,
    inner: RefCell<Inner>,
}

pub(crate) struct Inner {
    servers: HostLoop<Serving>,
    chat: Chat,
    events: Events,
    admission: ServerHandle,
    /// Closed, it stops the server.
    stop: Sender<()>,
    port: u16,
    is_ended: bool,
    /// Set by a panic, since what it interrupted is half done.
    is_broken: bool,
}

impl Hosted {
    /// Listens on `addresses`, or on the default.
    pub(crate) fn new(addresses: Option<&[u8]>) -> Result<Hosted, Error> {
        let (listener, files) = listen_on(addresses)?;
        let port = listener.addresses().first().map_or(0, SocketAddr::port);
        let (admission, chat) = (listener.handle(), Chat::default());
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let (events, service) = (chat.events(), chat.clone());
        let serving = async move {
            let executor = Rc::new(LocalExecutor::new());
            let stopped = async {
                let _closed = stopped.recv().await;
                drop(files);
            };
            run(&executor, serve(&executor, listener, stopped, service)).await
        };
        let servers = HostLoop::new(Box::pin(serving) as Serving)?;
        let (is_ended, is_broken) = (false, false);
        let mut inner = Inner { servers, chat, events, admission, stop, port, is_ended, is_broken };
        // It begins to accept, so that an error shows here, and connections can be admitted.
        inner.turn()?;
        Ok(Hosted { home: thread::current().id(), inner: RefCell::new(inner) })
    }

    /// Makes a call on the chat's own thread.
    pub(crate) fn enter<T>(
        &self,
        call: impl FnOnce(&mut Inner) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut inner = self.own()?;
        if inner.is_broken {
            return Err(Error::new(Kind::Defect, "this chat met a defect and can only be freed"));
        }
        inner.is_broken = true;
        let result = call(&mut inner);
        inner.is_broken = false;
        result
    }

    /// Fails on another thread than its own, and within another call.
    pub(crate) fn own(&self) -> Result<RefMut<'_, Inner>, Error> {
        if thread::current().id() != self.home {
            let text = "this chat belongs to another thread, the one that made it";
            return Err(Error::new(Kind::Thread, text));
        }
        let busy =
            "another call for this chat has not returned yet; do not call from a signal handler";
        self.inner.try_borrow_mut().map_err(|_| Error::new(Kind::Thread, busy))
    }
}

impl Inner {
    /// Does what is ready; the milliseconds until the next turn, or `None` once the chat has ended.
    pub(crate) fn turn(&mut self) -> Result<Option<c_int>, Error> {
        if self.is_ended {
            return Ok(None);
        }
        match self.servers.turn() {
            Turn::Done(result) => {
                self.is_ended = true;
                result?;
                Ok(None)
            }
            Turn::Wait(wait) => Ok(Some(wait.map_or(-1, milliseconds))),
        }
    }

    pub(crate) fn next(&self) -> Option<CEvent> {
        std::iter::from_fn(|| self.events.try_next()).find_map(|event| CEvent::new(&event))
    }

    pub(crate) fn say(&self, line: &[u8]) {
        self.chat.say(&String::from_utf8_lossy(line));
    }

    /// Takes a connection that the host accepted.
    pub(crate) fn admit(&self, stream: OwnedFd) -> Result<(), Error> {
        self.admission.admit(stream).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected => {
                Error::new(Kind::Socket, "this descriptor is no connected stream socket")
            }
            _ => error.into(),
        })
    }

    pub(crate) fn stop(&self) {
        self.stop.close();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_ended || self.stop.is_closed()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn fd(&self) -> c_int {
        self.servers.as_fd().as_raw_fd()
    }
}

/// Rounded up: a wait that ends before its timer is due would be followed by another one of 0.
fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

fn listen_on(addresses: Option<&[u8]>) -> Result<(Listener, Vec<SocketFile>), Error> {
    let Some(addresses) = addresses else { return Ok((bind(&[DEFAULT])?, Vec::new())) };
    let words = addresses.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (paths, ips): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with(b"unix:"));
    let ips = ips.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let mut listener = bind(&ips)?;
    let mut files = Vec::new();
    for word in paths {
        let path = Path::new(OsStr::from_bytes(&word[b"unix:".len()..]));
        if path.as_os_str().is_empty() {
            return Err(Error::new(Kind::Address, "unix: needs the path of a file behind it"));
        }
        let cannot = |why| format!("cannot listen on unix:{}: {why}", path.display());
        let file = listen(path, &mut listener);
        files.push(file.map_err(|why| Error::new(Kind::Listen, cannot(why)))?);
    }
    Ok((listener, files))
}

fn bind(ips: &[SocketAddr]) -> Result<Listener, Error> {
    let bound = Listener::bind(ips, Limits::default());
    bound.map_err(|error| Error::new(Kind::Listen, error.to_string()))
}

fn parse(word: &[u8]) -> Result<SocketAddr, Error> {
    let word = String::from_utf8_lossy(word);
    word.parse().map_err(|_| {
        let text = format!(
            "'{word}' is no address; give IP:PORT such as 127.0.0.1:8002 or [::1]:8002, or \
             unix:PATH (names are not resolved)"
        );
        Error::new(Kind::Address, text)
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn hosted() -> Hosted {
        Hosted::new(Some(b"")).expect("it listens nowhere")
    }

    #[test]
    fn a_call_within_another_one_is_refused() {
        let hosted = hosted();
        let within = hosted.enter(|_| Ok(hosted.enter(|_| Ok(())).expect_err("it is busy")));
        assert_eq!(within.expect("the outer one").kind, Kind::Thread);
        assert!(hosted.enter(|_| Ok(())).is_ok());
    }

    #[test]
    fn what_a_panic_left_half_done_is_not_entered_again() {
        let hosted = hosted();
        let panicked: Result<Result<(), Error>, _> =
            catch_unwind(AssertUnwindSafe(|| hosted.enter(|_| panic!("a defect"))));
        assert!(panicked.is_err());
        assert_eq!(hosted.enter(|_| Ok(())).expect_err("it is broken").kind, Kind::Defect);
        assert!(hosted.own().is_ok(), "it can be freed");
    }

    #[test]
    fn a_wait_is_rounded_up_to_what_poll_takes() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(7)), 7);
        assert_eq!(milliseconds(Duration::MAX), c_int::MAX);
    }
}
