//! A table in Markdown, which a terminal shows as well: the one printer of all commands. Knows no
//! peers.

/// What stands where there is nothing to say.
pub(crate) const NOTHING: &str = "–";

/// Columns in which no row says anything are left out; those of figures stand to the right.
pub(crate) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The first column holds the names, and its head says whose figures these are.
    pub(crate) fn of<T: AsRef<str>>(first: &str, heads: impl IntoIterator<Item = T>) -> Table {
        let mut all = vec![first.to_owned()];
        all.extend(heads.into_iter().map(|head| head.as_ref().to_owned()));
        Table { heads: all, rows: Vec::new() }
    }

    /// A name and a figure for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A name, and words in place of all figures.
    pub(crate) fn words(&mut self, name: String, words: String) {
        self.rows.push(vec![name, words]);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn text(&self) -> String {
        let cells = |at: usize| {
            let said = self.rows.iter().filter_map(move |row| row.get(at));
            said.filter(|cell| *cell != NOTHING)
        };
        let is_figure = |cell: &String| cell.starts_with(|it: char| it.is_ascii_digit());
        let mut lines = vec![String::from("|"); 2 + self.rows.len()];
        for at in (0..self.heads.len()).filter(|&at| at == 0 || cells(at).next().is_some()) {
            let align = if at > 0 && cells(at).any(is_figure) { "---:|" } else { "---|" };
            lines[0] += &format!(" {} |", self.heads[at]);
            lines[1] += align;
            for (line, row) in lines[2..].iter_mut().zip(&self.rows) {
                *line += &row.get(at).map_or(String::new(), |cell| format!(" {cell} |"));
            }
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_dashes_is_left_out_and_figures_stand_to_the_right() {
        let mut table = Table::of("start", ["ms", "threads", "limited"]);
        for (name, threads) in [("ours", "–"), ("go", "–")] {
            table.row([name, "0.5", threads, "server"].map(str::to_owned).into());
        }
        table.words("ncat".into(), "not valid: it ended".into());
        let text = table.text();
        assert!(text.starts_with("| start | ms | limited |\n|---|---:|---|\n| ours | 0.5 |"));
        assert!(
            text.ends_with("| ncat | not valid: it ended |\n") && !text.contains('–'),
            "{text}"
        );
        table.row(["node", "–", "7", "–"].map(str::to_owned).into());
        assert!(table.text().contains("| go | 0.5 | – | server |"), "{}", table.text());
    }
}
