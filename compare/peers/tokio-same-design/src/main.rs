//! Same design: the algorithm of smol-servers on tokio's current_thread runtime and a LocalSet.
//!
//! One bounded log of lines for the room; a cursor and a bell for each member; a writer task per
//! client that takes all from its cursor to the end with one write; one read buffer for the thread,
//! taken only when there is something to read; socket options set once, on the listener. Bells are
//! `Notify`. Reads and writes go through tokio's poll_read and poll_write: those know, unlike
//! `readable` and `try_read`, that after a short read or write the kernel has no more.
//! A busy room pauses: it rings at once while it is quiet, then at the end of each pause.
//! Left out: telnet, cleaning of text, limits on clients, join and leave notices, log and figures.
//!
//! Slow reader. Echo: it is not read from. Time: it skips to the newest line. Chat: one that is more
//! than 1 MiB behind is told how many lines it missed and goes on from the oldest kept. In all
//! three, it is cut off when it has output waiting and takes no byte for 30 s.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

/// Bytes of one read and of one write.
const CHUNK: usize = 16 * 1024;
/// Bytes that a client says in one line; what is longer becomes several.
const LINE: usize = 4 * 1024;
/// Bytes the chat's log keeps.
const LOG: usize = 1024 * 1024;
/// Lines of one client, and accepts, before others have their turn.
const TURN: usize = 16;
/// What each member adds to a pause of the chat, and the longest one.
const PAUSE_FOR_EACH: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// Bytes that may wait for the end of a pause.
const WAITING: usize = 8 * 1024;
/// Time in which a socket must take a byte.
const STALL: Duration = Duration::from_secs(30);
/// Time for what one who leaves still has to read.
const GRACE: Duration = Duration::from_secs(2);

/// What the tasks share.
struct Server {
    buffer: Cell<Option<Box<[u8]>>>,
    room: RefCell<Room>,
}

/// Lines in one ring of bytes; the members that wait for the next one.
struct Room {
    bytes: VecDeque<u8>,
    entries: VecDeque<Entry>,
    /// Number of the oldest line kept.
    first: u64,
    /// Bytes of the lines dropped so far.
    dropped: u64,
    limit: usize,
    waiting: Vec<Rc<Member>>,
    /// Number of the first line that nobody was woken for yet, and bytes of those from there on.
    rung: u64,
    unrung: usize,
    /// Members that have not left.
    present: u32,
    /// Set during a pause.
    pauses: bool,
    /// Asks for one.
    busy: Rc<Notify>,
}

struct Entry {
    /// Bytes ever logged before the end of this line.
    end: u64,
    author: Option<Rc<Member>>,
}

struct Member {
    cursor: Cell<u64>,
    /// The line before which it left.
    until: Cell<u64>,
    /// Lines of its own that the log dropped after its cursor.
    own_dropped: Cell<u64>,
    /// Bytes for it alone, before the lines at its cursor.
    told: RefCell<Vec<u8>>,
    bell: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (kind, address) = arguments();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.set_send_buffer_size(if kind == "echo" { 64 * 1024 } else { 16 * 1024 })?;
    socket.bind(address)?;
    let listener = socket.listen(4096)?;
    let limit = if kind == "chat" { LOG } else { 0 };
    let server = Rc::new(Server { buffer: Cell::new(None), room: RefCell::new(Room::new(limit)) });
    LocalSet::new().run_until(serve(server, kind, listener)).await
}

async fn serve(server: Rc<Server>, kind: String, listener: TcpListener) -> io::Result<()> {
    match kind.as_str() {
        "time" => drop(spawn_local(tick(server.clone()))),
        "chat" => drop(spawn_local(pause(server.clone()))),
        _ => {}
    }
    let mut guests = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        guests += 1;
        match kind.as_str() {
            "echo" => spawn_local(echo(server.clone(), stream)),
            "time" => spawn_local(take_part(server.clone(), stream, time_line() + "\r\n", None)),
            _ => {
                let welcome = format!("*** welcome, you are guest{guests}\r\n");
                let name = format!("<guest{guests}> ");
                spawn_local(take_part(server.clone(), stream, welcome, Some(name)))
            }
        };
        if guests % TURN == 0 {
            yield_now().await;
        }
    }
}

