//! A chat that is started without the pause of a busy one, in which lines are gathered.

use std::time::{Duration, Instant};

use crate::harness::{Client, Server};

/// So many that a pause is as long as it gets by default.
const CROWD: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn with_a_pause_of_0_a_crowd_reads_each_line_at_once() {
    let server = Server::start("chat", &["--pause", "0"]);
    let _others: Vec<Client> = (2..CROWD).map(|_| server.guest(&mut [])).collect();
    let [mut ann, mut bob] = [(), ()].map(|()| server.guest(&mut []));
    let soonest = (0..100).map(|_| {
        let started = Instant::now();
        ann.send("how are you?\r\n");
        bob.said();
        bob.send("fine\r\n");
        ann.said();
        started.elapsed()
    });
    let soonest = soonest.min();
    assert!(soonest.is_some_and(|time| time < PAUSE), "{soonest:?}");
}
