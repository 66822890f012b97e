//! What a reader of the chat heard, and whether that is what it was due. No I/O.

use crate::lines::{Lines, missed};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// A line of somebody, or of the server.
    Line(String),
    /// So many lines were missed, says the server.
    Missed(usize),
}

/// What one reader has heard between a round's begin and its end.
#[derive(Default)]
pub(super) struct Hearing {
    token: String,
    unfinished: Lines,
    /// What the server calls the reader.
    pub(super) name: String,
    pub(super) has_begun: bool,
    pub(super) has_ended: bool,
    pub(super) heard: Vec<Heard>,
    /// Lines of others in it, and those it was told it missed.
    pub(super) said: usize,
    pub(super) missed: usize,
}

/// Nobody of a line of the server.
fn author(line: &str) -> &str {
    line.strip_prefix('<').and_then(|line| line.split_once("> ")).map_or("", |(name, _)| name)
}

impl Hearing {
    /// `token` stands in the lines that begin and end the round, and in no other.
    pub(super) fn new(token: &str) -> Hearing {
        Hearing { token: token.into(), ..Hearing::default() }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut unfinished = std::mem::take(&mut self.unfinished);
        let _never_fails = unfinished.feed(0, bytes, |line| {
            self.hear(line);
            Ok(())
        });
        self.unfinished = unfinished;
    }

    fn hear(&mut self, mut line: &[u8]) {
        // Telnet's answers.
        while let [0xff, _, _, rest @ ..] = line {
            line = rest;
        }
        let line = String::from_utf8_lossy(line);
        let welcome = line.strip_prefix("*** welcome, you are ");
        if let Some((name, _)) = welcome.and_then(|line| line.split_once('.')) {
            self.name = name.to_owned();
        }
        match line.split_once(&self.token) {
            Some((_, " begins")) => self.has_begun = true,
            Some((_, " ends")) => self.has_ended = true,
            _ if !self.has_begun || self.has_ended => {}
            // Answers to AYT.
            _ if line.is_empty() || line == "*** yes, still here" => {}
            _ => self.count(&line),
        }
    }

    fn count(&mut self, line: &str) {
        let missed = missed(line.as_bytes()).map(|lines| lines as usize);
        self.missed += missed.unwrap_or(0);
        self.said += usize::from(!author(line).is_empty());
        self.heard.push(missed.map_or_else(|| Heard::Line(line.into()), Heard::Missed));
    }
}

/// Whether `heard` is what the reader called `name` was due: the lines of the `order` but its
/// own, each once, or counted among those it missed; all of them, or where not `whole`, the first.
pub(super) fn judge(
    order: &[Heard],
    heard: &[Heard],
    name: &str,
    whole: bool,
) -> Result<(), String> {
    let mut due = order.iter().filter_map(|heard| match heard {
        Heard::Line(line) if author(line) != name => Some(line),
        _ => None,
    });
    for heard in heard {
        match heard {
            Heard::Line(line) => match due.next() {
                Some(due) if due == line => {}
                Some(due) => return Err(format!("heard '{line:.24}', was due '{due:.24}'")),
                None => return Err(format!("heard '{line:.24}' behind the last line")),
            },
            Heard::Missed(lines) => {
                let over = lines - due.by_ref().take(*lines).count();
                if over > 0 {
                    return Err(format!("was told of {over} missed lines too many"));
                }
            }
        }
    }
    match due.next() {
        Some(line) if whole => Err(format!("'{line:.24}' and what follows never came")),
        _ => Ok(()),
    }
}

/// Whether the witness heard exactly what the one called `name` says.
pub(super) fn judge_witness(order: &[Heard], name: &str, says: &[String]) -> Result<(), String> {
    let says: Vec<Heard> =
        says.iter().map(|line| Heard::Line(format!("<{name}> {line}"))).collect();
    let of_it = |heard: &&Heard| matches!(heard, Heard::Line(line) if author(line) == name);
    let heard: Vec<Heard> = order.iter().filter(of_it).cloned().collect();
    judge(&says, &heard, "", true).map_err(|what| format!("of its lines the witness {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(lines: &str) -> Hearing {
        let mut hearing = Hearing::new("T");
        for part in format!("<x> old\r\n<h> T begins\r\n{lines}<h> T ends\r\n<x> new\r\n")
            .as_bytes()
            .chunks(7)
        {
            hearing.take(part);
        }
        hearing
    }

    fn verdict(lines: &str, whole: bool) -> Result<(), String> {
        let order = hear("<a> 1\r\n<b> 1\r\n*** c left\r\n<a> 2\r\n<b> 2\r\n").heard;
        judge_witness(&order, "b", &["1".to_owned(), "2".to_owned()])?;
        judge(&order, &hear(lines).heard, "b", whole)
    }

    #[test]
    fn each_line_once_in_order_or_counted_is_right() {
        assert_eq!(verdict("<a> 1\r\n*** c left\r\n<a> 2\r\n", true), Ok(()));
        assert_eq!(verdict("*** you missed 2 lines\r\n<a> 2\r\n", true), Ok(()));
        assert_eq!(verdict("<a> 1\r\n*** c left\r\n*** you missed 1 line\r\n", true), Ok(()));
        assert_eq!(verdict("<a> 1\r\n", false), Ok(()));
        assert_eq!(verdict("<a> 1\r\n\r\n*** yes, still here\r\n", false), Ok(()));
    }

    #[test]
    fn what_was_dropped_doubled_swapped_damaged_or_miscounted_is_found() {
        for (lines, said) in [
            ("<a> 1\r\n*** c left\r\n", "'<a> 2' and what follows never came"),
            ("<a> 1\r\n<a> 2\r\n", "heard '<a> 2', was due '*** c left'"),
            ("<a> 1\r\n<a> 1\r\n", "heard '<a> 1', was due '*** c left'"),
            ("*** c left\r\n<a> 1\r\n<a> 2\r\n", "heard '*** c left', was due '<a> 1'"),
            ("<a> 7\r\n", "heard '<a> 7', was due '<a> 1'"),
            ("<b> 1\r\n", "heard '<b> 1', was due '<a> 1'"),
            ("*** you missed 2 lines\r\n", "'<a> 2' and what follows never came"),
            ("<a> 1\r\n*** you missed 3 lines\r\n", "was told of 1 missed lines too many"),
            ("*** you missed 3 lines\r\n<a> 2\r\n", "heard '<a> 2' behind the last line"),
        ] {
            assert_eq!(verdict(lines, true), Err(said.to_owned()), "{lines}");
        }
        let order = hear("<b> 1\r\n<b> 2\r\n").heard;
        for says in [&["1"][..], &["1", "x"], &["2", "1"], &["1", "2", "3"]] {
            let says: Vec<String> = says.iter().map(|line| (*line).to_owned()).collect();
            assert!(judge_witness(&order, "b", &says).is_err(), "{says:?}");
        }
    }

    #[test]
    fn the_welcome_gives_the_name_and_telnet_is_no_line() {
        let mut hearing = Hearing::new("T");
        hearing.take(b"*** welcome, you are guest3. 2 others here: guest1, guest2\r\n");
        hearing.take(b"<h> T begins\r\n\xff\xfb\x06\xff\xfd\x00<x> new\r\n");
        assert_eq!(hearing.name, "guest3");
        assert_eq!(hearing.heard, [Heard::Line("<x> new".into())]);
    }
}
