//! One figure as the tables and the first page tell it: the median, least and most, of how many
//! runs where that is not the usual number, and how it stands to ours.

use super::metric::Metric;
use super::svg::short;
use super::table::NOTHING;
use crate::results::{OURS, Results};
use crate::stats::{Spread, Standing};

/// Marks what a single run says.
pub(super) const SINGLE: &str = "†";

/// For a head, over figures that are usually of so many runs.
pub(crate) fn usual(n: usize) -> String {
    if n == 1 { format!("n=1{SINGLE}") } else { format!("n={n}") }
}

/// Stands right behind what is of `n` runs.
pub(super) fn mark(n: usize, usual: usize) -> String {
    ranged(None, n, usual)
}

/// With the range in the same brackets.
fn ranged(range: Option<String>, n: usize, usual: usize) -> String {
    let single = if n == 1 { SINGLE } else { "" };
    let count = (n != 1 && n != usual).then(|| format!("n={n}"));
    let aside: Vec<String> = range.into_iter().chain(count).collect();
    if aside.is_empty() { single.into() } else { format!("{single} ({})", aside.join(", ")) }
}

impl Results {
    /// What a metric's column is called: its band stands there too.
    pub(super) fn head(&self, workload: &str, metric: &Metric) -> String {
        let equals = self.equals(workload, metric.key).filter(|_| !metric.aside);
        let band = equals
            .map(|(band, n)| format!(" ±{:.0} %{}", band * 100.0, mark(n, self.rounds(workload))));
        metric.told().0 + &band.unwrap_or_default()
    }

    /// The whole cell; least and most only of what is ranked.
    pub(crate) fn cell(&self, workload: &str, peer: &str, metric: &Metric) -> String {
        let Some(Spread { n, median, min, max }) = self.value(workload, peer, metric.key) else {
            let is_faulty = self.fault(workload, peer).is_some();
            return if is_faulty { "fails" } else { NOTHING }.into();
        };
        let told = |value: f64| short(value / metric.told().1);
        let range = (min < max && !metric.aside).then(|| format!("{}–{}", told(min), told(max)));
        let figure = told(median) + &ranged(range, n, self.rounds(workload));
        let stands = self.stands(workload, peer, metric);
        stands.map_or(figure.clone(), |stands| format!("{figure} {stands}"))
    }

    /// Theirs by ours, or ≈; nothing of ours, and where it is not ranked.
    pub(super) fn stands(&self, workload: &str, peer: &str, metric: &Metric) -> Option<String> {
        let is_ranked = !metric.aside && peer != OURS;
        let found = is_ranked.then(|| self.compare(workload, peer, metric.key))??;
        Some(ratio(found.ratio, found.standing) + &mark(found.n, self.rounds(workload)))
    }
}

pub(crate) fn ratio(ratio: f64, standing: Standing) -> String {
    if standing == Standing::Equal { "≈".into() } else { short(ratio) + "×" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_runs_is_said_where_it_is_another_and_a_single_one_always() {
        assert_eq!([usual(5), usual(1)], ["n=5", "n=1†"]);
        assert_eq!([mark(5, 5), mark(4, 5), mark(1, 5), mark(1, 1)], ["", " (n=4)", "†", "†"]);
        assert_eq!(ranged(Some("2–4".into()), 4, 5), " (2–4, n=4)");
    }
}