async fn echo(server: Rc<Server>, stream: TcpStream) -> io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    loop {
        let (chunk, n) = server.read(&mut read).await?;
        if n == 0 {
            return Ok(());
        }
        let written = poll_fn(|cx| match Pin::new(&mut write).poll_write(cx, &chunk[..n]) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => Poll::Ready(Ok(0)),
        })
        .await?;
        let rest = chunk[written..n].to_vec();
        server.buffer.set(Some(chunk));
        if !rest.is_empty() {
            timeout(STALL, write.write_all(&rest)).await??;
        }
    }
}

/// One ticker for everybody.
async fn tick(server: Rc<Server>) {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        sleep(Duration::from_nanos(1_000_000_000 - u64::from(now.subsec_nanos()))).await;
        server.room.borrow_mut().publish(time_line().as_bytes(), None);
    }
}

/// Rings at the end of each pause, until one has passed without a line; one timer for the room.
async fn pause(server: Rc<Server>) {
    let busy = server.room.borrow().busy.clone();
    loop {
        busy.notified().await;
        while server.room.borrow().pauses {
            let pause = PAUSE_FOR_EACH.saturating_mul(server.room.borrow().present);
            sleep(pause.min(LONGEST_PAUSE)).await;
            server.room.borrow_mut().end_pause();
        }
    }
}

/// A member of the room, until it leaves; one without a name only listens.
async fn take_part(
    server: Rc<Server>,
    stream: TcpStream,
    welcome: String,
    name: Option<String>,
) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let member = Rc::new(Member {
        cursor: Cell::new(server.room.borrow().next()),
        until: Cell::new(u64::MAX),
        own_dropped: Cell::new(0),
        told: RefCell::new(welcome.into()),
        bell: Notify::new(),
    });
    server.room.borrow_mut().present += 1;
    let mut writer = spawn_local(pump(server.clone(), member.clone(), write));
    let broke = tokio::select! {
        biased;
        _ = listen(&server, &member, read, name.as_deref()) => false,
        _ = &mut writer => true,
    };
    server.room.borrow_mut().leave(&member);
    if !broke && timeout(GRACE, &mut writer).await.is_err() {
        writer.abort();
    }
    Ok(())
}

async fn listen(
    server: &Server,
    member: &Rc<Member>,
    mut read: OwnedReadHalf,
    name: Option<&str>,
) -> io::Result<()> {
    let mut unfinished = Vec::new();
    let mut line = Vec::new();
    let mut lines = 0;
    loop {
        let (chunk, n) = server.read(&mut read).await?;
        let mut input = if name.is_some() { &chunk[..n] } else { &[] };
        while !input.is_empty() || (n == 0 && !unfinished.is_empty()) {
            let end = input.iter().position(|&byte| byte == b'\n');
            let part = end.unwrap_or(input.len()).min(LINE - unfinished.len());
            let (part, rest) = input.split_at(part);
            input = rest.strip_prefix(b"\n").unwrap_or(rest);
            if end.is_none() && n > 0 && unfinished.len() + part.len() < LINE {
                unfinished.extend_from_slice(part);
                break;
            }
            line.clear();
            line.extend_from_slice(name.unwrap_or_default().as_bytes());
            let prefix = line.len();
            line.append(&mut unfinished);
            line.extend_from_slice(part);
            line.truncate(line.strip_suffix(b"\r").unwrap_or(&line).len());
            if line.len() > prefix {
                server.room.borrow_mut().publish(&line, Some(member));
            }
            lines += 1;
            if lines % TURN == 0 {
                yield_now().await;
            }
        }
        server.buffer.set(Some(chunk));
        if n == 0 {
            return Ok(());
        }
        if unfinished.is_empty() {
            unfinished = Vec::new();
        }
    }
}

