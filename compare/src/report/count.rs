//! Of how many runs a figure is: said once over a table or a picture, and beside each figure that
//! is of another number.

/// Marks what a single run says.
pub(super) const SINGLE: &str = "†";

/// For a head.
pub(crate) fn usual(n: usize) -> String {
    if n == 1 { format!("n=1{SINGLE}") } else { format!("n={n}") }
}

/// Stands right behind a figure.
pub(super) fn mark(n: usize, usual: usize) -> String {
    ranged("", None, n, usual)
}

/// A figure, with its range in the same brackets as the number.
pub(super) fn ranged(figure: &str, range: Option<String>, n: usize, usual: usize) -> String {
    let single = if n == 1 { SINGLE } else { "" };
    let count = (n != 1 && n != usual).then(|| format!("n={n}"));
    let aside: Vec<String> = range.into_iter().chain(count).collect();
    let aside = if aside.is_empty() { String::new() } else { format!(" ({})", aside.join(", ")) };
    format!("{figure}{single}{aside}")
}

/// Stands behind the name of a curve whose points are of so many runs.
pub(super) fn range(least: usize, most: usize, usual: usize) -> String {
    match (least, most) {
        (1, 1) if usual == 1 => String::new(),
        (least, most) if least == most => mark(least, usual),
        (1, most) => format!(" (n=1{SINGLE}–{most})"),
        (least, most) => format!(" (n={least}–{most})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_runs_is_said_where_it_is_another_and_a_single_one_always() {
        assert_eq!([usual(5), usual(1)], ["n=5", "n=1†"]);
        assert_eq!([mark(5, 5), mark(4, 5), mark(1, 5), mark(1, 1)], ["", " (n=4)", "†", "†"]);
        assert_eq!(ranged("3", Some("2–4".into()), 4, 5), "3 (2–4, n=4)");
        let curves = [(5, 5, 5), (4, 4, 5), (1, 1, 5), (3, 5, 5), (1, 5, 5), (1, 1, 1)];
        let said = curves.map(|(least, most, usual)| range(least, most, usual));
        assert_eq!(said, ["", " (n=4)", "†", " (n=3–5)", " (n=1†–5)", ""]);
    }
}
