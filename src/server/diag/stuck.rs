//! Decides who has had output for too long without taking any of it. No I/O, no clock but the
//! one it is handed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Row;
use crate::server::stats::CloseReason;

/// The clients that had output at the last look, by cookie.
#[derive(Debug)]
pub(crate) struct Stuck {
    dead: Duration,
    before: HashMap<u64, Seen>,
    now: HashMap<u64, Seen>,
}

/// How much a client had acknowledged, and since when it is no more.
#[derive(Clone, Copy, Debug)]
struct Seen {
    acked: u64,
    since: Instant,
}

impl Stuck {
    /// Gives every client this much time.
    pub(crate) fn new(dead: Duration) -> Stuck {
        Stuck { dead, before: HashMap::new(), now: HashMap::new() }
    }

    /// Notes what one client did since the last look at all of them; returns why it has to go, if its
    /// time is over.
    pub(crate) fn see(&mut self, row: &Row, now: Instant) -> Option<CloseReason> {
        if row.waiting == 0 {
            return None;
        }
        let same = self.before.get(&row.cookie).filter(|seen| seen.acked == row.acked);
        let seen = same.copied().unwrap_or(Seen { acked: row.acked, since: now });
        self.now.insert(row.cookie, seen);
        // A peer that is there answers the probes of its closed window. They come at ever longer
        // intervals, but at least twice in `dead`.
        let answers = row.silent < self.dead * 3 / 4;
        let over = now.duration_since(seen.since) >= self.dead;
        over.then_some(if answers { CloseReason::Stalled } else { CloseReason::Lost })
    }

    /// Ends a look at all clients; true when none had output.
    pub(crate) fn finish(&mut self) -> bool {
        self.before = std::mem::take(&mut self.now);
        self.before.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: Duration = Duration::from_secs(40);

    /// At which look a client has to go, and why, if there is one each ten seconds at which the
    /// kernel says `row` of it.
    fn fate(looks: u32, row: impl Fn(u32) -> Row) -> Option<(u32, CloseReason)> {
        let (start, mut stuck) = (Instant::now(), Stuck::new(DEAD));
        (0..looks).find_map(|look| {
            let reason = stuck.see(&row(look), start + DEAD / 4 * look);
            stuck.finish();
            Some((look, reason?))
        })
    }

    fn row(waiting: u32, acked: u64, silent: Duration) -> Row {
        let peer = "192.0.2.1:9".parse().expect("an address");
        Row { peer, cookie: 1, waiting, acked, silent }
    }

    #[test]
    fn one_who_takes_a_byte_now_and_then_stays_and_so_does_one_who_has_all() {
        assert_eq!(fate(1000, |look| row(9, u64::from(look / 3), DEAD)), None);
        assert_eq!(fate(1000, |_| row(0, 7, DEAD * 9)), None);
    }

    #[test]
    fn one_who_takes_nothing_goes_after_dead_as_stalled_where_it_is_there_and_else_as_lost() {
        let answering = |_| row(9, 7, DEAD / 2);
        let vanished = |look| row(9, 7, DEAD / 4 * look);
        assert_eq!(fate(1000, answering), Some((4, CloseReason::Stalled)));
        assert_eq!(fate(1000, vanished), Some((4, CloseReason::Lost)));
    }

    #[test]
    fn time_counts_from_the_last_byte_taken_and_from_the_first_one_waiting() {
        let late = |look| row(u32::from(look > 50), u64::from(look > 53), DEAD);
        assert_eq!(fate(1000, late), Some((58, CloseReason::Lost)));
    }
}
