//! The stats, in the order in which they came: one row a name, over all rounds.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// What other programs took of the cores while a scenario was measured.
    disturbed: Vec<(&'static str, Duration)>,
}

struct Row {
    name: String,
    unit: &'static str,
    aim: &'static str,
    values: Vec<f64>,
}

impl Table {
    /// Adds one round's value to the row of this name; `aim` says what to hold it against, if anything.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        aim: &'static str,
        value: f64,
    ) {
        let name = name.into();
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.values.push(value),
            None => self.rows.push(Row { name, unit, aim, values: vec![value] }),
        }
    }

    /// Counts time in which the server, or the load, could run and had no core.
    pub(crate) fn disturbed(&mut self, scenario: &'static str, waited: Duration) {
        match self.disturbed.iter_mut().find(|row| row.0 == scenario) {
            Some(row) => row.1 += waited,
            None => self.disturbed.push((scenario, waited)),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<46} {:>9} {:>9} {:>9}  unit", "", "min", "median", "max")?;
        for row in &self.rows {
            let mut values = row.values.clone();
            values.sort_by(f64::total_cmp);
            let (min, max) = (values[0], values[values.len() - 1]);
            let [min, median, max] = [min, values[values.len() / 2], max].map(digits);
            write!(f, "{:<46} {min:>9} {median:>9} {max:>9}  {}", row.name, row.unit)?;
            match row.aim {
                "" => writeln!(f)?,
                aim => writeln!(f, " ({aim})")?,
            }
        }
        write!(f, "\nwaited for a core that other programs had, in all rounds:")?;
        for (scenario, waited) in &self.disturbed {
            write!(f, " {scenario} {} ms", waited.as_millis())?;
        }
        writeln!(f)
    }
}

/// Three digits that say something.
fn digits(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Times in order of size.
pub(crate) struct Sorted(Vec<Duration>);

impl Sorted {
    pub(crate) fn new(mut times: Vec<Duration>) -> Sorted {
        times.sort_unstable();
        Sorted(times)
    }

    /// The time that `percent` of all are not above, in milliseconds; 100 is the longest.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}
