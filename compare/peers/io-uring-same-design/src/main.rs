//! Same design: the algorithm of smol-servers, see `../same-design`, on io_uring with compio.
//!
//! A read has no buffer until there is something to read: then the kernel takes one of a pool that
//! all share. Each read is a request of its own: one for many (multishot) would fill the pool for a
//! client whose lines wait for their turn. A write has a buffer of its own, of the size of what is
//! due, until the kernel has taken it; so a slow reader holds up to a chunk, which it gets before it
//! is told what it missed.

use std::io::{self, ErrorKind};
use std::num::NonZero;
use std::rc::Rc;
use std::task::Poll;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::driver::op::{Send, SendFlags};
use compio::driver::{BufferRef, ProactorBuilder, ToSharedFd};
use compio::io::{AsyncReadManaged, AsyncWrite};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{Runtime, RuntimeBuilder, spawn, submit};
use compio::time::{sleep, timeout};
use futures_lite::StreamExt;
use futures_lite::future::{or, yield_now};
use same_design::{CHUNK, GRACE, Kind, Member, NO_ACCEPT, STALL, Server, Speaker, TURN, start};

/// Chunks that all reads share. With fewer, most of 1,000 clients that send at once find none, and
/// are asked again.
const POOL: NonZero<u16> = NonZero::new(256).unwrap();
/// Of a write: take what there is room for, and send no SIGPIPE.
const NOW: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

fn main() -> io::Result<()> {
    let (server, listener) = start("io-uring-same-design")?;
    let runtime = runtime().unwrap_or_else(|error| {
        eprintln!("the kernel refuses io_uring: {error}");
        std::process::exit(3)
    });
    runtime.block_on(async {
        serve(Rc::new(server), TcpListener::from_std(listener)?).await;
        Ok(())
    })
}

fn runtime() -> io::Result<Runtime> {
    let mut ring = ProactorBuilder::new();
    ring.buffer_pool_size(POOL).buffer_pool_buffer_len(CHUNK);
    ring.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    RuntimeBuilder::new().with_proactor(ring).build()
}

async fn serve(server: Rc<Server>, listener: TcpListener) {
    spawn(server.clone().keep_time(sleep)).detach();
    let mut incoming = listener.incoming();
    for accepted in 1.. {
        match incoming.next().await {
            Some(Ok(stream)) if server.kind == Kind::Echo => spawn(echo(stream)).detach(),
            Some(Ok(stream)) => spawn(take_part(server.clone(), stream)).detach(),
            _ => sleep(NO_ACCEPT).await,
        }
        if accepted % TURN == 0 {
            yield_now().await;
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = receive(&mut stream).await? {
        send(&mut stream, chunk).await?;
    }
    Ok(())
}

/// A member of the room, until it leaves.
async fn take_part(server: Rc<Server>, stream: TcpStream) {
    let member = server.join();
    let mut writer = spawn(pump(server.clone(), member.clone(), stream.clone()));
    let listened = async {
        let _left = listen(&server, &member, stream).await;
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

async fn listen(server: &Server, member: &Rc<Member>, mut stream: TcpStream) -> io::Result<()> {
    let mut speaker = Speaker::new(member.clone());
    while let Some(chunk) = receive(&mut stream).await? {
        let mut input = &chunk[..];
        if speaker.say(server, &mut input) {
            // Who says much keeps no chunk of the pool meanwhile.
            let rest = input.to_vec();
            drop(chunk);
            let mut input = &rest[..];
            yield_now().await;
            while speaker.say(server, &mut input) {
                yield_now().await;
            }
        }
    }
    speaker.say_rest(server);
    Ok(())
}

/// Writes what the member is due, until it has left and taken all of it.
async fn pump(server: Rc<Server>, member: Rc<Member>, mut stream: TcpStream) -> io::Result<()> {
    while !member.is_done() {
        server.due(&member).await;
        let mut own = Vec::new();
        let _more = server.write(&member, |due| {
            own = due.to_vec();
            Poll::Ready(Ok(due.len()))
        });
        if !own.is_empty() {
            send(&mut stream, own).await?;
        }
    }
    Ok(())
}

/// Waits for bytes; none at the client's FIN.
async fn receive(stream: &mut TcpStream) -> io::Result<Option<BufferRef>> {
    loop {
        match stream.read_managed(0).await {
            // Others have all of the pool, and give it back in their turn.
            Err(error) if error.kind() == ErrorKind::ResourceBusy => yield_now().await,
            read => return read,
        }
    }
}

/// Writes all of `bytes`. A timer, and of a pool's chunk a copy, only where the kernel takes less.
async fn send(stream: &mut TcpStream, bytes: impl IoBuf) -> io::Result<()> {
    let BufResult(sent, op) = submit(Send::new(stream.to_shared_fd(), bytes, NOW)).await;
    let bytes = op.into_inner();
    let sent = match sent {
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        sent => sent?,
    };
    let mut rest = bytes.as_init()[sent..].to_vec();
    drop(bytes);
    while !rest.is_empty() {
        let BufResult(sent, bytes) =
            timeout(STALL, stream.write(rest)).await.map_err(|_| ErrorKind::TimedOut)?;
        rest = bytes;
        rest.drain(..sent?);
    }
    Ok(())
}
