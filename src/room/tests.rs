//! The room against a plain `Vec` of all that was ever published.

use std::io::{Error, ErrorKind};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    Speak(Index, usize),
    Tell(Index),
    /// Offers a buffer of the first size, and takes as many bytes as the second.
    Take(Index, usize, usize),
    Refuse(Index),
    Join,
    Leave(Index),
    Drop(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<Index>;
    prop_oneof![
        4 => (0..40usize).prop_map(Step::Publish),
        8 => (who(), 0..40usize).prop_map(|(who, len)| Step::Speak(who, len)),
        1 => who().prop_map(Step::Tell),
        8 => (who(), 1..300usize, 0..300usize).prop_map(|(who, size, n)| Step::Take(who, size, n)),
        1 => who().prop_map(Step::Refuse),
        2 => Just(Step::Join),
        1 => who().prop_map(Step::Leave),
        1 => who().prop_map(Step::Drop),
    ]
}

/// What everyone published, by whom, and what each member should and did read.
struct Model {
    room: Room,
    published: Vec<(Option<u32>, String)>,
    readers: Vec<Reader>,
    joins: u32,
}

struct Reader {
    member: Member,
    id: u32,
    joined: usize,
    left: Option<usize>,
    told: usize,
    read: Vec<u8>,
}

impl Reader {
    fn take(&mut self, size: usize, n: usize) -> Taken {
        let read = &mut self.read;
        let taken = self.member.take(&mut vec![0; size], |bytes| {
            let n = n.min(bytes.len());
            read.extend_from_slice(&bytes[..n]);
            Ok(n)
        });
        taken.expect("the closure does not fail")
    }

    /// Reads to the end, and holds it against what the model has for it.
    fn settle(mut self, published: &[(Option<u32>, String)]) {
        let end = self.left.unwrap_or(published.len());
        let last = loop {
            match self.take(64, 64) {
                Taken::Some { .. } => {}
                last => break last,
            }
        };
        assert_eq!(last, if self.left.is_some() { Taken::End } else { Taken::Nothing });
        let mut due = published[self.joined..end].iter().filter(|(by, _)| *by != Some(self.id));
        let read = String::from_utf8(self.read).expect("lines are whole");
        for line in read.split_inclusive("\r\n") {
            if line == "told\r\n" {
                self.told -= 1;
            } else if let Some(missed) = line.strip_prefix("*** you missed ") {
                let missed: usize =
                    missed.split(' ').next().expect("a count").parse().expect("a number");
                assert!(due.by_ref().take(missed).count() == missed, "told of too many: {line:?}");
            } else {
                assert_eq!(Some(line), due.next().map(|(_, line)| line.as_str()));
            }
        }
        assert_eq!(due.next(), None, "neither read nor told as missed");
        assert_eq!(self.told, 0);
    }
}

impl Model {
    fn run(limit: usize, steps: Vec<Step>) {
        let room = Room::new(limit);
        let mut model = Model { room, published: Vec::new(), readers: Vec::new(), joins: 0 };
        for step in steps {
            model.step(step);
            let present = model.readers.iter().filter(|reader| reader.left.is_none()).count();
            assert_eq!(model.room.len(), present);
        }
        for reader in std::mem::take(&mut model.readers) {
            reader.settle(&model.published);
        }
        assert!(model.room.is_empty());
        assert!(model.room.0.borrow().waiting.is_empty());
    }

    fn line(&mut self, by: Option<u32>, len: usize) -> String {
        let line = format!("{}:{}", self.published.len(), "x".repeat(len));
        self.published.push((by, line.clone() + "\r\n"));
        line
    }

