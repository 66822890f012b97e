//! Floor: the same protocol on epoll by hand, one thread, no runtime; what the kernel alone costs.
//!
//! Level-triggered. Each client has an output buffer; lines are appended to it and written once
//! per turn, so that they coalesce. An idle client holds no memory but its slot.
//!
//! A busy chat pauses as ours does: a line in a quiet room is written in its turn, those of the pause
//! that follows at its end, which begins another one, until a pause has passed without a line.
//!
//! Slow reader. Echo: it is not read from while it does not read. Time: it skips to the newest
//! line. Chat: with 1 MiB before it, the room waits for it as long as it makes room within a
//! second; one that does not is cut off. Out of descriptors it spins until one is free.

use std::env::args;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::exit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::{Errno, Result, read, write};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of one read, and of an unfinished line.
const CHUNK: usize = 16 * 1024;
/// Bytes of output after which a client's buffer is written before the turn is over.
const FLUSH: usize = 64 * 1024;
/// Bytes of output after which the room waits for a client.
const FULL: usize = 1024 * 1024;
/// Time for which it waits, since the kernel last took a byte.
const PATIENCE: Duration = Duration::from_secs(1);
/// What each client adds to a pause of the chat, and the longest one.
const PAUSE_FOR_EACH: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// Bytes of lines that may wait for the end of a pause.
const WAITING: usize = 8 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Echo,
    Time,
    Chat,
}

struct Client {
    socket: OwnedFd,
    name: String,
    /// A line whose end has not come yet.
    unfinished: Vec<u8>,
    out: Vec<u8>,
    /// Set while the kernel takes no more: when it last took a byte.
    blocked: Option<Instant>,
}

struct Server {
    kind: Kind,
    epoll: OwnedFd,
    listener: OwnedFd,
    /// By descriptor.
    clients: Vec<Option<Client>>,
    /// Clients with new output, in this turn or this pause.
    dirty: Vec<usize>,
    /// When the pause ends; none in a quiet room.
    pause: Option<Instant>,
    /// Bytes of the lines that were said and not written yet.
    waiting: usize,
    guests: u64,
}

fn main() -> Result<()> {
    let (kind, address) = match (args().nth(1).as_deref(), args().nth(2).map(|it| it.parse())) {
        (Some("echo"), Some(Ok(address))) => (Kind::Echo, address),
        (Some("time"), Some(Ok(address))) => (Kind::Time, address),
        (Some("chat"), Some(Ok(address))) => (Kind::Chat, address),
        _ => {
            eprintln!("usage: raw-epoll echo|time|chat ADDR:PORT");
            exit(2)
        }
    };
    let address: SocketAddr = address;
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });

    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let listener = net::socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    sockopt::set_tcp_nodelay(&listener, true)?;
    net::bind(&listener, &address)?;
    net::listen(&listener, 4096)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, data(&listener), epoll::EventFlags::IN)?;
    let (clients, dirty) = (Vec::new(), Vec::new());
    let (pause, waiting, guests) = (None, 0, 0);
    Server { kind, epoll, listener, clients, dirty, pause, waiting, guests }.run()
}

