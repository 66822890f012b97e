//! As documented: smol's own examples show this shape. `smol::block_on` accepts, `smol::spawn`
//! runs a task per client on smol's global executor, and one dispatcher, fed by a bounded
//! channel, writes each line of the chat to one client after another.
//!
//! Slow reader. Echo and time: its own task waits for it, nobody else. Chat: the dispatcher waits
//! for it, so the whole room stands still until it reads or goes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::io::{self, BufReader};
use smol::net::{TcpListener, TcpStream};
use smol::prelude::*;

/// What the chat's dispatcher is told.
enum Event {
    Join(u64, TcpStream),
    Line(u64, String),
    Leave(u64),
}

fn main() -> io::Result<()> {
    let (kind, address) = arguments();
    smol::block_on(async {
        let listener = TcpListener::bind(address).await?;
        let (events, received) = bounded(100);
        smol::spawn(dispatch(received)).detach();
        let mut guests = 0;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            guests += 1;
            match kind.as_str() {
                "echo" => smol::spawn(echo(stream)).detach(),
                "time" => smol::spawn(time(stream)).detach(),
                _ => smol::spawn(chat(guests, stream, events.clone())).detach(),
            }
        }
    })
}

async fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(stream.clone(), stream).await
}

async fn time(mut stream: TcpStream) -> io::Result<()> {
    let mut second = now().as_secs();
    loop {
        let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second));
        stream.write_all(format!("{time}\r\n").as_bytes()).await?;
        second = now().as_secs().max(second + 1);
        Timer::after(Duration::from_secs(second).saturating_sub(now())).await;
    }
}

/// Tells the dispatcher what one client says.
async fn chat(guest: u64, stream: TcpStream, events: Sender<Event>) {
    let _is_never_closed = events.send(Event::Join(guest, stream.clone())).await;
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next().await {
        if !line.is_empty() {
            let _is_never_closed = events.send(Event::Line(guest, line)).await;
        }
    }
    let _is_never_closed = events.send(Event::Leave(guest)).await;
}

async fn dispatch(events: Receiver<Event>) {
    let mut clients = HashMap::new();
    while let Ok(event) = events.recv().await {
        match event {
            Event::Join(guest, mut stream) => {
                let welcome = format!("*** welcome, you are guest{guest}\r\n");
                let _left = stream.write_all(welcome.as_bytes()).await;
                clients.insert(guest, stream);
            }
            Event::Line(guest, line) => {
                let line = format!("<guest{guest}> {line}\r\n");
                for (_, stream) in clients.iter_mut().filter(|(other, _)| **other != guest) {
                    let _left = stream.write_all(line.as_bytes()).await;
                }
            }
            Event::Leave(guest) => drop(clients.remove(&guest)),
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
        eprintln!("usage: smol-documented echo|time|chat ADDR:PORT");
        std::process::exit(2)
    })
}
