//! Same design: the algorithm of smol-servers, see `../same-design`, on smol as it is published: a
//! LocalExecutor in `block_on`, `Async` sockets and timers of its reactor.
//!
//! A read waits for the reactor first, since the kernel rarely has more at once. The thread has one
//! buffer, which is taken only when there is something to read.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use same_design::{GRACE, Kind, Member, NO_ACCEPT, STALL, Server, Speaker, TURN, start};
use smol::future::{or, yield_now};
use smol::io::{AsyncWrite, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer};

type Executor = Rc<LocalExecutor<'static>>;
type Stream = Rc<Async<TcpStream>>;

fn main() -> io::Result<()> {
    let (server, listener) = start("smol-same-design")?;
    let listener = Async::new(listener)?;
    let executor = Executor::default();
    // A task of its own: what `run` itself waits for is polled, and accepts, at every turn.
    let serving = executor.spawn(serve(executor.clone(), Rc::new(server), listener));
    smol::block_on(executor.run(serving));
    Ok(())
}

async fn serve(executor: Executor, server: Rc<Server>, listener: Async<TcpListener>) {
    executor.spawn(server.clone().keep_time(Timer::after)).detach();
    for accepted in 1.. {
        match listener.accept().await {
            Ok((stream, _)) if server.kind == Kind::Echo => {
                executor.spawn(echo(server.clone(), stream)).detach();
            }
            Ok((stream, _)) => {
                let guest = take_part(executor.clone(), server.clone(), Rc::new(stream));
                executor.spawn(guest).detach();
            }
            Err(_) => drop(Timer::after(NO_ACCEPT).await),
        }
        if accepted % TURN == 0 {
            yield_now().await;
        }
    }
}

async fn echo(server: Rc<Server>, stream: Async<TcpStream>) -> io::Result<()> {
    loop {
        let (chunk, n) = receive(&server, &stream).await?;
        if n == 0 {
            return Ok(());
        }
        let written = poll_fn(|cx| match Pin::new(&mut &stream).poll_write(cx, &chunk[..n]) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Ready(Ok(0)),
        })
        .await?;
        let rest = chunk[written..n].to_vec();
        server.give_back(chunk);
        if !rest.is_empty() {
            timeout(STALL, (&stream).write_all(&rest)).await??;
        }
    }
}

/// A member of the room, until it leaves.
async fn take_part(executor: Executor, server: Rc<Server>, stream: Stream) {
    let member = server.join();
    let mut writer = executor.spawn(pump(server.clone(), member.clone(), stream.clone()));
    let listened = async {
        let _left = listen(&server, &member, &stream).await;
        false
    };
    let wrote = async {
        let _broke = (&mut writer).await;
        true
    };
    let broke = or(listened, wrote).await;
    server.leave(&member);
    if !broke {
        // Dropped when it is late, which ends it.
        let _late = timeout(GRACE, writer).await;
    }
}

async fn listen(server: &Server, member: &Rc<Member>, stream: &Async<TcpStream>) -> io::Result<()> {
    let mut speaker = Speaker::new(member.clone());
    loop {
        let (chunk, n) = receive(server, stream).await?;
        let mut input = &chunk[..n];
        while speaker.say(server, &mut input) {
            yield_now().await;
        }
        server.give_back(chunk);
        if n == 0 {
            speaker.say_rest(server);
            return Ok(());
        }
    }
}

/// Writes what the member is due, until it has left and taken all of it.
async fn pump(server: Rc<Server>, member: Rc<Member>, stream: Stream) -> io::Result<()> {
    while !member.is_done() {
        server.due(&member).await;
        let take = |cx: &mut Context<'_>| {
            server.write(&member, |due| Pin::new(&mut &*stream).poll_write(cx, due))
        };
        // A timer only where the write is blocked.
        let more = match poll_fn(|cx| Poll::Ready(take(cx))).await {
            Poll::Ready(more) => more?,
            Poll::Pending => timeout(STALL, poll_fn(take)).await??,
        };
        if more {
            yield_now().await;
        }
    }
    Ok(())
}

/// Waits for bytes, and only then takes the buffer; it is the caller's to give back.
async fn receive(server: &Server, stream: &Async<TcpStream>) -> io::Result<(Box<[u8]>, usize)> {
    loop {
        poll_fn(|cx| stream.poll_readable(cx)).await?;
        let mut chunk = server.chunk();
        match stream.get_ref().read(&mut chunk) {
            Ok(n) => return Ok((chunk, n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => server.give_back(chunk),
            Err(error) => return Err(error),
        }
    }
}

async fn timeout<T>(time: Duration, future: impl Future<Output = T>) -> io::Result<T> {
    let late = async {
        Timer::after(time).await;
        Err(ErrorKind::TimedOut.into())
    };
    // When it is late, no other attempt is made.
    or(late, async { Ok(future.await) }).await
}