impl Server {
    fn run(&mut self) -> Result<()> {
        let listener = self.listener.as_raw_fd() as usize;
        let mut events = Vec::with_capacity(1024);
        let mut chunk = vec![0; CHUNK];
        let mut second = wall().as_secs();
        loop {
            let wait = match self.kind {
                Kind::Time => Some(Duration::from_secs(second + 1).saturating_sub(wall())),
                _ => self.pause.map(|end| end.saturating_duration_since(Instant::now())),
            };
            let wait = wait.map(timespec);
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, room, wait.as_ref()) {
                Err(Errno::INTR) => {}
                waited => drop(waited?),
            }
            for event in &events {
                let (key, flags) = (event.data.u64() as usize, event.flags);
                if key == listener {
                    self.accept();
                    continue;
                }
                if flags.contains(epoll::EventFlags::OUT) {
                    self.flush(key);
                }
                if flags.intersects(!epoll::EventFlags::OUT) {
                    self.read(key, &mut chunk);
                }
            }
            if self.kind == Kind::Time && wall().as_secs() > second {
                second = wall().as_secs();
                self.tick();
            }
            self.ring();
        }
    }

    /// Writes what waits, unless the room pauses and little of it does.
    fn ring(&mut self) {
        let is_over = self.pause.is_none_or(|end| end <= Instant::now());
        if self.waiting == 0 {
            self.pause = self.pause.filter(|_| !is_over);
            return;
        }
        if is_over {
            let clients = self.clients.iter().flatten().count() as u32;
            let pause = PAUSE_FOR_EACH.saturating_mul(clients).min(LONGEST_PAUSE);
            self.pause = Some(Instant::now() + pause);
        } else if self.waiting < WAITING {
            return;
        }
        self.waiting = 0;
        for key in std::mem::take(&mut self.dirty) {
            self.flush(key);
        }
    }

    /// Accepts until nobody waits.
    fn accept(&mut self) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Ok(socket) = net::accept_with(&self.listener, flags) {
            let key = socket.as_raw_fd() as usize;
            if epoll::add(&self.epoll, &socket, data(&socket), epoll::EventFlags::IN).is_err() {
                continue;
            }
            self.guests += 1;
            let name = format!("guest{}", self.guests);
            let out = match self.kind {
                Kind::Echo => Vec::new(),
                Kind::Time => time_line(),
                Kind::Chat => format!("*** welcome, you are {name}\r\n").into(),
            };
            if self.clients.len() <= key {
                self.clients.resize_with(key + 1, || None);
            }
            self.clients[key] =
                Some(Client { socket, name, unfinished: Vec::new(), out, blocked: None });
            self.flush(key);
        }
    }

    fn read(&mut self, key: usize, chunk: &mut [u8]) {
        let Some(client) = &mut self.clients[key] else { return };
        let n = match read(&client.socket, &mut *chunk) {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => 0,
        };
        match self.kind {
            Kind::Echo if n > 0 => {
                let written = write(&client.socket, &chunk[..n]).unwrap_or(0);
                client.out.extend_from_slice(&chunk[written..n]);
                if written < n {
                    self.flush(key);
                }
                return;
            }
            Kind::Chat => {
                let mut said = std::mem::take(&mut client.unfinished);
                said.extend_from_slice(&chunk[..n]);
                self.hear(key, said, n == 0);
            }
            _ => {}
        }
        if n == 0 {
            // What was said before it left is still for it.
            self.flush(key);
            self.clients[key] = None;
        }
    }

    /// Sends the finished lines of `said` to all but `speaker`, and keeps the rest.
    fn hear(&mut self, speaker: usize, said: Vec<u8>, last: bool) {
        let mut rest = &said[..];
        while !rest.is_empty() {
            let end = rest.iter().position(|&byte| byte == b'\n');
            if end.is_none() && !last && rest.len() < CHUNK {
                break;
            }
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let (Some(client), false) = (&self.clients[speaker], line.is_empty()) {
                let name = format!("<{}> ", client.name);
                self.publish(speaker, &[name.as_bytes(), line, b"\r\n"].concat());
            }
        }
        if let Some(client) = &mut self.clients[speaker] {
            client.unfinished.extend_from_slice(rest);
        }
    }

    fn publish(&mut self, speaker: usize, line: &[u8]) {
        self.waiting += line.len();
        for key in (0..self.clients.len()).filter(|&key| key != speaker) {
            let Some(client) = &mut self.clients[key] else { continue };
            if client.out.is_empty() {
                self.dirty.push(key);
            }
            client.out.extend_from_slice(line);
            if client.out.len() > FLUSH && client.blocked.is_none() || client.out.len() > FULL {
                self.flush(key);
                self.wait_for(key);
            }
        }
    }

    /// Waits until a client has less than `FULL` before it, or cuts it off.
    fn wait_for(&mut self, key: usize) {
        while let Some(Client { socket, out, blocked: Some(since), .. }) = &self.clients[key] {
            if out.len() < FULL {
                return;
            }
            let wait = timespec(PATIENCE.saturating_sub(since.elapsed()));
            match poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&wait)) {
                Ok(0) => self.clients[key] = None,
                _ => self.flush(key),
            }
        }
    }

    fn tick(&mut self) {
        let line = time_line();
        for key in 0..self.clients.len() {
            if let Some(client) = &mut self.clients[key].as_mut().filter(|it| it.out.is_empty()) {
                client.out.extend_from_slice(&line);
                self.flush(key);
            }
        }
    }

    /// Writes what the kernel takes, and has epoll tell when it takes more.
    fn flush(&mut self, key: usize) {
        let Some(client) = &mut self.clients[key] else { return };
        let mut written = 0;
        while written < client.out.len() {
            match write(&client.socket, &client.out[written..]) {
                Ok(n) => written += n,
                Err(Errno::AGAIN) => break,
                Err(_) => return self.clients[key] = None,
            }
        }
        let done = written == client.out.len();
        client.out.drain(..written);
        if done {
            client.out = Vec::new();
        }
        if done != client.blocked.is_none() {
            let interest = match (done, self.kind) {
                (true, _) => epoll::EventFlags::IN,
                (false, Kind::Echo) => epoll::EventFlags::OUT,
                (false, _) => epoll::EventFlags::IN | epoll::EventFlags::OUT,
            };
            let socket = &client.socket;
            if epoll::modify(&self.epoll, socket, data(socket), interest).is_err() {
                return self.clients[key] = None;
            }
        }
        if done {
            client.blocked = None;
        } else if written > 0 || client.blocked.is_none() {
            client.blocked = Some(Instant::now());
        }
    }
}

fn data(socket: &OwnedFd) -> epoll::EventData {
    epoll::EventData::new_u64(socket.as_raw_fd() as u64)
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn time_line() -> Vec<u8> {
    format!("{}\r\n", humantime::format_rfc3339_seconds(SystemTime::now())).into()
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
