use std::pin::pin;

use futures_lite::future::{block_on, poll_once};
use proptest::prelude::*;

use super::model::Model;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(100_000)))]

    #[test]
    fn every_member_reads_every_line_of_others_once_in_order_or_an_exact_count_of_those_missed(
        limit in prop_oneof![0..40usize, 40..400usize, Just(LOG_BYTES)],
        steps in prop::collection::vec(any::<[u8; 4]>(), 0..120),
    ) {
        Model::run(limit, &steps);
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
fn a_member_that_has_taken_all_but_the_count_of_what_it_missed_does_not_wait() {
    let room = Room::new(0);
    let ann = room.join();
    room.publish("missed");
    ann.publish("her own, and the only one kept");
    assert!(ann.tell("told"));
    let told_only = |bytes: &[u8]| Ok("told".len().min(bytes.len()));
    assert!(matches!(ann.take(&mut [0; 256], told_only), Ok(Taken::Some { missed: 0, .. })));
    assert_eq!(block_on(poll_once(ann.rung())), Some(()));
    assert_eq!(read_all(&ann), "*** you missed 1 line\r\n");
    assert_eq!(block_on(poll_once(ann.rung())), None);
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
fn the_bell_rings_for_a_line_and_a_nudge_for_one_member_alone() {
    let room = Room::new(LOG_BYTES);
    let (ann, bob) = (room.join(), room.join());
    crate::driver::block_on(async {
        let (mut ann_waits, mut bob_waits) = (pin!(ann.rung()), pin!(bob.rung()));
        assert!(poll_once(&mut ann_waits).await.is_none());
        assert!(poll_once(&mut bob_waits).await.is_none());
        ann.tell("psst");
        assert!(poll_once(&mut bob_waits).await.is_none());
        assert!(poll_once(&mut ann_waits).await.is_some());
        room.publish("hear, hear");
        assert!(poll_once(&mut bob_waits).await.is_some());
        assert!(poll_once(bob.rung()).await.is_some(), "it has not taken the line yet");
    });
}

#[test]
fn what_a_host_publishes_is_one_line_whatever_stands_in_it() {
    let room = Room::new(LOG_BYTES);
    let (reader, host) = (room.join(), room.join());
    for text in ["news\r\n<ann> forged\r\n", "\x1b[2J\x1b]0;title\x07news\u{202e}"] {
        room.publish(text);
        host.publish(text);
    }
    room.publish([b'\xff']);
    let line = ["news <ann> forged\r\n", "[2J]0;titlenews\r\n"].map(|line| line.repeat(2));
    assert_eq!(read_all(&reader), line.concat() + "\u{fffd}\r\n");
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
fn a_full_log_holds_at_most_twice_its_bound_of_memory_and_has_it_from_the_start() {
    let room = Room::new(LOG_BYTES);
    let allocated = room.0.borrow().log.allocated();
    for n in 0..200_000 {
        room.publish("x".repeat(n % 50));
    }
    let state = room.0.borrow();
    assert!(state.log.allocated() <= 2 * LOG_BYTES, "{}", state.log.allocated());
    assert_eq!(state.log.allocated(), allocated);
}

#[test]
fn looking_back_gives_what_members_said_and_nothing_new() {
    let room = Room::new(LOG_BYTES);
    let member = room.join();
    room.publish("before all");
    for n in 0..5 {
        member.publish(format!("said {n}"));
        room.publish(format!("announced {n}"));
    }
    let lines = room.spoken(3);
    let past = room.read_back(&lines);
    assert_eq!((lines.len(), room.len()), (3, 1));
    member.publish("said later");
    assert_eq!(read_all(&past), "said 2\r\nsaid 3\r\nsaid 4\r\n");
    assert_eq!(room.spoken(100).len(), 6);
    assert_eq!(room.spoken(0), []);
    assert_eq!(read_all(&room.read_back(&[])), "");
}

#[test]
fn one_who_looks_back_too_slowly_is_told_how_much_it_missed() {
    let room = Room::new(210);
    let member = room.join();
    for n in 1..=3 {
        member.publish(format!("said {n}"));
        room.publish("announced");
    }
    let lines = room.spoken(20);
    let past = room.read_back(&lines);
    let first = |bytes: &[u8]| Ok("said 1\r\n".len().min(bytes.len()));
    assert!(matches!(past.take(&mut [0; 256], first), Ok(Taken::Some { lines: 1, missed: 0 })));
    room.publish("x".repeat(60));
    assert_eq!(read_all(&past), "*** you missed 1 line\r\nsaid 3\r\n");
    let past = room.read_back(&lines[2..]);
    room.publish("x".repeat(150));
    assert_eq!(read_all(&past), "*** you missed 1 line\r\n");
}

#[test]
fn the_backlog_is_what_the_log_holds_for_a_member() {
    let room = Room::new(LOG_BYTES);
    let member = room.join();
    room.publish("12345678");
    assert_eq!(member.backlog(), 10);
    read_all(&member);
    assert_eq!(member.backlog(), 0);
}
