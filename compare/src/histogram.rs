//! Counts of durations in buckets that are three per cent wide, so that millions cost nothing.

use std::time::Duration;

/// Bits of a bucket's place within its octave, below its highest one.
const BITS: u32 = 5;

#[derive(Clone, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(nanos);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Nanoseconds that the share `q` (0 to 1) of all are not above.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let wanted = (self.total as f64 * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (nanos, count) in self.pairs() {
            seen += count;
            if seen >= wanted {
                return nanos;
            }
        }
        self.max
    }

    /// Of each bucket, the nanoseconds that nothing in it is above, and its count.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        let most = |bucket| lowest(bucket + 1).saturating_sub(1).min(self.max);
        self.counts.iter().enumerate().map(move |(bucket, count)| (most(bucket), *count))
    }
}

/// Halved so often that it has no more bits than a place, with its highest one.
fn bucket(nanos: u64) -> usize {
    let halvings = (63 - BITS).saturating_sub(nanos.leading_zeros());
    ((halvings as usize) << BITS) + (nanos >> halvings) as usize
}

/// The lowest nanosecond of a bucket.
fn lowest(bucket: usize) -> u64 {
    let halvings = (bucket >> BITS).saturating_sub(1);
    ((bucket - (halvings << BITS)) as u64) << halvings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_a_bucket_of_the_truth() {
        let mut histogram = Histogram::default();
        for micros in 1..=10_000 {
            histogram.add(Duration::from_micros(micros));
        }
        for (q, truth) in [(0.5, 5_000_000.0), (0.99, 9_900_000.0), (0.999, 9_990_000.0)] {
            let found = histogram.quantile(q) as f64;
            assert!((found / truth - 1.0).abs() < 0.035, "{q}: {found}");
        }
        assert_eq!(histogram.max(), 10_000_000);
        assert_eq!(histogram.quantile(1.0), 10_000_000);
    }

    #[test]
    fn buckets_follow_each_other() {
        for nanos in (0..5_000).chain([1 << 40, u64::MAX / 2]) {
            let bucket = bucket(nanos);
            assert!(lowest(bucket) <= nanos && nanos < lowest(bucket + 1), "{nanos}");
        }
    }
}
