//! Medians, spreads, pairwise ratios and slopes.

/// Equal means at least within so much, even if the A/A runs happened to agree more closely.
pub(crate) const LEAST_BAND: f64 = 0.03;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// How many values.
    pub(crate) n: usize,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    };
    Some(Spread { n: values.len(), median, min, max })
}

/// The band within which two count as equal: twice the median distance from 1 of the ratios of
/// equals. Were they of a normal distribution, the median of five of them would leave it once
/// in a hundred times.
pub(crate) fn band(ratios_of_equals: impl IntoIterator<Item = f64>) -> f64 {
    let far = |ratio: f64| ratio.max(1.0 / ratio) - 1.0;
    let distances = ratios_of_equals.into_iter().filter(|ratio| *ratio > 0.0).map(far);
    spread(distances).map_or(LEAST_BAND, |spread| LEAST_BAND.max(2.0 * spread.median))
}

/// How one value stands to another, given the band of equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Below,
    Equal,
    Above,
}

pub(crate) fn standing(ratio: f64, band: f64) -> Standing {
    match ratio {
        ratio if ratio > 1.0 + band => Standing::Above,
        ratio if ratio < 1.0 / (1.0 + band) => Standing::Below,
        _ => Standing::Equal,
    }
}

/// Least squares.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let product: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    product / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// A small generator (splitmix64): what it gives must be repeatable, not secret.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Those of one of many, so that what it does hangs on no other.
    pub(crate) fn of(seed: u64, number: u64) -> Dice {
        Dice(Dice(seed).next().wrapping_add(Dice(number).next()))
    }

    /// From 0 to below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_and_extremes() {
        assert_eq!(spread([]), None);
        assert_eq!(spread([3.0, 1.0, 2.0]), Some(Spread { n: 3, median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread([4.0, 1.0]).map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn equals_are_told_from_others_by_the_band() {
        let band = band([1.02, 0.9, 1.05]);
        assert!((band - 0.1).abs() < 1e-9);
        assert_eq!(standing(1.09, band), Standing::Equal);
        assert_eq!(standing(1.2, band), Standing::Above);
        assert_eq!(standing(0.8, band), Standing::Below);
        assert_eq!(super::band([1.0]), LEAST_BAND);
    }

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<_> = (0..5).map(|n| (f64::from(n), 7.0 + 3.0 * f64::from(n))).collect();
        assert!((slope(&points) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn shuffling_is_repeatable_and_loses_nobody() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            Dice(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(3);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
