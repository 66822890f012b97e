//! A connection to the engine: commands go out, and as many replies come in. It never blocks.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use futures_lite::future::yield_now;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, sockopt};

use super::commands::Commands;
use super::resp::{Decoder, Malformed, Reply};
use crate::driver::{Async, now};
use crate::server::limits::BUFFER_BYTES;
use crate::server::socket::open;
use crate::server::stream::Stream;

/// Where the engine is. It is connected to without TLS, and no name is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineAddress {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Over a unix socket, by its path: at most 107 bytes on Linux, 103 elsewhere.
    Unix(PathBuf),
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineAddress::Tcp(address) => address.fmt(f),
            EngineAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a connection to the engine ended.
#[derive(Debug)]
pub(crate) enum Cut {
    /// The connection broke, or there was none.
    Io(io::Error),
    /// The engine said this.
    Refused(String),
    /// It is not an engine.
    Malformed(Malformed),
    /// It did not answer in time.
    Stalled,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Io(error) => error.fmt(f),
            Cut::Refused(said) => f.write_str(said),
            Cut::Malformed(why) => why.fmt(f),
            Cut::Stalled => f.write_str("it does not answer"),
        }
    }
}

/// What a reply should have been.
///
/// # Errors
/// When it was something else, or did not come.
pub(crate) fn expected<T>(reply: Option<T>) -> Result<T, Cut> {
    reply.ok_or_else(|| Cut::Refused("it answered with something else".to_owned()))
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Cut {
        Cut::Io(error)
    }
}

impl From<Malformed> for Cut {
    fn from(why: Malformed) -> Cut {
        Cut::Malformed(why)
    }
}

pub(crate) struct Link {
    stream: Async<Stream>,
    decoder: Decoder,
    waits: Waits,
}

/// Since when a link waits for the rest of its replies, if it does: for who watches over it.
pub(crate) type Waits = Rc<Cell<Option<Instant>>>;

impl Link {
    /// Begins to connect; the first [call](Self::call) tells whether that succeeds.
    pub(crate) fn open(address: &EngineAddress, waits: Waits) -> io::Result<Link> {
        let stream = Async::new(Stream::from(connect(address)?))?;
        Ok(Link { stream, decoder: Decoder::default(), waits })
    }

    /// Sends commands, each of which the engine must accept, and waits for the replies.
    ///
    /// # Errors
    /// When the connection broke or the engine refused one of them: the link is of no more use.
    pub(crate) async fn call(&mut self, commands: &Commands) -> Result<Vec<Reply>, Cut> {
        self.waits.set(Some(now()));
        self.write(commands.bytes()).await?;
        let mut replies = Vec::with_capacity(commands.len());
        let mut buffer = vec![0; BUFFER_BYTES];
        while replies.len() < commands.len() {
            let n = self.read(&mut buffer).await?;
            // What is long on its way, as entries of strangers may be, does not hang.
            self.waits.set(Some(now()));
            let mut input = &buffer[..n];
            while let Some(reply) = self.decoder.next(&mut input)? {
                if let Reply::Error(said) = reply {
                    return Err(Cut::Refused(said));
                }
                replies.push(reply);
            }
            if n == buffer.len() {
                // There may be more, whose reading would hold up everyone else.
                yield_now().await;
            }
        }
        self.waits.set(None);
        Ok(replies)
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                // Also while it connects.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.stream.poll_writable(cx)).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            poll_fn(|cx| self.stream.poll_readable(cx)).await?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("it closed the connection")),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// A socket that connects, or is connected already.
fn connect(address: &EngineAddress) -> io::Result<OwnedFd> {
    let (socket, begun) = match address {
        EngineAddress::Tcp(address) => {
            let is_ipv4 = address.is_ipv4();
            let socket = open(if is_ipv4 { AddressFamily::INET } else { AddressFamily::INET6 })?;
            // Commands are few and answered at once: Nagle's algorithm would hold each back.
            sockopt::set_tcp_nodelay(&socket, true)?;
            let begun = net::connect(&socket, address);
            (socket, begun)
        }
        EngineAddress::Unix(path) => {
            let socket = open(AddressFamily::UNIX)?;
            let begun = net::connect(&socket, &SocketAddrUnix::new(path)?);
            (socket, begun)
        }
    };
    match begun {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}