    fn step(&mut self, step: Step) {
        if let Step::Publish(len) = step {
            let line = self.line(None, len);
            return self.room.publish(line);
        }
        if let Step::Join = step {
            self.joins += 1;
            let (member, id, joined) = (self.room.join(), self.joins, self.published.len());
            let (left, told, read) = (None, 0, Vec::new());
            return self.readers.push(Reader { member, id, joined, left, told, read });
        }
        let end = self.published.len();
        let who = match &step {
            Step::Speak(who, _) | Step::Tell(who) | Step::Take(who, ..) => who,
            Step::Refuse(who) | Step::Leave(who) | Step::Drop(who) => who,
            Step::Publish(_) | Step::Join => return,
        };
        if self.readers.is_empty() {
            return;
        }
        let index = who.index(self.readers.len());
        let reader = &mut self.readers[index];
        match step {
            Step::Speak(_, len) if reader.left.is_none() => {
                let id = reader.id;
                let line = self.line(Some(id), len);
                self.readers[index].member.publish(line);
            }
            Step::Speak(..) => reader.member.publish("said after leaving"),
            Step::Tell(_) => reader.told += usize::from(reader.member.tell("told\r\n")),
            Step::Take(_, size, n) => {
                reader.take(size, n);
            }
            Step::Refuse(_) => {
                let refused = || Error::from(ErrorKind::WouldBlock);
                let _either_way = reader.member.take(&mut [0; 100], |_| Err(refused()));
            }
            Step::Leave(_) => {
                reader.member.leave();
                reader.left.get_or_insert(end);
            }
            Step::Drop(_) => drop(self.readers.swap_remove(index)),
            Step::Publish(_) | Step::Join => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_member_reads_every_line_of_others_once_in_order_or_an_exact_count_of_those_missed(
        limit in prop_oneof![0..40usize, 40..400usize, Just(LOG_BYTES)],
        steps in prop::collection::vec(step(), 0..120),
    ) {
        Model::run(limit, steps);
    }
}

fn read_all(member: &Member) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 256];
    let mut take = || {
        member.take(&mut buffer, |bytes| {
            read.extend_from_slice(bytes);
            Ok(bytes.len())
        })
    };
    while matches!(take(), Ok(Taken::Some { .. })) {}
    String::from_utf8(read).expect("UTF-8")
}

#[test]
fn the_newest_only_room_skips_to_the_newest() {
    let room = Room::newest_only();
    let member = room.join();
    for n in 0..5 {
        room.publish(n.to_string());
    }
    assert_eq!(read_all(&member), "4\r\n");
}

#[test]
fn a_slot_used_again_does_not_hide_the_lines_of_its_former_owner() {
    let room = Room::new(LOG_BYTES);
    let reader = room.join();
    let first = room.join();
    first.publish("from the first");
    drop(first);
    let second = room.join();
    second.publish("from the second");
    assert_eq!(read_all(&reader), "from the first\r\nfrom the second\r\n");
    assert_eq!(read_all(&second), "");
}

#[test]
fn publish_rings_those_who_wait_and_only_them() {
    let room = Room::new(LOG_BYTES);
    let (waits, busy) = (room.join(), room.join());
    assert_eq!(waits.take(&mut [0; 64], |_| Ok(0)).ok(), Some(Taken::Nothing));
    room.publish("x");
    assert!(waits.bell.try_recv().is_ok());
    assert!(busy.bell.try_recv().is_err());
}

#[test]
fn a_line_too_long_is_cut_at_a_character() {
    let room = Room::new(LOG_BYTES);
    let member = room.join();
    room.publish("é".repeat(LINE_BYTES));
    let mut buffer = vec![0; 2 * LINE_BYTES];
    let mut len = 0;
    let _taken = member.take(&mut buffer, |bytes| {
        len = bytes.len();
        Ok(len)
    });
    assert_eq!(len, LINE_BYTES);
    assert!(std::str::from_utf8(&buffer[..len]).is_ok());
}

#[test]
fn what_waits_for_one_member_is_bounded() {
    let member = Room::new(LOG_BYTES).join();
    let mut accepted = 0;
    while member.tell([b'x'; 100]) {
        accepted += 100;
    }
    assert!(accepted > TOLD_BYTES - 100 && accepted <= TOLD_BYTES);
}

#[test]
fn a_full_log_holds_at_most_twice_its_bound_of_memory() {
    let room = Room::new(LOG_BYTES);
    for n in 0..200_000 {
        room.publish("x".repeat(n % 50));
    }
    let state = room.0.borrow();
    assert!(state.log.allocated() <= 2 * LOG_BYTES, "{}", state.log.allocated());
}
