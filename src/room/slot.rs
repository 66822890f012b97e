//! A member as the room knows it: which lines it has still to take, and their copying out.

use std::task::Waker;

use super::Taken;
use super::log::{Author, Log};

/// What the room knows of a member.
pub(super) struct Slot {
    pub(super) author: Author,
    /// Number of the next line to take.
    pub(super) cursor: u64,
    /// The line before which the member left: it takes none from there on.
    pub(super) until: Option<u64>,
    /// Lines of its own among those dropped at or after its cursor: it did not miss them.
    pub(super) own_dropped: u64,
    /// Lines missed that it has not been told of.
    missed: u64,
    /// Bytes for this member alone: the rest of a line partly taken, then what it was told.
    pub(super) told: Vec<u8>,
    /// Woken when something is due to this member alone; the bell would wake everybody.
    pub(super) nudge: Option<Waker>,
    /// It takes only what members published.
    only_members: bool,
    /// Such lines that it has still to begin, where it takes only those.
    remaining: u32,
}

impl Slot {
    pub(super) fn new(cursor: u64) -> Slot {
        Slot {
            author: Author { slot: 0, join: 0 },
            cursor,
            until: None,
            own_dropped: 0,
            missed: 0,
            told: Vec::new(),
            nudge: None,
            only_members: false,
            remaining: 0,
        }
    }

    /// One who takes these lines, which members published, and is gone.
    pub(super) fn of_the_past(lines: &[u64]) -> Slot {
        let start = lines.first().copied().unwrap_or(0);
        let end = lines.last().map_or(start, |last| last + 1);
        let remaining = lines.len() as u32;
        Slot { until: Some(end), only_members: true, remaining, ..Slot::new(start) }
    }

    /// What the member reads of the lines it missed.
    pub(super) fn missed_notice(&self) -> String {
        match self.missed {
            0 => String::new(),
            1 => "*** you missed 1 line\r\n".into(),
            n => format!("*** you missed {n} lines\r\n"),
        }
    }

    /// Whether there may be something to take, or the end.
    pub(super) fn is_due(&self, log: &Log, tells_missed: bool) -> bool {
        self.cursor < self.end(log)
            || !self.told.is_empty()
            || self.until.is_some()
            || (tells_missed && self.missed > 0)
    }

    /// True for a line that is not for this member.
    fn skips(&self, author: Option<Author>) -> bool {
        author.map_or(self.only_members, |author| author == self.author)
    }

    /// Moves the cursor over what the log has dropped, and over its own lines.
    pub(super) fn catch_up(&mut self, log: &Log) {
        let reach = self.until.map_or(log.first(), |until| until.min(log.first()));
        if self.cursor < reach {
            if self.only_members {
                let spoken = |number: &u64| log.author(*number).is_some();
                let kept = (reach..self.end(log)).filter(spoken).count() as u32;
                self.missed += u64::from(self.remaining - kept);
                self.remaining = kept;
            } else {
                self.missed += reach - self.cursor - self.own_dropped;
            }
            self.own_dropped = 0;
            self.cursor = reach;
        }
        while self.cursor < self.end(log) && self.skips(log.author(self.cursor)) {
            self.cursor += 1;
        }
    }

    /// The number of the line before which this member's reading ends for now.
    pub(super) fn end(&self, log: &Log) -> u64 {
        self.until.unwrap_or(log.next())
    }

    /// Fills `buffer` in the order in which `advance` walks; returns the bytes filled.
    pub(super) fn copy(&self, log: &Log, notice: &[u8], buffer: &mut [u8]) -> usize {
        let size = buffer.len();
        let mut free = buffer;
        put(&mut free, &self.told);
        put(&mut free, notice);
        for number in self.cursor..self.end(log) {
            if self.skips(log.author(number)) {
                continue;
            }
            let (front, back) = log.line(number);
            let begun = free.len() < size;
            if free.is_empty() || (begun && front.len() + back.len() > free.len()) {
                break;
            }
            put(&mut free, front);
            put(&mut free, back);
        }
        size - free.len()
    }

    /// Moves past `written` bytes of what `copy` filled.
    pub(super) fn advance(&mut self, log: &Log, notice: &[u8], mut written: usize) -> Taken {
        let told = written.min(self.told.len());
        self.told.drain(..told);
        written -= told;
        if self.told.is_empty() {
            self.told = Vec::new();
        }
        let (mut lines, mut missed) = (0, 0);
        if written > 0 || notice.is_empty() {
            missed = std::mem::take(&mut self.missed);
            let told = written.min(notice.len());
            self.told.extend_from_slice(&notice[told..]);
            written -= told;
        }
        while written > 0 {
            if !self.skips(log.author(self.cursor)) {
                let (front, back) = log.line(self.cursor);
                let in_front = written.min(front.len());
                let in_back = (written - in_front).min(back.len());
                self.told.extend_from_slice(&front[in_front..]);
                self.told.extend_from_slice(&back[in_back..]);
                written -= in_front + in_back;
                self.remaining = self.remaining.saturating_sub(1);
                lines += 1;
            }
            self.cursor += 1;
        }
        Taken::Some { lines, missed }
    }
}

/// Copies what fits of `bytes`, and moves `free` behind it.
fn put(free: &mut &mut [u8], bytes: &[u8]) {
    let n = bytes.len().min(free.len());
    let (head, tail) = std::mem::take(free).split_at_mut(n);
    head.copy_from_slice(&bytes[..n]);
    *free = tail;
}
