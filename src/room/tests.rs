use std::pin::pin;

use futures_lite::future::{block_on, poll_once};
use proptest::prelude::*;

use super::model::Model;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(100_000)))]

    #[test]
    fn every_member_reads_every_line_of_others_once_in_order_or_an_exact_count_of_those_missed(
        limit in prop_oneof![0..40usize, 40..400usize, Just(BACKLOG_BYTES)],
        steps in prop::collection::vec(any::<[u8; 4]>(), 0..120),
    ) {
        Model::run(limit, &steps);
    }
}

/// What the member reads up to now; what it missed stands in it as `missed N`.
fn read_all(member: &Member) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match member.fill(&mut buffer) {
            Fill::Bytes(batch) => {
                read.extend_from_slice(&buffer[..batch.bytes]);
                member.consume(batch, batch.bytes);
            }
            Fill::Missed(lines) => assert!(member.tell(format!("missed {lines}\r\n"))),
            Fill::Nothing | Fill::End => return String::from_utf8(read).expect("UTF-8"),
        }
    }
}

#[test]
fn a_room_without_a_backlog_keeps_the_newest_line() {
    let room = Room::new(0);
    let member = room.join();
    for n in 0..5 {
        room.publish(n.to_string());
    }
    assert_eq!(read_all(&member), "missed 4\r\n4\r\n");
}

#[test]
fn a_member_that_has_taken_all_but_the_count_of_what_it_missed_does_not_wait() {
    let room = Room::new(0);
    let ann = room.join();
    room.publish("missed");
    ann.publish("her own, and the only one kept");
    assert!(ann.tell("told"));
    let Fill::Bytes(batch) = ann.fill(&mut [0; 256]) else { panic!("she was told") };
    assert_eq!(ann.consume(batch, "told".len()), 0);
    assert_eq!(block_on(poll_once(ann.ready())), Some(()));
    assert_eq!(read_all(&ann), "missed 1\r\n");
    assert_eq!(block_on(poll_once(ann.ready())), None);
}

