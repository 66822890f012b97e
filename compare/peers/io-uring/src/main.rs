//! As documented: compio's read and write_all on owned buffers, a task per client, io_uring only.
//! compio has no channel of its own; the chat uses async-channel, bounded, one per client.
//!
//! Slow reader. Echo and time: its own task waits for it, nobody else. Chat: when its channel is
//! full too, the speakers wait for it; after five seconds it is cut off.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_channel::{Receiver, Sender, TrySendError, bounded};
use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{JoinHandle, Runtime, spawn};
use compio::time::{sleep, timeout};

/// Bytes of one read, and of lines joined to one write.
const CHUNK: usize = 4096;
/// Lines that may wait for one client.
const QUEUE: usize = 256;
/// Time for which the chat waits for one client.
const PATIENCE: Duration = Duration::from_secs(5);

type Line = Rc<[u8]>;

/// Those in the chat: the channel of each, and its two tasks, which end with the entry.
type Room = Rc<RefCell<HashMap<u64, (Sender<Line>, [JoinHandle<()>; 2])>>>;

fn main() -> io::Result<()> {
    let (kind, address) = arguments();
    let runtime = Runtime::new().unwrap_or_else(|error| {
        eprintln!("the kernel refuses io_uring: {error}");
        std::process::exit(3)
    });
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let room = Room::default();
        let mut guests = 0;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            guests += 1;
            match kind.as_str() {
                "echo" => spawn(echo(stream)).detach(),
                "time" => spawn(time(stream)).detach(),
                _ => join(guests, stream, &room),
            }
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        let BufResult(read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let BufResult(written, emptied) = stream.write_all(filled).await;
        written?;
        buffer = emptied;
        buffer.clear();
    }
}

async fn time(mut stream: TcpStream) -> io::Result<()> {
    let mut second = now().as_secs();
    loop {
        let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second));
        stream.write_all(format!("{time}\r\n")).await.0?;
        second = now().as_secs().max(second + 1);
        sleep(Duration::from_secs(second).saturating_sub(now())).await;
    }
}

fn join(guest: u64, stream: TcpStream, room: &Room) {
    let (sender, lines) = bounded(QUEUE);
    let welcome = format!("*** welcome, you are guest{guest}\r\n").into_bytes();
    let writer = spawn(write_lines(stream.clone(), welcome, lines));
    let reader = spawn(listen(guest, stream, room.clone()));
    room.borrow_mut().insert(guest, (sender, [writer, reader]));
}

/// Sends each line of a client to all others, until it leaves.
async fn listen(guest: u64, mut stream: TcpStream, room: Room) {
    let mut buffer = Vec::with_capacity(CHUNK);
    let mut unfinished = Vec::new();
    loop {
        let BufResult(read, filled) = stream.read(buffer).await;
        let last = !matches!(read, Ok(n) if n > 0);
        buffer = filled;
        unfinished.extend_from_slice(&buffer);
        buffer.clear();
        let mut rest = &unfinished[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            say(guest, &rest[..end], &room).await;
            rest = &rest[end + 1..];
        }
        if last {
            say(guest, rest, &room).await;
            break;
        }
        unfinished.drain(..unfinished.len() - rest.len());
    }
    room.borrow_mut().remove(&guest);
}

async fn say(guest: u64, said: &[u8], room: &Room) {
    let said = said.strip_suffix(b"\r").unwrap_or(said);
    if said.is_empty() {
        return;
    }
    let line: Line = [format!("<guest{guest}> ").as_bytes(), said, b"\r\n"].concat().into();
    let mut full = Vec::new();
    for (other, (sender, _)) in room.borrow().iter().filter(|(other, _)| **other != guest) {
        if let Err(TrySendError::Full(line)) = sender.try_send(line.clone()) {
            full.push((*other, sender.clone(), line));
        }
    }
    for (other, sender, line) in full {
        if timeout(PATIENCE, sender.send(line)).await.is_err() {
            room.borrow_mut().remove(&other);
        }
    }
}

/// Writes what comes, as many lines at once as there are.
async fn write_lines(mut stream: TcpStream, mut buffer: Vec<u8>, lines: Receiver<Line>) {
    loop {
        let BufResult(written, emptied) = stream.write_all(buffer).await;
        buffer = emptied;
        buffer.clear();
        match (written, lines.recv().await) {
            (Ok(()), Ok(line)) => buffer.extend_from_slice(&line),
            _ => return,
        }
        while buffer.len() < CHUNK
            && let Ok(line) = lines.try_recv()
        {
            buffer.extend_from_slice(&line);
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn arguments() -> (String, SocketAddr) {
    let mut args = std::env::args().skip(1);
    let kind = args.next().filter(|kind| ["echo", "time", "chat"].contains(&kind.as_str()));
    let address = args.next().and_then(|address| address.parse().ok());
    kind.zip(address).unwrap_or_else(|| {
        eprintln!("usage: io-uring echo|time|chat ADDR:PORT");
        std::process::exit(2)
    })
}
