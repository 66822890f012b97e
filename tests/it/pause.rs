//! The pause of a busy chat, in which lines are gathered.

use std::time::{Duration, Instant};

use crate::harness::{Client, Server};

/// So many that a pause is as long as it gets by default.
const CROWD: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// A chat with a crowd in it, of whom two are here and the others read nothing.
struct Crowd {
    _others: Vec<Client>,
    ann: Client,
    bob: Client,
}

impl Crowd {
    fn of(server: &Server) -> Crowd {
        let others = (2..CROWD).map(|_| server.guest(&mut [])).collect();
        let [ann, bob] = [(), ()].map(|()| server.guest(&mut []));
        Crowd { _others: others, ann, bob }
    }

    /// Time from before ann says a line until bob, who answers at once, is read by her.
    fn answer(&mut self) -> Duration {
        let started = Instant::now();
        self.ann.send("how are you?\r\n");
        self.bob.said();
        self.bob.send("fine\r\n");
        self.ann.said();
        started.elapsed()
    }
}

#[test]
fn a_crowd_reads_a_second_line_when_the_pause_behind_the_first_one_is_over() {
    let server = Server::start("chat", &[]);
    let mut crowd = Crowd::of(&server);
    for _ in 0..20 {
        assert!(crowd.answer() >= PAUSE);
    }
}

#[test]
fn with_a_pause_of_0_a_crowd_reads_each_line_at_once() {
    let server = Server::start("chat", &["--pause", "0"]);
    let mut crowd = Crowd::of(&server);
    let soonest = (0..100).map(|_| crowd.answer()).min();
    assert!(soonest.is_some_and(|time| time < PAUSE), "{soonest:?}");
}

#[test]
fn two_in_a_small_chat_hardly_notice_a_pause() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let bob = server.guest(&mut [&mut ann]);
    let mut both = Crowd { _others: Vec::new(), ann, bob };
    let soonest = (0..100).map(|_| both.answer()).min();
    assert!(soonest.is_some_and(|time| time < PAUSE), "{soonest:?}");
}

#[test]
fn a_newcomer_is_welcomed_without_awaiting_the_end_of_a_pause() {
    let server = Server::start("chat", &[]);
    let mut crowd = Crowd::of(&server);
    let soonest = (0..20).map(|_| {
        crowd.ann.send("a line, behind which a pause begins\r\n");
        crowd.bob.said();
        let started = Instant::now();
        let _newcomer = server.guest(&mut []);
        started.elapsed()
    });
    let soonest = soonest.min();
    assert!(soonest.is_some_and(|time| time < PAUSE / 2), "{soonest:?}");
}
