//! What the tasks of a server share.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::room::{Member, Room};
use crate::{CHUNK, Kind};

/// Bytes the chat's log keeps.
const LOG: usize = 1024 * 1024;

pub struct Server {
    pub kind: Kind,
    pub(crate) room: RefCell<Room>,
    guests: Cell<u64>,
    chunk: Cell<Option<Box<[u8]>>>,
}

impl Server {
    pub(crate) fn new(kind: Kind) -> Server {
        // A time that came late is of no use.
        let room = RefCell::new(Room::new(if kind == Kind::Chat { LOG } else { 0 }));
        Server { kind, room, guests: Cell::new(0), chunk: Cell::new(None) }
    }

    /// The buffer of the thread, to be given back; while somebody else has it, a new one.
    pub fn chunk(&self) -> Box<[u8]> {
        self.chunk.take().unwrap_or_else(|| vec![0; CHUNK].into())
    }

    pub fn give_back(&self, chunk: Box<[u8]>) {
        self.chunk.set(Some(chunk));
    }

    /// Brings a newcomer in, who is due a first line.
    pub fn join(&self) -> Rc<Member> {
        let (first, name) = if self.kind == Kind::Chat {
            let number = self.guests.get() + 1;
            self.guests.set(number);
            (format!("*** welcome, you are guest{number}\r\n"), format!("<guest{number}> "))
        } else {
            (time_line() + "\r\n", String::new())
        };
        self.room.borrow_mut().join(first, name)
    }

    /// From here on nothing new comes to the member.
    pub fn leave(&self, member: &Rc<Member>) {
        self.room.borrow_mut().leave(member);
    }

    /// Waits until the member is due something, or has left.
    pub async fn due(&self, member: &Rc<Member>) {
        poll_fn(|cx| self.room.borrow_mut().poll_due(cx, member)).await;
    }

    /// Has `write` take what the member is due, in whole lines; it returns the bytes that it took.
    /// True when more is due.
    pub fn write(
        &self,
        member: &Rc<Member>,
        write: impl FnOnce(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<bool>> {
        let room = self.room.borrow();
        let mut chunk = self.chunk();
        let written = match room.copy(member, &mut chunk) {
            0 => Poll::Ready(Ok(0)),
            due => write(&chunk[..due]),
        };
        self.give_back(chunk);
        room.advance(member, ready!(written)?);
        Poll::Ready(Ok(room.is_due(member) && !member.is_done()))
    }

    /// Tells the time at each full second, or makes the pauses of the chat: one timer for everybody.
    pub async fn keep_time<F: Future>(self: Rc<Server>, sleep: impl Fn(Duration) -> F) {
        loop {
            match self.kind {
                Kind::Echo => return,
                Kind::Time => {
                    sleep(until_next_second()).await;
                    self.room.borrow_mut().publish(time_line().as_bytes(), None);
                }
                Kind::Chat => {
                    sleep(poll_fn(|cx| self.room.borrow_mut().poll_pause(cx)).await).await;
                    self.room.borrow_mut().end_pause();
                }
            }
        }
    }
}

fn until_next_second() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_nanos(1_000_000_000 - u64::from(now.subsec_nanos()))
}

fn time_line() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
