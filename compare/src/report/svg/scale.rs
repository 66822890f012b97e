//! Where values lie on an axis, and which of them have a mark.

use crate::stats::{Spread, spread};

/// Values between `low` and `high` on so many pixels.
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// With some room above the values, and on a logarithmic scale below.
    pub(super) fn over(
        values: impl Iterator<Item = f64>,
        log: bool,
        from: f64,
        to: f64,
    ) -> Option<Scale> {
        let usable = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let Spread { min, max, .. } = spread(usable)?;
        let (low, high) =
            if log { (min / 1.25, max * 1.25) } else { (min.min(0.0), max.max(1e-9) * 1.06) };
        Some(Scale { low, high, from, to, log })
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    pub(super) fn ticks(&self, given: &[(f64, &str)]) -> Vec<(f64, String)> {
        if !given.is_empty() {
            return given.iter().map(|(value, label)| (*value, (*label).to_owned())).collect();
        }
        let values: Vec<f64> = if self.log {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let steps: &[u8] = match self.high / self.low {
                wide if wide > 1000.0 => &[1],
                wide if wide > 6.0 => &[1, 2, 5],
                _ => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            };
            let of = |decade| steps.iter().map(move |it| f64::from(*it) * 10_f64.powi(decade));
            decades.flat_map(of).collect()
        } else {
            let step = nice((self.high - self.low) / 5.0);
            (0..=8).map(|n| (self.low / step).ceil() * step + f64::from(n) * step).collect()
        };
        let inside = |value: &f64| *value >= self.low * 0.999 && *value <= self.high * 1.001;
        values.into_iter().filter(inside).map(|value| (value, short(value))).collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * decade >= step * 0.999);
    times.unwrap_or(10.0) * decade
}

/// Three digits that say something.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => short(value / 1e6) + "M",
        size if size >= 1e4 => short(value / 1e3) + "k",
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_run_from_one_end_to_the_other() {
        let scale = Scale { low: 1.0, high: 100.0, from: 0.0, to: 50.0, log: true };
        assert!((scale.place(10.0) - 25.0).abs() < 1e-9);
        assert!((scale.place(0.0)).abs() < 1e-9);
        let labels: Vec<String> = scale.ticks(&[]).into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["1", "2", "5", "10", "20", "50", "100"]);
    }

    #[test]
    fn figures_have_three_digits_that_say_something() {
        let figures = [0.0123, 0.5, 5.0, 12.34, 123.4, 9999.0, 10_700.0, 461_000.0, 4_970_000.0];
        let told = ["0.012", "0.50", "5", "12.3", "123", "9999", "10.7k", "461k", "4.97M"];
        assert_eq!(figures.map(short), told);
    }
}
