//! The three servers; knows nothing about the runtime's flavor.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The channels of those in the chat.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<HashMap<u64, UnboundedSender<Arc<str>>>>>);

/// Accepts for ever.
pub(crate) async fn run() -> io::Result<()> {
    let (kind, address) = arguments();
    let listener = TcpListener::bind(address).await?;
    let room = Room::default();
    let (ticks, _) = broadcast::channel(16);
    if kind == "time" {
        tokio::spawn(tick(ticks.clone()));
    }
    let mut guests = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        guests += 1;
        match kind.as_str() {
            "echo" => tokio::spawn(echo(stream)),
            "time" => tokio::spawn(time(stream, ticks.subscribe())),
            _ => tokio::spawn(chat(guests, stream, room.clone())),
        };
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

/// Sends the time to everyone at each full second.
async fn tick(ticks: broadcast::Sender<Arc<str>>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let rest = Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into());
    let mut interval = interval_at(Instant::now() + rest, Duration::from_secs(1));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        let _nobody_is_here = ticks.send(time_line());
    }
}

async fn time(mut stream: TcpStream, mut ticks: broadcast::Receiver<Arc<str>>) -> io::Result<()> {
    stream.write_all(time_line().as_bytes()).await?;
    loop {
        match ticks.recv().await {
            Ok(line) => stream.write_all(line.as_bytes()).await?,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

async fn chat(guest: u64, stream: TcpStream, room: Room) -> io::Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    room.with(|room| room.insert(guest, sender));
    let result = take_part(guest, stream, &room, &mut lines).await;
    room.with(|room| room.remove(&guest));
    result
}

async fn take_part(
    guest: u64,
    mut stream: TcpStream,
    room: &Room,
    lines: &mut mpsc::UnboundedReceiver<Arc<str>>,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut said = BufReader::new(read).lines();
    write.write_all(format!("*** welcome, you are guest{guest}\r\n").as_bytes()).await?;
    loop {
        tokio::select! {
            Some(line) = lines.recv() => write.write_all(line.as_bytes()).await?,
            said = said.next_line() => match said? {
                Some(said) if said.is_empty() => {}
                Some(said) => room.say(guest, &said),
                None => return Ok(()),
            },
        }
    }
}

impl Room {
    fn say(&self, guest: u64, said: &str) {
        let line: Arc<str> = format!("<guest{guest}> {said}\r\n").into();
        self.with(|room| {
            for (_, sender) in room.iter().filter(|(other, _)| **other != guest) {
                let _left_meanwhile = sender.send(line.clone());
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<u64, UnboundedSender<Arc<str>>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn time_line() -> Arc<str> {
    format!("{}\r\n", humantime::format_rfc3339_seconds(SystemTime::now())).into()
}

fn arguments() -> (String, SocketAddr) {
    let mut args = std::env::args().skip(1);
    let kind = args.next().filter(|kind| ["echo", "time", "chat"].contains(&kind.as_str()));
    let address = args.next().and_then(|address| address.parse().ok());
    kind.zip(address).unwrap_or_else(|| {
        eprintln!("usage: tokio-documented|tokio-multi echo|time|chat ADDR:PORT");
        std::process::exit(2)
    })
}
