//! The algorithm of smol-servers, as far as it knows no runtime; what the peers in Rust of the lane
//! `same design` share. A peer adds its runtime's reads and writes, tasks and timers.
//!
//! One bounded log of lines for the room, and a cursor for each member (`room.rs`); a writer task
//! per client that takes all from its cursor to the end with one write; socket options set once,
//! on the listener. A busy room pauses: it wakes its members at once while it is quiet, then at the
//! end of each pause.
//! Left out: telnet, cleaning of text, limits on clients, join and leave notices, log and figures.
//!
//! Slow reader. Echo: it is not read from. Time: it skips to the newest line. Chat: one that is more
//! than 1 MiB behind is told how many lines it missed and goes on from the oldest kept. In all
//! three, it is cut off when it has output waiting and takes no byte for [`STALL`].

mod room;
mod server;
mod speaker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use room::Member;
pub use server::Server;
pub use speaker::Speaker;

/// Bytes of one read and of one write.
pub const CHUNK: usize = 16 * 1024;
/// Lines of one client, and accepts, before others have their turn.
pub const TURN: usize = 16;
/// Time in which a socket must take a byte.
pub const STALL: Duration = Duration::from_secs(30);
/// Time for what one who leaves still has to read.
pub const GRACE: Duration = Duration::from_secs(2);
/// Time to wait when nobody can be accepted.
pub const NO_ACCEPT: Duration = Duration::from_millis(100);

/// What a server does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Echo,
    Time,
    Chat,
}

/// The server that the command line asks for, and its socket. Ends the process with exit code 2 if the
/// command line is not the contract's.
///
/// # Errors
/// When the address cannot be had.
pub fn start(peer: &str) -> io::Result<(Server, TcpListener)> {
    let (kind, address) = arguments().unwrap_or_else(|| {
        eprintln!("usage: {peer} echo|time|chat ADDR:PORT");
        std::process::exit(2)
    });
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let listener = TcpListener::bind(address)?;
    sockopt::set_tcp_nodelay(&listener, true)?;
    let send_buffer = if kind == Kind::Echo { 64 * 1024 } else { 16 * 1024 };
    sockopt::set_socket_send_buffer_size(&listener, send_buffer)?;
    // Once more, with a backlog of our own.
    rustix::net::listen(&listener, 4096)?;
    Ok((Server::new(kind), listener))
}

fn arguments() -> Option<(Kind, SocketAddr)> {
    let mut args = std::env::args().skip(1);
    let kind = match args.next()?.as_str() {
        "echo" => Kind::Echo,
        "time" => Kind::Time,
        "chat" => Kind::Chat,
        _ => return None,
    };
    Some((kind, args.next()?.parse().ok()?))
}
