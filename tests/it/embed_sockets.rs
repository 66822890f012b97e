//! Servers whose host has their sockets: those that listen, and single connections.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::{or, yield_now};
use smol_servers::{
    Chat, CloseReason, Connection, Limits, Listener, Participant, Peer, ServerHandle, Timer,
    block_on, run, serve,
};

use crate::harness::{Client, Executor, Folder, PATIENCE, speaks, take_turn, trigger};

const FULL: &str = "*** server full (2 clients), please try again later";
const GOODBYE: &str = "*** the server is going down, goodbye";

#[test]
fn one_chat_serves_every_socket_that_its_host_bound() {
    take_turn();
    let folder = Folder::new("bound");
    let path = folder.path("chat.sock");
    let tcp = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let addresses = tcp.each_ref().map(|it| it.local_addr().expect("a bound socket"));
    let mut listener = Listener::bind(&[], Limits::default()).expect("nothing to bind");
    for tcp in tcp {
        listener.add(tcp).expect("it listens");
    }
    listener.add(UnixListener::bind(&path).expect("a new file")).expect("it listens");
    assert_eq!(listener.addresses(), addresses);

    let (trigger, stop) = trigger();
    let session = std::thread::spawn(move || {
        let connect = [
            Client::connect(addresses[0]),
            Client::connect(addresses[1]),
            Client::connect_unix(&path),
        ];
        let mut guests: Vec<Client> = Vec::new();
        for mut guest in connect {
            guest.send("hello\r\n");
            for other in &mut guests {
                other.said();
            }
            guests.push(guest);
        }
        trigger.pull();
        for mut guest in guests {
            guest.skip_to(GOODBYE);
            guest.expect_eof();
        }
    });
    let executor = Executor::default();
    let served = serve(&executor, listener, stop.recv(), Chat::default());
    block_on(run(&executor, served)).expect("it serves");
    session.join().expect("all were served");
}

#[test]
fn a_connection_that_the_host_accepted_has_a_place_like_any_other() {
    take_turn();
    let limits = Limits { max_clients: 2, ..Limits::default() };
    let listener = Listener::bind(&[], limits).expect("nothing to bind");
    let (handle, stats) = (listener.handle(), listener.stats());
    let before = handle.admit(pair().0).expect_err("it does not run yet");
    assert_eq!(before.kind(), ErrorKind::NotConnected);

    let executor = Executor::default();
    let chat = Chat::default();
    let (host, work) = host(handle.clone(), chat.clone());
    executor.spawn(work).detach();
    let (trigger, stop) = trigger();
    let session = std::thread::spawn(move || {
        let mut ann = Client::over(host.tcp());
        ann.expect("*** welcome, you are guest1. nobody else is here yet");
        let mut bob = host.unix();
        bob.line();
        ann.line();
        (ann.name, bob.name) = ("guest1".to_owned(), "guest2".to_owned());
        speaks(&mut ann, &mut bob, "hello");
        let mut third = host.unix();
        third.expect(FULL);
        third.expect_eof();
        drop(bob);
        ann.expect("*** guest2 left");
        let mut eve = host.unix();
        eve.line();
        trigger.pull();
        ann.skip_to(GOODBYE);
        assert_eq!(host.admit(pair().0), Err(ErrorKind::NotConnected), "it takes no more");
        ann.expect_eof();
        eve.skip_to(GOODBYE);
        eve.expect_eof();
    });
    let served = serve(&executor, listener, stop.recv(), chat);
    block_on(run(&executor, served)).expect("it serves");
    session.join().expect("all were served");
    assert_eq!((stats.accepted.get(), stats.clients.get()), (3, 0));
    let after = handle.admit(pair().0).expect_err("it has ended");
    assert_eq!(after.kind(), ErrorKind::NotConnected);
}

#[test]
fn what_is_no_stream_socket_is_not_taken() {
    let mut listener = Listener::bind(&[], Limits::default()).expect("nothing to bind");
    let handle = listener.handle();
    let datagram = || UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for socket in [OwnedFd::from(datagram()), pair().0.into()] {
        let error = listener.add(socket).expect_err("nobody can connect to it");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let executor = Executor::default();
    let stop = async move {
        let error = handle.admit(datagram()).expect_err("it is no stream");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let lonely = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let error = handle.admit(lonely).expect_err("it has no peer");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    };
    let served = serve(&executor, listener, stop, Chat::default());
    block_on(run(&executor, served)).expect("it serves");
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("two sockets")
}

/// A host that accepts connections in a thread of their own, as the tests see it.
struct Host {
    give: Sender<OwnedFd>,
    admitted: Receiver<Result<(), ErrorKind>>,
}

/// The host, and its work beside the server, which checks where the guests come from too.
fn host(handle: ServerHandle, chat: Chat) -> (Host, impl Future<Output = ()>) {
    let (give, given) = bounded::<OwnedFd>(1);
    let (tell, admitted) = bounded(1);
    let is_ours = |guest: &Participant| match guest.peer() {
        Peer::Ip { address, .. } => address.is_loopback(),
        Peer::Unix { pid, .. } => pid == Some(std::process::id()),
        _ => false,
    };
    let work = async move {
        while let Ok(socket) = given.recv().await {
            let result = handle.admit(socket).map_err(|error| error.kind());
            tell.try_send(result).expect("somebody asked");
            assert!(chat.participants().iter().all(is_ours));
        }
    };
    (Host { give, admitted }, work)
}

impl Host {
    fn admit(&self, socket: impl Into<OwnedFd>) -> Result<(), ErrorKind> {
        self.give.try_send(socket.into()).expect("the host listens");
        self.admitted.recv_blocking().expect("the host answers")
    }

    fn unix(&self) -> Client {
        let (ours, theirs) = pair();
        self.admit(theirs).expect("it is a stream");
        Client::over_unix(ours)
    }

    fn tcp(&self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let ours = TcpStream::connect(listener.local_addr().expect("an address"));
        self.admit(listener.accept().expect("a client").0).expect("it is a stream");
        ours.expect("accepted")
    }
}

#[test]
fn a_handler_that_only_writes_ends_once_its_client_has_closed() {
    take_turn();
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let listener = Listener::bind(&[], limits).expect("nothing to bind");
    let (handle, stats) = (listener.handle(), listener.stats());
    let executor = Executor::default();
    let served =
        serve(&executor, listener, std::future::pending::<()>(), async |it: Connection| {
            loop {
                it.write_all(b"tick\r\n").await?;
                Timer::after(Duration::from_millis(5)).await;
            }
        });
    let ended = async {
        // It may come before the server does.
        while handle.admit(pair().0).is_err() {
            yield_now().await;
        }
        while stats.closed(CloseReason::Lost).get() == 0 {
            Timer::after(Duration::from_millis(5)).await;
        }
    };
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("it writes to nobody");
    };
    let served = async { served.await.expect("it serves") };
    block_on(run(&executor, or(or(ended, late), served)));
}
