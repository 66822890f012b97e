//! How much those who left had used of their pace, so that coming again is no new burst. No I/O,
//! no clock but the one it is handed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::pace::Spent;

/// Subscribers remembered, at most: 64 bytes each. Of more than these, who would earn its burst
/// again soonest is forgotten.
const SUBSCRIBERS: usize = 1024;

/// What is remembered of each subscriber that has been here.
#[derive(Debug, Default)]
pub(super) struct Left(HashMap<IpAddr, Spent>);

impl Left {
    /// What one who comes from `subscriber` has used already.
    pub(super) fn spent(&self, subscriber: IpAddr) -> Spent {
        self.0.get(&subscriber).copied().unwrap_or_default()
    }

    /// Remembers what one who leaves has used, as long as that is not earned again.
    pub(super) fn note(&mut self, subscriber: IpAddr, spent: Spent, now: Instant) {
        if !spent.lasts(now) {
            return;
        }
        let spent = spent.or_more(self.spent(subscriber));
        if self.0.len() >= SUBSCRIBERS && !self.0.contains_key(&subscriber) {
            self.0.retain(|_, spent| spent.lasts(now));
            if self.0.len() >= SUBSCRIBERS {
                let soonest = self.0.iter().min_by_key(|(_, spent)| **spent).map(|(ip, _)| *ip);
                soonest.and_then(|ip| self.0.remove(&ip));
            }
        }
        self.0.insert(subscriber, spent);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pace::Pace;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn one_who_comes_again_goes_on_where_it_left() {
        let (pace, now, mut left) = (Pace::default(), Instant::now(), Left::default());
        let mut spent = left.spent(ip(1));
        for _ in 0..pace.burst {
            assert_eq!(spent.line(pace, now), Duration::ZERO);
        }
        left.note(ip(1), spent, now);
        assert!(left.spent(ip(1)).line(pace, now) > Duration::ZERO);
        assert_eq!(left.spent(ip(2)).line(pace, now), Duration::ZERO);
        let later = now + Duration::from_secs(10);
        assert_eq!(left.spent(ip(1)).line(pace, later), Duration::ZERO);
    }

    #[test]
    fn however_many_come_and_go_a_bounded_number_is_remembered() {
        let (pace, mut now, mut left) = (Pace::default(), Instant::now(), Left::default());
        for n in 0..3 * SUBSCRIBERS as u32 {
            let mut spent = Spent::default();
            spent.line(pace, now);
            left.note(ip(n), spent, now);
            now += Duration::from_micros(1);
        }
        assert_eq!(left.0.len(), SUBSCRIBERS);
        let last = ip(3 * SUBSCRIBERS as u32 - 1);
        assert!(left.0.contains_key(&last), "the newest are kept");
        left.note(ip(0), Spent::default(), now);
        assert_eq!(left.0.len(), SUBSCRIBERS, "one who said nothing is not remembered");
    }
}
