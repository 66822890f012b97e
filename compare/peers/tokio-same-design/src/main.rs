//! Same design: the algorithm of smol-servers, see `../same-design`, on tokio's current_thread
//! runtime and a LocalSet.
//!
//! Reads and writes go through tokio's poll_read and poll_write: those know, unlike `readable` and
//! `try_read`, that after a short read or write the kernel has no more. The thread has one buffer,
//! which is taken only when there is something to read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use same_design::{GRACE, Kind, Member, NO_ACCEPT, STALL, Server, Speaker, TURN, start};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (server, listener) = start("tokio-same-design")?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    LocalSet::new().run_until(serve(Rc::new(server), listener)).await;
    Ok(())
}

async fn serve(server: Rc<Server>, listener: TcpListener) {
    spawn_local(server.clone().keep_time(sleep));
    for accepted in 1.. {
        match listener.accept().await {
            Ok((stream, _)) if server.kind == Kind::Echo => {
                spawn_local(echo(server.clone(), stream));
            }
            Ok((stream, _)) => drop(spawn_local(take_part(server.clone(), stream))),
            Err(_) => sleep(NO_ACCEPT).await,
        }
        if accepted % TURN == 0 {
            yield_now().await;
        }
    }
}

async fn echo(server: Rc<Server>, stream: TcpStream) -> io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    loop {
        let (chunk, n) = receive(&server, &mut read).await?;
        if n == 0 {
            return Ok(());
        }
        let written = poll_fn(|cx| match Pin::new(&mut write).poll_write(cx, &chunk[..n]) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Ready(Ok(0)),
        })
        .await?;
        let rest = chunk[written..n].to_vec();
        server.give_back(chunk);
        if !rest.is_empty() {
            timeout(STALL, write.write_all(&rest)).await??;
        }
    }
}

/// A member of the room, until it leaves.
async fn take_part(server: Rc<Server>, stream: TcpStream) {
    let (read, write) = stream.into_split();
    let member = server.join();
    let mut writer = spawn_local(pump(server.clone(), member.clone(), write));
    let broke = tokio::select! {
        biased;
        _ = listen(&server, &member, read) => false,
        _ = &mut writer => true,
    };
    server.leave(&member);
    if !broke && timeout(GRACE, &mut writer).await.is_err() {
        writer.abort();
    }
}

async fn listen(server: &Server, member: &Rc<Member>, mut read: OwnedReadHalf) -> io::Result<()> {
    let mut speaker = Speaker::new(member.clone());
    loop {
        let (chunk, n) = receive(server, &mut read).await?;
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
async fn pump(server: Rc<Server>, member: Rc<Member>, mut write: OwnedWriteHalf) -> io::Result<()> {
    while !member.is_done() {
        server.due(&member).await;
        let mut take = |cx: &mut Context<'_>| {
            server.write(&member, |due| Pin::new(&mut write).poll_write(cx, due))
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
async fn receive(server: &Server, stream: &mut OwnedReadHalf) -> io::Result<(Box<[u8]>, usize)> {
    poll_fn(|cx| {
        let mut chunk = server.chunk();
        let mut buffer = ReadBuf::new(&mut chunk);
        let polled = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
        let n = buffer.filled().len();
        if polled.is_pending() {
            server.give_back(chunk);
            return Poll::Pending;
        }
        ready!(polled)?;
        Poll::Ready(Ok((chunk, n)))
    })
    .await
}
