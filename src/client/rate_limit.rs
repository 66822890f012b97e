//! How fast one client may speak. No I/O, no clock but the one it is handed.
//!
//! Over its rate a client is simply not read for a while: nothing of what it sent is lost, TCP
//! holds it back, and nobody is thrown out for a paste.

use std::time::{Duration, Instant};

/// The limit on bytes, beside the one on lines: 64 KiB a second, and a MiB at once.
const BYTES: RateLimit = RateLimit { rate: 64 * 1024, burst: 1024 * 1024 };

/// Bytes that a read counts for, at least: however few it brings, it is a system call. A client
/// over its limit is read seldom, and then everything that has come meanwhile is one read.
const READ_BYTES: u32 = 512;

/// How fast each client of a chat may speak. One that is faster is not read for a while; nothing is
/// lost. Beside lines its bytes count: 1 MiB at once, and then 64 KiB a second.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Lines a second, 100 by default; 0 is no limit, on bytes neither.
    pub rate: u32,
    /// Lines at once, 1000 by default; 0 is no limit, on bytes neither.
    pub burst: u32,
}

impl Default for RateLimit {
    /// No person and no paste by hand ever feels it.
    fn default() -> Self {
        RateLimit { rate: 100, burst: 1000 }
    }
}

impl RateLimit {
    fn is_off(self) -> bool {
        self.rate == 0 || self.burst == 0
    }
}

/// What one client has used of its [`RateLimit`]: two token buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Usage {
    lines: Bucket,
    bytes: Bucket,
}

impl Usage {
    /// Counts one line; returns how long the client is not to be read.
    pub(crate) fn line(&mut self, limit: RateLimit, now: Instant) -> Duration {
        self.lines.spend(1, limit, now)
    }

    /// Counts what one read brought, whatever it is; returns how long the client is not to be read.
    pub(crate) fn read(&mut self, limit: RateLimit, bytes: usize, now: Instant) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(READ_BYTES);
        self.bytes.spend(bytes, if limit.is_off() { limit } else { BYTES }, now)
    }

    /// Whether any of it is not yet earned again.
    pub(crate) fn is_remembered(&self, now: Instant) -> bool {
        self.lines.max(self.bytes) > Bucket(Some(now))
    }

    /// The more of both, in lines and in bytes.
    pub(crate) fn max_of(self, other: Usage) -> Usage {
        Usage { lines: self.lines.max(other.lines), bytes: self.bytes.max(other.bytes) }
    }
}

/// A token bucket, kept as the moment at which it will be full again: a token takes `1 / rate`
/// seconds to be earned, so spending one moves that moment further away by as much. The bucket is
/// overdrawn by what is further away than the burst takes to be earned. `None` is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// Spends tokens; returns how long it takes until the bucket is overdrawn no more.
    fn spend(&mut self, tokens: u32, limit: RateLimit, now: Instant) -> Duration {
        if limit.is_off() {
            return Duration::ZERO;
        }
        let earned_in = |tokens: u32| Duration::from_secs(1) * tokens / limit.rate;
        let full_at = self.0.map_or(now, |at| at.max(now)) + earned_in(tokens);
        self.0 = Some(full_at);
        full_at.duration_since(now).saturating_sub(earned_in(limit.burst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_free_and_then_lines_come_at_the_rate() {
        let (limit, now, mut usage) = (RateLimit::default(), Instant::now(), Usage::default());
        for _ in 0..limit.burst {
            assert_eq!(usage.line(limit, now), Duration::ZERO);
        }
        assert_eq!(usage.line(limit, now), Duration::from_millis(10));
        let later = now + Duration::from_millis(10);
        assert_eq!(usage.line(limit, later), Duration::from_millis(10));
    }

    #[test]
    fn silence_earns_the_burst_again() {
        let (limit, now, mut usage) = (RateLimit::default(), Instant::now(), Usage::default());
        for _ in 0..limit.burst {
            usage.line(limit, now);
        }
        let later = now + Duration::from_secs(10);
        for _ in 0..limit.burst {
            assert_eq!(usage.line(limit, later), Duration::ZERO);
        }
        assert!(usage.line(limit, later) > Duration::ZERO);
    }

    #[test]
    fn bytes_are_limited_whatever_they_are() {
        let (limit, now, mut usage) =
            (RateLimit { rate: 1000, burst: 100_000 }, Instant::now(), Usage::default());
        for _ in 0..1024 {
            assert_eq!(usage.read(limit, 1024, now), Duration::ZERO);
        }
        assert_eq!(usage.read(limit, 64 * 1024, now), Duration::from_secs(1));
    }

    #[test]
    fn many_small_reads_are_limited_like_bytes() {
        let (limit, now, mut usage) = (RateLimit::default(), Instant::now(), Usage::default());
        for _ in 0..BYTES.burst / READ_BYTES {
            assert_eq!(usage.read(limit, 1, now), Duration::ZERO);
        }
        assert_eq!(usage.read(limit, 1, now), Duration::from_secs(1) / 128);
    }

    #[test]
    fn zero_is_off() {
        for limit in [RateLimit { rate: 0, burst: 9 }, RateLimit { rate: 9, burst: 0 }] {
            let (now, mut usage) = (Instant::now(), Usage::default());
            assert!((0..100_000).all(|_| usage.line(limit, now).is_zero()));
        }
    }

    proptest! {
        #[test]
        fn one_who_waits_as_told_never_exceeds_burst_plus_rate(
            rate in 1..1000u32,
            burst in 1..100u32,
            gaps in prop::collection::vec(0..50u64, 1..300),
        ) {
            let (limit, start, mut usage) = (RateLimit { rate, burst }, Instant::now(), Usage::default());
            let mut now = start;
            for (sent, gap) in gaps.into_iter().enumerate() {
                let allowed = f64::from(burst) + f64::from(rate) * now.duration_since(start).as_secs_f64();
                assert!(sent as f64 <= allowed + 1.0, "{sent} of {allowed}");
                now += usage.line(limit, now) + Duration::from_millis(gap);
            }
        }
    }
}
