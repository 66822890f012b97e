//! No wake is lost and nothing starves, whichever driver it is.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::{or, poll_fn, poll_once, yield_now, zip};
use proptest::prelude::*;
use smol::LocalExecutor;

use super::{Async, Timer, block_on};

/// Time after which something awaited counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

fn pair() -> (Async<TcpStream>, TcpStream) {
    let (server, client) = sockets();
    (Async::new(server).expect("registered"), client)
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("accepted");
    let (server, _) = listener.accept().expect("a client");
    server.set_nonblocking(true).expect("a socket");
    client.set_nodelay(true).expect("a socket");
    (server, client)
}

/// A socket that, once it has given some bytes, fails some reads, as the kernel does at urgent data
/// while a signal is pending.
struct Signalled {
    stream: TcpStream,
    given: Cell<usize>,
    fails: Cell<u32>,
}

impl Signalled {
    fn pair(bytes_before: usize, fails: u32) -> (Async<Signalled>, TcpStream) {
        let (stream, peer) = sockets();
        rustix::net::sockopt::set_socket_oobinline(&stream, true).expect("a socket");
        let socket = Signalled { stream, given: Cell::new(bytes_before), fails: Cell::new(fails) };
        (Async::new(socket).expect("registered"), peer)
    }
}

impl AsFd for Signalled {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Read for &Signalled {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.given.get() == 0 && self.fails.get() > 0 {
            self.fails.set(self.fails.get() - 1);
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = (&self.stream).read(buffer)?;
        self.given.set(self.given.get().saturating_sub(n));
        Ok(n)
    }
}

impl Write for &Signalled {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (&self.stream).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn read<T: AsFd>(socket: &Async<T>, buffer: &mut [u8]) -> usize
where
    for<'a> &'a T: Read + Write,
{
    loop {
        poll_fn(|cx| socket.poll_readable(cx)).await.expect("a socket");
        match socket.read(buffer) {
            Ok(n) => return n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

async fn write_all(socket: &Async<TcpStream>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                poll_fn(|cx| socket.poll_writable(cx)).await.expect("a socket");
            }
        }
    }
}

/// The output of a future that must not take for ever.
fn in_time<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("a wake was lost")
    };
    block_on(or(future, late))
}

#[derive(Clone, Debug)]
enum Step {
    /// The peer sends this many bytes, at once or one by one.
    Send(usize, bool),
    /// The reader reads with a buffer of this size, if all sent was not read already.
    Read(usize),
    Yield,
    /// A timer is set and dropped.
    Cancel(u64),
    Wait(u64),
    /// The connection is replaced by a new one, which gets the same descriptor.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..300usize, any::<bool>()).prop_map(|(n, whole)| Step::Send(n, whole)),
        6 => (1..200usize).prop_map(Step::Read),
        2 => Just(Step::Yield),
        1 => (0..50_000u64).prop_map(Step::Cancel),
        1 => (0..300u64).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

async fn take(steps: Vec<Step>) {
    let (mut socket, mut peer) = pair();
    let mut unread = 0;
    for step in steps {
        match step {
            Step::Send(n, true) => {
                peer.write_all(&vec![b'x'; n]).expect("a socket");
                unread += n;
            }
            Step::Send(n, false) => {
                (0..n).for_each(|_| peer.write_all(b"x").expect("a socket"));
                unread += n;
            }
            Step::Read(size) if unread > 0 => unread -= read(&socket, &mut vec![0; size]).await,
            Step::Read(size) => {
                let mut buffer = vec![0; size];
                assert_eq!(poll_once(read(&socket, &mut buffer)).await, None);
            }
            Step::Yield => yield_now().await,
            Step::Cancel(micros) => {
                let timer = Timer::after(Duration::from_micros(micros));
                let _either_way = poll_once(timer).await;
            }
            Step::Wait(micros) => {
                Timer::after(Duration::from_micros(micros)).await;
            }
            Step::Reopen => {
                drop(socket);
                (socket, peer) = pair();
                unread = 0;
            }
        }
    }
    peer.shutdown(Shutdown::Write).expect("a socket");
    loop {
        let n = read(&socket, &mut [0; 64]).await;
        if n == 0 {
            break;
        }
        unread -= n;
    }
    assert_eq!(unread, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(2_000)))]

    #[test]
    fn no_wake_is_lost_over_any_interleaving(steps in prop::collection::vec(step(), 0..30)) {
        in_time(take(steps));
    }
}

