//! What those who left had used of their rate limit, so that coming again earns no new burst. No
//! I/O, no clock but the one it is handed.

use std::collections::HashMap;
use std::time::Instant;

use crate::client::rate_limit::Usage;
use crate::server::peer::Subscriber;

/// Subscribers remembered, at most: 64 bytes each. Where there are more, the one whose burst is
/// earned again soonest is forgotten.
const SUBSCRIBERS: usize = 1024;

/// What is remembered of each subscriber that has been here.
#[derive(Debug, Default)]
pub(super) struct Returning(HashMap<Subscriber, Usage>);

impl Returning {
    /// What a client of this subscriber has used already.
    pub(super) fn usage(&self, whose: Subscriber) -> Usage {
        self.0.get(&whose).copied().unwrap_or_default()
    }

    /// Remembers what a client has used that leaves, until that is earned again.
    pub(super) fn note(&mut self, whose: Subscriber, usage: Usage, now: Instant) {
        if !usage.is_remembered(now) {
            return;
        }
        let usage = usage.max_of(self.usage(whose));
        let is_new = !self.0.contains_key(&whose);
        if is_new && self.0.len() >= SUBSCRIBERS {
            self.0.retain(|_, usage| usage.is_remembered(now));
            if self.0.len() >= SUBSCRIBERS {
                let soonest =
                    self.0.iter().min_by_key(|(_, usage)| **usage).map(|(whose, _)| *whose);
                soonest.and_then(|whose| self.0.remove(&whose));
            }
        }
        self.0.insert(whose, usage);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::rate_limit::RateLimit;

    fn user(n: u32) -> Subscriber {
        Subscriber::User(Some(n))
    }

    #[test]
    fn one_who_comes_again_goes_on_where_it_left() {
        let (limit, now, mut returning) =
            (RateLimit::default(), Instant::now(), Returning::default());
        let mut usage = returning.usage(user(1));
        for _ in 0..limit.burst {
            assert_eq!(usage.line(limit, now), Duration::ZERO);
        }
        returning.note(user(1), usage, now);
        assert!(returning.usage(user(1)).line(limit, now) > Duration::ZERO);
        assert_eq!(returning.usage(user(2)).line(limit, now), Duration::ZERO);
        let later = now + Duration::from_secs(10);
        assert_eq!(returning.usage(user(1)).line(limit, later), Duration::ZERO);
    }

    #[test]
    fn however_many_come_and_go_a_bounded_number_is_remembered() {
        let (limit, mut now, mut returning) =
            (RateLimit::default(), Instant::now(), Returning::default());
        for n in 0..3 * SUBSCRIBERS as u32 {
            let mut usage = Usage::default();
            usage.line(limit, now);
            returning.note(user(n), usage, now);
            now += Duration::from_micros(1);
        }
        assert_eq!(returning.0.len(), SUBSCRIBERS);
        let last = user(3 * SUBSCRIBERS as u32 - 1);
        assert!(returning.0.contains_key(&last), "the newest are kept");
        returning.note(user(0), Usage::default(), now);
        assert_eq!(returning.0.len(), SUBSCRIBERS, "one who said nothing is not remembered");
    }
}
