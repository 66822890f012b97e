//! Sockets and protocols, the lower half of asyncio: what a server does with a connection, in smol
//! alone, as a function of the library, and as an object with callbacks.

mod driver;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use async_channel::{Sender, bounded};
use driver::{Protocol, Transport, drive};
use futures_lite::{AsyncReadExt, AsyncWriteExt, io::copy};
use smol::net;
use smol_servers::{CloseReason, Connection, Peer, echo};

use crate::bits::{OpenConnection, Server, open_connection, start_server};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(streams, "an echo server and its client in smol alone").real_time(),
    task!(sockets, "an echo server that says who connects").real_time(),
    task!(protocol, "an echo server as an object with callbacks").real_time(),
];

/// `start_server` and `open_connection` as a program of your own has them, with a task for each client.
/// A clone of a stream is the same socket, so one is read and the other written. Nothing here bounds
/// the clients; that is what `serve` is for.
pub async fn streams(ex: Ex) {
    let listener = net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let clients = ex.clone();
    let _server = ex.spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            println!("accepted ('{}', {})", peer.ip(), peer.port());
            clients.spawn(async move { copy(stream.clone(), stream).await }).detach();
        }
    });
    let mut client = net::TcpStream::connect(address).await.expect("it listens");
    client.write_all(b"hello\r\n").await.expect("it reads");
    let mut answer = [0; 7];
    client.read_exact(&mut answer).await.expect("it answers");
    println!("b'{}'", answer.escape_ascii());
}

/// `sock_accept`, `sock_recv` and `sock_sendall` are what `serve` and a [`Connection`] do. This is
/// all that is left: src/bin/echo.rs is the same server with its limits on the command line.
pub async fn sockets(ex: Ex) {
    let server = listen(&ex, |connection: Connection| async move {
        if let Peer::Ip { address, port } = connection.peer() {
            println!("Получен запрос на подключение от ('{address}', {port})");
        }
        echo(connection).await
    });
    let server = server.await.expect("a free port");
    let client = connect(&ex, &server).await.expect("it listens");
    client.write(b"hello\r\n").await.expect("it reads");
    assert_eq!(&*client.read().await.expect("it answers"), b"hello\r\n");
}

/// An async fn keeps between two awaits what a protocol keeps in `self` between two callbacks, and
/// is the shorter form: compare "sockets". So smol has no protocols; a trait and a loop make them.
/// asyncio's `transport.write` never waits, so its buffer has no bound; here nothing is read while
/// something is to be written.
pub async fn protocol(ex: Ex) {
    let (sender, lost) = bounded(1);
    let server = listen(&ex, move |connection| {
        drive(connection, EchoServer { name: String::new(), lost: sender.clone() })
    });
    let server = server.await.expect("a free port");
    let client = connect(&ex, &server).await.expect("it listens");
    client.write(b"This").await.expect("it reads");
    assert_eq!(&*client.read().await.expect("it answers"), b"This");
    drop(client);
    lost.recv().await.expect("the server still has the other end");
}

struct EchoServer {
    name: String,
    lost: Sender<()>,
}

impl Protocol for EchoServer {
    fn connection_made(&mut self, transport: &mut Transport) {
        if let Peer::Ip { address, port } = transport.peer() {
            self.name = format!("EchoServer_{address}_{port}");
        }
        println!("{}: connection accepted", self.name);
    }

    fn data_received(&mut self, data: &[u8], transport: &mut Transport) {
        println!("{}: received b'{}'", self.name, data.escape_ascii());
        transport.write(data);
        println!("{}: sent b'{}'", self.name, data.escape_ascii());
    }

    fn eof_received(&mut self, _transport: &mut Transport) {
        println!("{}: received EOF", self.name);
    }

    fn connection_lost(&mut self, _reason: Option<CloseReason>) {
        println!("{}: closing", self.name);
        let _nobody_waits = self.lost.try_send(());
    }
}

/// Starts a server on a free port of loopback.
async fn listen(ex: &Ex, handler: impl smol_servers::Handler) -> io::Result<Server> {
    start_server(ex, &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))], handler).await
}

/// Over TCP. It blocks until the kernel has connected the two, on loopback for a system call.
async fn connect(ex: &Ex, server: &Server) -> io::Result<OpenConnection> {
    open_connection(ex, TcpStream::connect(server.addresses[0])?).await
}
