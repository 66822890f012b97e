//! The room: one log of lines, a cursor for each member, and when its members wake.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What each member adds to a pause of the chat, and the longest one.
const PAUSE_FOR_EACH: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// Bytes that may wait for the end of a pause.
const WAITING: usize = 8 * 1024;

/// Lines in one ring of bytes; the members that wait for the next one.
#[derive(Default)]
pub(crate) struct Room {
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
    /// Who makes the pauses.
    pauser: Option<Waker>,
}

struct Entry {
    /// Bytes ever logged before the end of this line.
    end: u64,
    author: Option<Rc<Member>>,
}

pub struct Member {
    /// What stands before its lines; empty if it only listens.
    pub(crate) name: String,
    cursor: Cell<u64>,
    /// The line before which it left.
    until: Cell<u64>,
    /// Lines of its own that the log dropped after its cursor.
    own_dropped: Cell<u64>,
    /// Bytes for it alone, before the lines at its cursor.
    told: RefCell<Vec<u8>>,
    /// Its writer, while that waits.
    writer: Cell<Option<Waker>>,
}

impl Member {
    /// Whether it has left, and has taken all that it was due.
    pub fn is_done(&self) -> bool {
        self.cursor.get() >= self.until.get() && self.told.borrow().is_empty()
    }

    fn has_left(&self) -> bool {
        self.until.get() < u64::MAX
    }
}

impl Room {
    pub(crate) fn new(limit: usize) -> Room {
        Room { limit, ..Room::default() }
    }

    /// A member from the next line on, who is told `told` before.
    pub(crate) fn join(&mut self, told: String, name: String) -> Rc<Member> {
        self.present += 1;
        Rc::new(Member {
            name,
            cursor: Cell::new(self.next()),
            until: Cell::new(u64::MAX),
            own_dropped: Cell::new(0),
            told: RefCell::new(told.into()),
            writer: Cell::new(None),
        })
    }

    pub(crate) fn leave(&mut self, member: &Rc<Member>) {
        self.present -= 1;
        member.until.set(self.next());
        if let Some(writer) = member.writer.take() {
            self.waiting.retain(|waiting| !Rc::ptr_eq(waiting, member));
            writer.wake();
        }
    }

    /// Number the next line will have.
    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Appends a line, drops the oldest over the limit, and wakes who waits unless the room pauses.
    pub(crate) fn publish(&mut self, line: &[u8], author: Option<&Rc<Member>>) {
        let name = author.map_or("", |author| &author.name);
        let len = name.len() + line.len() + 2;
        while self.bytes.len() + len + (self.entries.len() + 1) * size_of::<Entry>() > self.limit {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes.drain(..(entry.end - self.dropped) as usize);
            self.dropped = entry.end;
            if let Some(author) = entry.author.filter(|it| it.cursor.get() <= self.first) {
                author.own_dropped.set(author.own_dropped.get() + 1);
            }
            self.first += 1;
        }
        for part in [name.as_bytes(), line, b"\r\n"] {
            self.bytes.extend(part);
        }
        let end = self.dropped + self.bytes.len() as u64;
        self.entries.push_back(Entry { end, author: author.cloned() });
        self.unrung += len + size_of::<Entry>();
        if !self.pauses || self.unrung >= WAITING {
            self.ring();
        }
        // A room that keeps no lines has none to gather.
        if !self.pauses && self.limit > 0 {
            self.pauses = true;
            if let Some(pauser) = self.pauser.take() {
                pauser.wake();
            }
        }
    }

    /// Wakes those who wait.
    fn ring(&mut self) {
        (self.rung, self.unrung) = (self.next(), 0);
        for member in self.waiting.drain(..) {
            if let Some(writer) = member.writer.take() {
                writer.wake();
            }
        }
    }

    /// Ready in a pause, with the time that it takes.
    pub(crate) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        if self.pauses {
            return Poll::Ready(PAUSE_FOR_EACH.saturating_mul(self.present).min(LONGEST_PAUSE));
        }
        self.pauser = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn end_pause(&mut self) {
        self.pauses = self.unrung > 0;
        if self.pauses {
            self.ring();
        }
    }

    /// Whether the member has left, or is due a line that the room has rung for.
    pub(crate) fn is_due(&self, member: &Member) -> bool {
        member.has_left() || member.cursor.get() < self.rung || !member.told.borrow().is_empty()
    }

    /// Ready once [`is_due`](Self::is_due).
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>, member: &Rc<Member>) -> Poll<()> {
        if self.is_due(member) {
            return Poll::Ready(());
        }
        if member.writer.replace(Some(cx.waker().clone())).is_none() {
            self.waiting.push(member.clone());
        }
        Poll::Pending
    }

    /// Fills `chunk` with what `member` is due, in whole lines; returns the bytes filled.
    pub(crate) fn copy(&self, member: &Rc<Member>, chunk: &mut [u8]) -> usize {
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
    pub(crate) fn advance(&self, member: &Rc<Member>, mut written: usize) {
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
