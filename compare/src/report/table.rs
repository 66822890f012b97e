//! A table in Markdown, without the columns that say nothing. Knows no peers.

/// What stands where there is nothing to say.
pub(crate) const NOTHING: &str = "–";

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

pub(crate) struct Column {
    head: String,
    align: &'static str,
}

enum Row {
    Cells(Vec<String>),
    /// A name, and words in place of all figures.
    Words(String, String),
}

impl Column {
    pub(crate) fn words(head: &str) -> Column {
        Column { head: head.into(), align: "---" }
    }

    pub(crate) fn figures(head: &str) -> Column {
        Column { head: head.into(), align: "---:" }
    }
}

impl Table {
    /// The first column holds the names, and its head says whose figures these are.
    pub(crate) fn new(columns: Vec<Column>) -> Table {
        Table { columns, rows: Vec::new() }
    }

    /// All but the first are figures.
    pub(crate) fn of<T: AsRef<str>>(first: &str, heads: impl IntoIterator<Item = T>) -> Table {
        let figures = heads.into_iter().map(|head| Column::figures(head.as_ref()));
        Table::new(std::iter::once(Column::words(first)).chain(figures).collect())
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(Row::Cells(cells));
    }

    pub(crate) fn words(&mut self, name: String, words: String) {
        self.rows.push(Row::Words(name, words));
    }

    pub(crate) fn text(&self) -> String {
        let columns: Vec<usize> = (0..self.columns.len()).filter(|at| self.says(*at)).collect();
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(columns.iter().map(|at| self.columns[*at].head.as_str()).collect());
        let aligns = columns.iter().map(|at| format!("{}|", self.columns[*at].align));
        text += &format!("|{}\n", aligns.collect::<String>());
        for row in &self.rows {
            text += &match row {
                Row::Cells(cells) => line(columns.iter().map(|at| cells[*at].as_str()).collect()),
                Row::Words(name, words) => line(vec![name, words]),
            };
        }
        text
    }

    /// Whether a row has anything in this column.
    fn says(&self, at: usize) -> bool {
        let said = |row: &Row| match row {
            Row::Cells(cells) => cells[at] != NOTHING,
            // Words take the place of the first figure.
            Row::Words(..) => at == 1,
        };
        at == 0 || self.rows.iter().any(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_dashes_is_left_out() {
        let columns = ["start", "ms", "threads", "bound"];
        let mut table = Table::new(columns.map(Column::figures).into());
        for (name, threads) in [("ours", "–"), ("go", "–")] {
            table.row([name, "0.5", threads, "neither"].map(str::to_owned).into());
        }
        table.words("ncat".into(), "not valid: it ended".into());
        let text = table.text();
        assert!(text.starts_with("| start | ms | bound |\n|---:|---:|---:|\n| ours | 0.5 |"));
        assert!(
            text.ends_with("| ncat | not valid: it ended |\n") && !text.contains('–'),
            "{text}"
        );
        table.row(["node", "–", "7", "–"].map(str::to_owned).into());
        assert!(table.text().contains("| go | 0.5 | – | neither |"), "{}", table.text());
    }
}