#[test]
fn a_slot_used_again_does_not_hide_the_lines_of_its_former_owner() {
    let room = Room::new(BACKLOG_BYTES);
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
fn a_line_wakes_everybody_and_what_is_told_its_member_alone() {
    let room = Room::new(BACKLOG_BYTES);
    let (ann, bob) = (room.join(), room.join());
    crate::driver::block_on(async {
        let (mut ann_waits, mut bob_waits) = (pin!(ann.ready()), pin!(bob.ready()));
        assert!(poll_once(&mut ann_waits).await.is_none());
        assert!(poll_once(&mut bob_waits).await.is_none());
        ann.tell("psst");
        assert!(poll_once(&mut bob_waits).await.is_none());
        assert!(poll_once(&mut ann_waits).await.is_some());
        room.publish("hear, hear");
        assert!(poll_once(&mut bob_waits).await.is_some());
        assert!(poll_once(bob.ready()).await.is_some(), "it has not taken the line yet");
    });
}

#[test]
fn what_a_host_publishes_is_one_line_whatever_stands_in_it() {
    let room = Room::new(BACKLOG_BYTES);
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
    let room = Room::new(BACKLOG_BYTES);
    let member = room.join();
    room.publish("é".repeat(LINE_BYTES));
    let mut buffer = vec![0; 2 * LINE_BYTES];
    let filled = member.fill(&mut buffer);
    assert!(matches!(filled, Fill::Bytes(batch) if batch.bytes == LINE_BYTES));
    assert!(std::str::from_utf8(&buffer[..LINE_BYTES]).is_ok());
}

#[test]
fn what_waits_for_one_member_is_bounded() {
    let member = Room::new(BACKLOG_BYTES).join();
    let mut accepted = 0;
    while member.tell([b'x'; 100]) {
        accepted += 100;
    }
    assert!(accepted > PENDING_BYTES - 100 && accepted <= PENDING_BYTES);
}

#[test]
fn a_full_backlog_holds_at_most_twice_its_bound_of_memory_and_has_it_from_the_start() {
    let room = Room::new(BACKLOG_BYTES);
    let allocated = room.0.borrow().backlog.allocated();
    for n in 0..200_000 {
        room.publish("x".repeat(n % 50));
    }
    let state = room.0.borrow();
    assert!(state.backlog.allocated() <= 2 * BACKLOG_BYTES, "{}", state.backlog.allocated());
    assert_eq!(state.backlog.allocated(), allocated);
}

#[test]
fn the_history_is_what_members_said() {
    let room = Room::new(BACKLOG_BYTES);
    let member = room.join();
    room.publish("before all");
    for n in 0..5 {
        member.publish(format!("said {n}"));
        room.publish(format!("announced {n}"));
    }
    let mut past = Vec::new();
    assert!(room.history(3).into_iter().all(|number| room.copy_line(number, &mut past)));
    assert_eq!(past, b"said 2\r\nsaid 3\r\nsaid 4\r\n");
    assert_eq!(room.history(100).len(), 5);
    assert_eq!(room.history(0), []);
}

#[test]
fn a_line_of_the_history_that_is_dropped_meanwhile_is_not_copied() {
    let room = Room::new(160);
    let member = room.join();
    for n in 1..=3 {
        member.publish(format!("said {n}"));
        room.publish("announced");
    }
    let lines = room.history(20);
    room.publish("x".repeat(60));
    let mut past = Vec::new();
    let kept: Vec<_> = lines.iter().map(|number| room.copy_line(*number, &mut past)).collect();
    assert_eq!(kept, [false, false, true]);
    assert_eq!(past, b"said 3\r\n");
    assert!(!room.copy_line(room.next(), &mut past));
}

#[test]
fn what_is_unread_is_what_the_backlog_holds_for_a_member() {
    let room = Room::new(BACKLOG_BYTES);
    let member = room.join();
    room.publish("12345678");
    assert_eq!(member.unread(), 10);
    read_all(&member);
    assert_eq!(member.unread(), 0);
}

#[test]
fn in_a_pause_lines_wait_for_its_end_and_go_together() {
    let room = Room::new(BACKLOG_BYTES);
    let ringer = room.ringer().expect("the first");
    assert!(room.ringer().is_none(), "one is enough");
    let member = room.join();
    room.publish("the first is never late");
    assert!(member.is_ready());
    assert_eq!(block_on(poll_once(ringer.pauses())), Some(Some(1)));
    assert_eq!(read_all(&member), "the first is never late\r\n");
    room.publish("two that");
    room.publish("come soon after");
    assert!(!member.is_ready());
    assert_eq!(block_on(poll_once(member.ready())), None);
    assert_eq!(ringer.ring(), Some(1));
    assert!(member.is_ready());
    assert_eq!(read_all(&member), "two that\r\ncome soon after\r\n");
    assert_eq!(ringer.ring(), None, "it was quiet");
    room.publish("on time again");
    assert!(member.is_ready());
}

#[test]
fn in_a_pause_neither_answers_nor_a_leave_nor_what_fills_a_write_has_to_wait() {
    let room = Room::new(BACKLOG_BYTES);
    let _ringer = room.ringer().expect("the first");
    let (ann, bob) = (room.join(), room.join());
    room.publish("begins a pause");
    read_all(&ann);
    room.publish("later");
    assert!(!ann.is_ready());
    assert!(ann.tell("an answer\r\n") && ann.is_ready());
    assert_eq!(read_all(&ann), "an answer\r\nlater\r\n");
    room.publish("the last");
    assert!(!ann.is_ready());
    ann.leave();
    assert!(ann.is_ready());
    read_all(&bob);
    (0..2).for_each(|_| room.publish("x".repeat(LINE_BYTES)));
    assert!(bob.is_ready());
}

#[test]
fn a_room_whose_ringer_is_gone_rings_for_each_line() {
    let room = Room::new(BACKLOG_BYTES);
    let ringer = room.ringer().expect("the first");
    let member = room.join();
    room.publish("begins a pause");
    read_all(&member);
    room.publish("is not left behind");
    drop(ringer);
    assert!(member.is_ready());
    read_all(&member);
    for _ in 0..3 {
        room.publish("at once");
        assert!(member.is_ready());
        read_all(&member);
    }
    assert!(room.ringer().is_some());
}

#[test]
fn in_a_pause_no_line_is_dropped_that_nobody_had_a_chance_to_take() {
    let room = Room::new(300);
    let ringer = room.ringer().expect("the first");
    let member = room.join();
    let mut read = String::new();
    for n in 0..50 {
        room.publish(format!("line {n}"));
        if member.is_ready() {
            read += &read_all(&member);
        }
    }
    ringer.ring();
    read += &read_all(&member);
    assert_eq!(read, (0..50).map(|n| format!("line {n}\r\n")).collect::<String>());
}

#[test]
fn what_a_member_is_told_behind_its_lines_comes_after_them() {
    let room = Room::new(BACKLOG_BYTES);
    let ann = room.join();
    room.publish("one");
    assert!(ann.tell("*** first\r\n"));
    room.publish("two");
    ann.hold(64);
    assert!(ann.tell("*** last\r\n"));
    room.publish("three");
    assert_eq!(read_all(&ann), "*** first\r\none\r\ntwo\r\n*** last\r\nthree\r\n");
    room.publish("x".repeat(PENDING_BYTES - 64));
    ann.hold(64);
    assert_eq!(ann.unread(), PENDING_BYTES - 62, "there is no place for it");
}

#[test]
fn lines_that_are_held_leave_place_for_the_answers_that_follow() {
    let room = Room::new(BACKLOG_BYTES);
    let ann = room.join();
    (0..63).for_each(|_| room.publish("x".repeat(62)));
    for n in 0..40 {
        ann.hold(19);
        assert!(ann.tell("*** yes, still here"), "answer {n}");
    }
}