/// What is to be done when a member has taken something.
enum Next {
    More,
    Wait,
    End,
}

/// Writes what the member is due, until it has left and taken all of it.
async fn pump(server: Rc<Server>, member: Rc<Member>, mut write: OwnedWriteHalf) -> io::Result<()> {
    loop {
        let mut take = |cx: &mut Context<'_>| {
            let mut room = server.room.borrow_mut();
            let mut chunk = server.chunk();
            let due = room.copy(&member, &mut chunk);
            let written = match due {
                0 => Poll::Ready(Ok(0)),
                _ => Pin::new(&mut write).poll_write(cx, &chunk[..due]),
            };
            server.buffer.set(Some(chunk));
            room.advance(&member, ready!(written)?);
            let has_left = member.until.get() < u64::MAX;
            let next = if member.cursor.get() >= member.until.get() {
                Next::End
            } else if has_left
                || member.cursor.get() < room.rung
                || !member.told.borrow().is_empty()
            {
                Next::More
            } else {
                room.waiting.push(member.clone());
                Next::Wait
            };
            Poll::Ready(io::Result::Ok(next))
        };
        // A timer only where the write is blocked.
        let next = match poll_fn(|cx| Poll::Ready(take(cx))).await {
            Poll::Ready(next) => next?,
            Poll::Pending => timeout(STALL, poll_fn(take)).await??,
        };
        match next {
            Next::End => return write.shutdown().await,
            Next::More => yield_now().await,
            Next::Wait => member.bell.notified().await,
        }
    }
}

impl Server {
    /// Waits for bytes, and only then takes the buffer; it is the caller's to give back.
    async fn read(&self, stream: &mut OwnedReadHalf) -> io::Result<(Box<[u8]>, usize)> {
        poll_fn(|cx| {
            let mut chunk = self.chunk();
            let mut buffer = ReadBuf::new(&mut chunk);
            let polled = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
            let n = buffer.filled().len();
            match polled {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok((chunk, n))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => self.buffer.set(Some(chunk)),
            }
            Poll::Pending
        })
        .await
    }

    fn chunk(&self) -> Box<[u8]> {
        self.buffer.take().unwrap_or_else(|| vec![0; CHUNK].into())
    }
}

impl Room {
    fn new(limit: usize) -> Room {
        let (bytes, entries, waiting) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let (rung, unrung, present, pauses, busy) = (0, 0, 0, false, Rc::default());
        let (first, dropped) = (0, 0);
        Room { bytes, entries, first, dropped, limit, waiting, rung, unrung, present, pauses, busy }
    }

    /// Number the next line will have.
    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Appends a line, drops the oldest over the limit, and rings unless the room pauses.
    fn publish(&mut self, line: &[u8], author: Option<&Rc<Member>>) {
        let len = line.len() + 2;
        while self.bytes.len() + len + (self.entries.len() + 1) * size_of::<Entry>() > self.limit {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes.drain(..(entry.end - self.dropped) as usize);
            self.dropped = entry.end;
            if let Some(author) = entry.author.filter(|it| it.cursor.get() <= self.first) {
                author.own_dropped.set(author.own_dropped.get() + 1);
            }
            self.first += 1;
        }
        self.bytes.extend(line);
        self.bytes.extend(b"\r\n");
        let end = self.dropped + self.bytes.len() as u64;
        self.entries.push_back(Entry { end, author: author.cloned() });
        self.unrung += len + size_of::<Entry>();
        if !self.pauses || self.unrung >= WAITING {
            self.ring();
        }
        // A room that keeps no lines has none to gather.
        if !self.pauses && self.limit > 0 {
            self.pauses = true;
            self.busy.notify_one();
        }
    }

