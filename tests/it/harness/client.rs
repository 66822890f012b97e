//! A blocking client whose tests read like a telnet session.

use std::fmt::Display;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};

use super::{PATIENCE, Socket, sockets};

/// Time in which a socket that takes no more bytes counts as blocked.
const BLOCKED: Duration = Duration::from_millis(300);

/// A blocking client that gives up after [`PATIENCE`].
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
    /// What the chat calls it.
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).expect("the server accepts"))
    }

    /// A client that takes only a few KiB it does not read.
    pub(crate) fn connect_small(address: SocketAddr) -> Client {
        let socket =
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP));
        let socket = socket.expect("a socket");
        // The kernel takes its own minimum instead; set later, it would not bound the window.
        sockopt::set_socket_recv_buffer_size(&socket, 1).expect("a socket");
        rustix::net::connect(&socket, &address).expect("the server accepts");
        Client::over(TcpStream::from(socket))
    }

    pub(crate) fn connect_unix(path: &Path) -> Client {
        Client::over_unix(UnixStream::connect(path).expect("the server accepts"))
    }

    pub(crate) fn over(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a socket");
        Client::over_socket(stream.into())
    }

    pub(crate) fn over_unix(stream: UnixStream) -> Client {
        Client::over_socket(stream.into())
    }

    /// What std does with a TCP socket, it does with any.
    fn over_socket(socket: OwnedFd) -> Client {
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Client { stream: BufReader::with_capacity(4096, stream), name: String::new() }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next line, which must end in CR LF, without it.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        read.unwrap_or_else(|error| panic!("no line: {error}; so far {:?}", line.escape_ascii()));
        let text = line.strip_suffix(b"\r\n");
        let text = text.unwrap_or_else(|| panic!("no line end: {}", line.escape_ascii()));
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, line: impl Display) {
        assert_eq!(self.line(), line.to_string());
    }

    /// The next line that a person wrote; those of the server are passed over.
    #[track_caller]
    pub(crate) fn said(&mut self) -> String {
        loop {
            let line = self.line();
            if !line.starts_with("*** ") {
                return line;
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect_said(&mut self, line: impl Display) {
        assert_eq!(self.said(), line.to_string());
    }

    /// Passes over lines up to this one.
    #[track_caller]
    pub(crate) fn skip_to(&mut self, line: impl Display) {
        let line = line.to_string();
        while self.line() != line {}
    }

    /// Exactly these bytes.
    #[track_caller]
    pub(crate) fn expect_bytes(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.stream.read_exact(&mut read).expect("as many bytes");
        assert_eq!(read.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }

    #[track_caller]
    pub(crate) fn expect_eof(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("the server closes");
        assert_eq!(rest.escape_ascii().to_string(), "");
    }

    /// The server has cut the connection, by a RST.
    #[track_caller]
    pub(crate) fn expect_reset(&mut self) {
        let mut rest = Vec::new();
        let error = self.stream.read_to_end(&mut rest).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    /// Nothing comes for this long.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self, time: Duration) {
        assert_eq!(self.stream.buffer().escape_ascii().to_string(), "");
        let time = Timespec::try_from(time).expect("a short time");
        let mut waiting = [PollFd::new(self.socket(), PollFlags::IN)];
        assert_eq!(poll(&mut waiting, Some(&time)).expect("a socket"), 0);
    }

    /// Bytes the server has for this client, which it does not take.
    pub(crate) fn unsent(&self) -> u64 {
        self.server_end().map_or(0, |socket| socket.unsent)
    }

    /// Bytes of this client that wait for the server to read them.
    pub(crate) fn unread(&self) -> u64 {
        self.server_end().map_or(0, |socket| socket.unread)
    }

    fn server_end(&self) -> Option<Socket> {
        let server = self.socket().peer_addr().expect("connected");
        let port = self.socket().local_addr().expect("connected").port();
        sockets(server).into_iter().find(|socket| socket.peer_port == port)
    }

    /// Takes whatever the server has from now on.
    pub(crate) fn widen(&self) {
        sockopt::set_socket_recv_buffer_size(self.socket(), 1 << 20).expect("a socket");
    }

    /// Sends of `bytes`, again and again, until the server reads no more; returns how many went.
    pub(crate) fn send_until_blocked(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        let blocked = Timespec::try_from(BLOCKED).expect("a short time");
        self.socket().set_nonblocking(true).expect("a socket");
        loop {
            let rest = &bytes[sent % bytes.len()..];
            match self.stream.get_mut().write(rest) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut waiting = [PollFd::new(self.socket(), PollFlags::OUT)];
                    if poll(&mut waiting, Some(&blocked)).expect("a socket") == 0 {
                        break;
                    }
                }
                Err(error) => panic!("the server closed: {error}"),
            }
        }
        self.socket().set_nonblocking(false).expect("a socket");
        sent
    }

    /// Says goodbye, and still reads.
    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).expect("connected");
    }

    /// Vanishes with a RST.
    pub(crate) fn reset(self) {
        sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO)).expect("a socket");
    }
}

/// `a` speaks and `b` reads it as the next line, so all before has passed through the server.
#[track_caller]
pub(crate) fn speaks(a: &mut Client, b: &mut Client, text: &str) {
    a.send(format!("{text}\r\n"));
    b.expect(format_args!("<{}> {text}", a.name));
}