#[test]
fn a_fin_right_behind_the_data_is_seen() {
    for _ in 0..200 {
        let (socket, mut peer) = pair();
        peer.write_all(b"bye").expect("a socket");
        drop(peer);
        in_time(async {
            let mut buffer = [0; 64];
            assert_eq!(read(&socket, &mut buffer).await, 3);
            assert_eq!(read(&socket, &mut buffer).await, 0);
        });
    }
}

/// A read stops short of urgent data, and the driver must not take that for the end.
#[test]
fn data_behind_urgent_data_is_read() {
    let (socket, mut peer) = pair();
    rustix::net::sockopt::set_socket_oobinline(&socket, true).expect("a socket");
    peer.write_all(b"before").expect("a socket");
    rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).expect("a socket");
    peer.write_all(b"behind").expect("a socket");
    in_time(async {
        let mut all = Vec::new();
        while all.len() < 13 {
            let mut buffer = [0; 64];
            let n = read(&socket, &mut buffer).await;
            all.extend_from_slice(&buffer[..n]);
        }
        assert_eq!(all, b"before!behind");
    });
}

/// The kernel does not tell again of what it has told of once.
#[test]
fn urgent_data_and_a_fin_are_read_although_a_signal_fails_the_read_at_them() {
    for (before, fails) in [(&b""[..], 1), (b"", 3), (b"before", 1), (b"before", 3)] {
        let (socket, mut peer) = Signalled::pair(before.len(), fails);
        peer.write_all(before).expect("a socket");
        rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).expect("a socket");
        drop(peer);
        in_time(async {
            let (mut all, mut buffer) = (Vec::new(), [0; 64]);
            loop {
                match read(&socket, &mut buffer).await {
                    0 => break,
                    n => all.extend_from_slice(&buffer[..n]),
                }
            }
            assert_eq!(all, [before, b"!"].concat());
        });
        assert_eq!(socket.get_ref().fails.get(), 0, "no read failed");
    }
}

/// It would take all of the thread's time.
#[cfg(all(target_os = "linux", feature = "one-thread"))]
#[test]
fn a_read_that_fails_for_good_is_not_tried_for_ever() {
    for urgent in [true, false] {
        let (socket, peer) = Signalled::pair(0, u32::MAX);
        if urgent {
            rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).expect("a socket");
        }
        drop(peer);
        in_time(async {
            poll_fn(|cx| socket.poll_readable(cx)).await.expect("a socket");
            // Urgent data may be told of before those bytes arrive that come first.
            let mut arrived = &socket.get_ref().stream;
            assert_eq!(arrived.read(&mut [0; 64]).expect("a socket"), usize::from(urgent));
            assert!(poll_once(read(&socket, &mut [0; 64])).await.is_none());
        });
    }
}

/// It would keep its task running for as long as the peer goes on sending.
#[test]
fn a_socket_that_had_urgent_data_gives_way_to_others() {
    let (socket, mut peer) = pair();
    rustix::net::sockopt::set_socket_oobinline(&socket, true).expect("a socket");
    rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).expect("a socket");
    in_time(async {
        for sent in [b"!", b"a"] {
            let mut buffer = [0; 64];
            assert_eq!(read(&socket, &mut buffer).await, 1);
            assert_eq!(buffer[..1], sent[..]);
            peer.write_all(b"a").expect("a socket");
        }
        let readable = poll_fn(|cx| socket.poll_readable(cx));
        assert!(poll_once(readable).await.is_none());
    });
}

