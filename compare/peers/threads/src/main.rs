//! As documented: std's threads and blocking sockets. Echo and time have a thread per client, chat
//! two: one reads lines and sends them into the bounded channels of all others, one writes what
//! comes out of its own, as many lines at once as there are.
//!
//! Slow reader. Echo and time: its own thread waits for it, nobody else. Chat: when its channel is
//! full too, the speakers wait for it; one that has not taken a write in five seconds is cut off
//! (`set_write_timeout`).

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a thread's stack: what std takes by default, 2 MiB, does not fit ten thousand times.
const STACK: usize = 128 * 1024;
/// Bytes of lines joined to one write.
const CHUNK: usize = 8 * 1024;
/// Lines that may wait for one client.
const QUEUE: usize = 256;
/// Time for which the chat waits for one client.
const PATIENCE: Duration = Duration::from_secs(5);

/// The channels of those in the chat.
type Room = Arc<Mutex<HashMap<u64, SyncSender<Arc<[u8]>>>>>;

fn main() -> io::Result<()> {
    let (kind, address) = arguments();
    let listener = TcpListener::bind(address)?;
    let room = Room::default();
    for (guest, stream) in (1..).zip(listener.incoming().flatten()) {
        let (kind, room) = (kind.clone(), room.clone());
        let serve = move || match kind.as_str() {
            "echo" => echo(&stream),
            "time" => time(&stream),
            _ => chat(guest, &stream, &room),
        };
        if let Err(error) = Builder::new().stack_size(STACK).spawn(serve) {
            eprintln!("no thread for a client: {error}");
        }
    }
    Ok(())
}

fn echo(stream: &TcpStream) -> io::Result<()> {
    let (mut read, mut write) = (stream, stream);
    io::copy(&mut read, &mut write)?;
    Ok(())
}

fn time(mut stream: &TcpStream) -> io::Result<()> {
    let mut second = now().as_secs();
    loop {
        let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second));
        stream.write_all(format!("{time}\r\n").as_bytes())?;
        second = now().as_secs().max(second + 1);
        thread::sleep(Duration::from_secs(second).saturating_sub(now()));
    }
}

fn chat(guest: u64, stream: &TcpStream, room: &Room) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (sender, lines) = sync_channel(QUEUE);
    let out = stream.try_clone()?;
    let _room_for_one =
        sender.send(format!("*** welcome, you are guest{guest}\r\n").into_bytes().into());
    lock(room).insert(guest, sender);
    let writer = Builder::new().stack_size(STACK).spawn(move || {
        if write_lines(&lines, &out).is_err() {
            // Wakes the reader, which then leaves.
            let _is_gone = out.shutdown(Shutdown::Both);
        }
    });
    if writer.is_ok() {
        let _is_gone = listen(guest, stream, room);
    }
    lock(room).remove(&guest);
    Ok(())
}

/// Sends each line of a client to all others, until it leaves.
fn listen(guest: u64, stream: &TcpStream, room: &Room) -> io::Result<()> {
    let mut said = Vec::new();
    let mut reader = BufReader::new(stream);
    while reader.read_until(b'\n', &mut said)? > 0 {
        let text = said.strip_suffix(b"\n").unwrap_or(&said);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !text.is_empty() {
            let name = format!("<guest{guest}> ");
            let line: Arc<[u8]> = [name.as_bytes(), text, b"\r\n"].concat().into();
            // All under one lock: everyone reads the lines in the same order.
            for (_, sender) in lock(room).iter().filter(|(other, _)| **other != guest) {
                let _left_meanwhile = sender.send(line.clone());
            }
        }
        said.clear();
    }
    Ok(())
}

/// Writes what comes, as many lines at once as there are, until the client has left the room.
fn write_lines(lines: &Receiver<Arc<[u8]>>, mut stream: &TcpStream) -> io::Result<()> {
    let mut joined = Vec::new();
    while let Ok(line) = lines.recv() {
        joined.extend_from_slice(&line);
        while joined.len() < CHUNK
            && let Ok(line) = lines.try_recv()
        {
            joined.extend_from_slice(&line);
        }
        // A blocking write is short only when its time is over.
        if stream.write(&joined)? < joined.len() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        joined.clear();
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn arguments() -> (String, SocketAddr) {
    let mut args = std::env::args().skip(1);
    let kind = args.next().filter(|kind| ["echo", "time", "chat"].contains(&kind.as_str()));
    let address = args.next().and_then(|address| address.parse().ok());
    kind.zip(address).unwrap_or_else(|| {
        eprintln!("usage: threads echo|time|chat ADDR:PORT");
        std::process::exit(2)
    })
}