    /// Rings the bells of those who wait.
    fn ring(&mut self) {
        (self.rung, self.unrung) = (self.next(), 0);
        for member in self.waiting.drain(..) {
            member.bell.notify_one();
        }
    }

    /// Another pause begins, or the room is quiet again.
    fn end_pause(&mut self) {
        self.pauses = self.unrung > 0;
        if self.pauses {
            self.ring();
        }
    }

    fn leave(&mut self, member: &Rc<Member>) {
        self.present -= 1;
        member.until.set(self.next());
        self.waiting.retain(|waiting| !Rc::ptr_eq(waiting, member));
        member.bell.notify_one();
    }

    /// Fills `chunk` with what `member` is due, in whole lines; returns the bytes filled.
    fn copy(&self, member: &Rc<Member>, chunk: &mut [u8]) -> usize {
        self.catch_up(member);
        let told = member.told.borrow();
        let mut filled = told.len().min(chunk.len());
        chunk[..filled].copy_from_slice(&told[..filled]);
        for number in member.cursor.get()..self.next().min(member.until.get()) {
            let (front, back) = self.line(number);
            let end = filled + front.len() + back.len();
            if self.is_by(number, member) {
                continue;
            } else if end > chunk.len() {
                break;
            }
            let middle = filled + front.len();
            chunk[filled..middle].copy_from_slice(front);
            chunk[middle..end].copy_from_slice(back);
            filled = end;
        }
        filled
    }

    /// Moves `member` past `written` bytes of what `copy` filled, and past its own lines.
    fn advance(&self, member: &Rc<Member>, mut written: usize) {
        let mut told = member.told.borrow_mut();
        let from_told = written.min(told.len());
        told.drain(..from_told);
        written -= from_told;
        if told.is_empty() {
            *told = Vec::new();
        }
        for number in member.cursor.get()..self.next().min(member.until.get()) {
            if !self.is_by(number, member) {
                if written == 0 {
                    break;
                }
                let (front, back) = self.line(number);
                let line = front.iter().chain(back);
                told.extend(line.skip(written));
                written = written.saturating_sub(front.len() + back.len());
            }
            member.cursor.set(number + 1);
        }
    }

    /// Tells `member` how many lines of others the log dropped before it came to them.
    fn catch_up(&self, member: &Member) {
        let reach = self.first.min(member.until.get());
        if member.cursor.get() < reach {
            let missed = reach - member.cursor.replace(reach) - member.own_dropped.take();
            if missed > 0 && self.limit > 0 {
                let notice = format!("*** you missed {missed} lines\r\n");
                member.told.borrow_mut().extend_from_slice(notice.as_bytes());
            }
        }
    }

    fn is_by(&self, number: u64, member: &Rc<Member>) -> bool {
        let author = &self.entries[(number - self.first) as usize].author;
        author.as_ref().is_some_and(|author| Rc::ptr_eq(author, member))
    }

    /// Line `number`, which is in the log; in two parts where the ring wraps.
    fn line(&self, number: u64) -> (&[u8], &[u8]) {
        let index = (number - self.first) as usize;
        let start = if index == 0 { self.dropped } else { self.entries[index - 1].end };
        let start = (start - self.dropped) as usize;
        let end = (self.entries[index].end - self.dropped) as usize;
        let (front, back) = self.bytes.as_slices();
        let split = front.len();
        let in_front = &front[start.min(split)..end.min(split)];
        (in_front, &back[start.saturating_sub(split)..end.saturating_sub(split)])
    }
}

fn time_line() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn arguments() -> (String, SocketAddr) {
    let mut args = std::env::args().skip(1);
    let kind = args.next().filter(|kind| ["echo", "time", "chat"].contains(&kind.as_str()));
    let address = args.next().and_then(|address| address.parse().ok());
    kind.zip(address).unwrap_or_else(|| {
        eprintln!("usage: tokio-same-design echo|time|chat ADDR:PORT");
        std::process::exit(2)
    })
}