#[test]
fn a_reader_and_a_writer_wait_on_one_socket() {
    const BYTES: usize = 8 << 20;
    let (socket, peer) = pair();
    let mut reading = peer.try_clone().expect("a descriptor");
    let mut writing = peer;
    let back = thread::spawn(move || {
        let mut all = Vec::new();
        reading.read_to_end(&mut all).expect("a socket");
        all.len()
    });
    let there = thread::spawn(move || {
        writing.write_all(&vec![1; BYTES]).expect("a socket");
        writing.shutdown(Shutdown::Write).expect("a socket");
    });
    in_time(async {
        let reader = async {
            let (mut all, mut buffer) = (0, vec![0; 5000]);
            loop {
                match read(&socket, &mut buffer).await {
                    0 => return all,
                    n => all += n,
                }
            }
        };
        let bytes = vec![2; BYTES];
        let writer = async {
            write_all(&socket, &bytes).await;
            socket.get_ref().shutdown(Shutdown::Write).expect("a socket");
        };
        assert_eq!(zip(reader, writer).await.0, BYTES);
    });
    there.join().expect("all was sent");
    assert_eq!(back.join().expect("all was read"), BYTES);
}

#[test]
fn a_wake_from_another_thread_arrives() {
    for _ in 0..200 {
        let (sender, receiver) = async_channel::bounded(1);
        let other = thread::spawn(move || sender.send_blocking(7));
        assert_eq!(in_time(receiver.recv()), Ok(7));
        other.join().expect("it sends").expect("it is received");
    }
}

#[test]
fn thousands_of_timers_each_fire_once_in_order_and_never_early() {
    let executor = Rc::new(LocalExecutor::new());
    let fired = Rc::new(RefCell::new(Vec::new()));
    // Time enough for all to be waiting before the first is due.
    let start = Instant::now() + Duration::from_secs(1);
    for n in 0..5000u32 {
        let at = start + Duration::from_millis(u64::from(n * 7919 % 100));
        let fired = fired.clone();
        let task = executor.spawn(async move {
            Timer::at(at).await;
            assert!(Instant::now() >= at);
            fired.borrow_mut().push(at);
        });
        // One in five is cancelled.
        if n % 5 == 0 { drop(task) } else { task.detach() }
    }
    let all = async {
        while fired.borrow().len() < 4000 {
            Timer::after(Duration::from_millis(1)).await;
        }
    };
    in_time(executor.run(all));
    let fired = fired.borrow();
    assert_eq!(fired.len(), 4000);
    assert!(fired.is_sorted());
}

#[test]
fn a_task_that_always_yields_starves_no_socket() {
    let (socket, mut peer) = pair();
    let executor = LocalExecutor::new();
    let _busy = executor.spawn(async {
        loop {
            yield_now().await;
        }
    });
    in_time(executor.run(async {
        for _ in 0..100 {
            peer.write_all(b"x").expect("a socket");
            assert_eq!(read(&socket, &mut [0; 8]).await, 1);
        }
    }));
}

#[test]
fn a_socket_that_is_always_ready_starves_no_timer() {
    let (socket, _peer) = pair();
    let executor = LocalExecutor::new();
    let turns = Cell::new(0);
    in_time(executor.run(async {
        let busy = async {
            loop {
                poll_fn(|cx| socket.poll_writable(cx)).await.expect("a socket");
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        let timers = async {
            for _ in 0..50 {
                Timer::after(Duration::from_millis(1)).await;
            }
        };
        or(timers, busy).await;
    }));
    assert!(turns.get() > 50);
}

/// A host may be told of edges only, as tokio tells it: the rest must not wait for the next.
#[cfg(all(target_os = "linux", feature = "one-thread"))]
#[test]
fn a_host_takes_another_turn_while_events_are_left() {
    use super::{HostLoop, Turn};

    crate::server::limits::raise_descriptor_limit();
    // More than one turn takes, and nobody waits for any but the last.
    let mut others: Vec<_> = (0..600).map(|_| pair()).collect();
    let (socket, mut peer) = pair();
    let mut servers = HostLoop::new(async move {
        let mut buffer = [0; 8];
        read(&socket, &mut buffer).await
    })
    .expect("descriptors");
    (0..4).for_each(|_| assert!(matches!(servers.turn(), Turn::Wait(_))));
    for (_, other) in &mut others {
        other.write_all(b"x").expect("a socket");
    }
    peer.write_all(b"last").expect("a socket");
    let mut turns = std::iter::repeat_with(|| servers.turn());
    let last = turns.find(|turn| *turn != Turn::Wait(Some(Duration::ZERO)));
    assert_eq!(last, Some(Turn::Done(4)));
}
