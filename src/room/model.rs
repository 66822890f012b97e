//! The room against a plain `Vec` of all that was ever published. The unit tests run it on
//! random steps, the fuzz target on those that a fuzzer finds.

use futures_lite::future::{block_on, poll_once};

use super::{Fill, LINE_BYTES, Member, Room};

/// A room under test, what was published in it and by whom, and who reads.
pub(crate) struct Model {
    room: Room,
    published: Vec<(Option<u32>, String)>,
    readers: Vec<Reader>,
    joins: u32,
}

impl Model {
    /// Takes each step (what to do, who does it, two sizes), then lets everyone read to the end
    /// and holds what they read against what was published.
    ///
    /// # Panics
    /// When a member read a line twice, out of order or not at all without being told so.
    pub(crate) fn run(limit: usize, steps: &[[u8; 4]]) {
        let room = Room::new(limit);
        let mut model = Model { room, published: Vec::new(), readers: Vec::new(), joins: 0 };
        for step in steps {
            model.step(*step);
            let present = model.readers.iter().filter(|reader| reader.left.is_none()).count();
            assert_eq!(model.room.len(), present);
        }
        for reader in std::mem::take(&mut model.readers) {
            reader.settle(&model.published);
        }
        assert!(model.room.is_empty());
    }

    fn step(&mut self, [what, who, size, n]: [u8; 4]) {
        let (size, n) = (usize::from(size), usize::from(n));
        match what % 32 {
            0..4 => {
                let line = self.line(None, size % 40);
                return self.room.publish(line);
            }
            4..6 => return self.join(),
            _ if self.readers.is_empty() => return,
            _ => {}
        }
        let index = usize::from(who) % self.readers.len();
        let end = self.published.len();
        let reader = &mut self.readers[index];
        match what % 32 {
            6..15 if reader.left.is_none() => {
                let id = reader.id;
                let line = self.line(Some(id), size % 40);
                self.readers[index].member.publish(line);
            }
            6..15 => reader.member.publish("said after leaving"),
            told @ 15..17 => {
                if told == 15 {
                    reader.member.hold(size * 8);
                }
                reader.told += usize::from(reader.member.tell("told\r\n"));
            }
            17..27 => drop(reader.take(size, n)),
            27..29 => drop(reader.take(100, 0)),
            29..31 => {
                reader.member.leave();
                reader.left.get_or_insert(end);
            }
            _ => drop(self.readers.swap_remove(index)),
        }
    }

    fn join(&mut self) {
        self.joins += 1;
        let (member, id, joined) = (self.room.join(), self.joins, self.published.len());
        self.readers.push(Reader {
            member,
            id,
            joined,
            left: None,
            told: 0,
            counted: 0,
            read: Vec::new(),
        });
    }

    fn line(&mut self, by: Option<u32>, len: usize) -> String {
        // One in ten is so long that few fit into a buffer.
        let len = if len < 36 { len } else { 40 * len };
        let line = format!("{}:{}", self.published.len(), "x".repeat(len));
        self.published.push((by, line.clone() + "\r\n"));
        line
    }
}

struct Reader {
    member: Member,
    id: u32,
    joined: usize,
    left: Option<usize>,
    told: usize,
    counted: u64,
    read: Vec<u8>,
}

impl Reader {
    /// As a writer does whose socket takes at most `n` bytes.
    fn take(&mut self, size: usize, n: usize) -> Fill {
        let mut buffer = vec![0; LINE_BYTES + size];
        let filled = self.member.fill(&mut buffer);
        match filled {
            Fill::Bytes(batch) => {
                let n = n.min(batch.bytes);
                self.read.extend_from_slice(&buffer[..n]);
                self.counted += self.member.consume(batch, n);
            }
            Fill::Missed(lines) => assert!(self.member.tell(format!("missed {lines}\r\n"))),
            Fill::Nothing | Fill::End => {}
        }
        filled
    }

    /// Reads to the end, and holds it against what the model has for it.
    fn settle(mut self, published: &[(Option<u32>, String)]) {
        let end = self.left.unwrap_or(published.len());
        let last = loop {
            match self.take(0, 64) {
                // What is left must ring: a writer waits for that before it looks again.
                Fill::Bytes(_) if block_on(poll_once(self.member.ready())).is_none() => {
                    break Fill::Nothing;
                }
                Fill::Bytes(_) | Fill::Missed(_) => {}
                last => break last,
            }
        };
        assert_eq!(last, if self.left.is_some() { Fill::End } else { Fill::Nothing });
        let mut due = published[self.joined..end].iter().filter(|(by, _)| *by != Some(self.id));
        let read = String::from_utf8(self.read).expect("lines are whole");
        let mut counted = 0;
        for line in read.split_inclusive("\r\n") {
            if line == "told\r\n" {
                self.told -= 1;
            } else if let Some(missed) = line.strip_prefix("missed ") {
                let missed: usize = missed.trim_end().parse().expect("a number");
                assert_eq!(due.by_ref().take(missed).count(), missed, "told of too many");
            } else {
                counted += 1;
                assert_eq!(Some(line), due.next().map(|(_, line)| line.as_str()));
            }
        }
        assert_eq!(due.next(), None, "neither read nor told as missed");
        assert_eq!(self.told, 0);
        assert_eq!(counted, self.counted);
    }
}
