//! Who is in the chat, and which names one may have. No I/O.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Bytes of a chosen name, at most.
pub const NAME_BYTES: usize = 16;

/// Names a newcomer reads, at most; a count stands for the others.
pub const WELCOME_NAMES: usize = 10;

/// Who is here, by the number of their coming.
#[derive(Debug, Default)]
pub(super) struct Names {
    here: BTreeMap<u64, Rc<str>>,
    arrivals: u64,
}

impl Names {
    /// The number of someone who comes; never given twice.
    pub(super) fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// The name of one who chose none.
    pub(super) fn guest(number: u64) -> String {
        format!("guest{number}")
    }

    /// Checks a name that is asked for; what is wrong with it is one sentence.
    pub(super) fn check(&self, name: &str) -> Result<(), &'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.len() > NAME_BYTES || !name.chars().all(allowed) {
            return Err("a name is 1 to 16 of the letters A-Z a-z, digits, _ and -");
        }
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() < name.len() && stem.eq_ignore_ascii_case("guest") {
            return Err("names like guest3 are given by the server");
        }
        if self.here.values().any(|taken| taken.eq_ignore_ascii_case(name)) {
            return Err("that name is taken");
        }
        Ok(())
    }

    pub(super) fn enter(&mut self, number: u64, name: Rc<str>) {
        self.here.insert(number, name);
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.here.remove(&number);
    }

    /// How many are here.
    pub(super) fn count(&self) -> usize {
        self.here.len()
    }

    /// What a newcomer reads of those who are here before it enters.
    pub(super) fn welcome(&self, name: &str) -> String {
        let shown: Vec<&str> = self.here.values().take(WELCOME_NAMES).map(|name| &**name).collect();
        let (shown, count) = (shown.join(", "), self.here.len());
        let others = match count {
            0 => "nobody else is here yet".to_owned(),
            1 => format!("1 other here: {shown}"),
            2..=WELCOME_NAMES => format!("{count} others here: {shown}"),
            _ => format!("{count} others here: {shown} and {} more", count - WELCOME_NAMES),
        };
        format!("*** welcome, you are {name}. {others}\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: &[&str]) -> Names {
        let mut all = Names::default();
        for name in names {
            let number = all.arrive();
            all.enter(number, (*name).into());
        }
        all
    }

    #[test]
    fn a_name_is_short_plain_and_unlike_any_other() {
        let names = with(&["Ann", "guest2"]);
        for good in ["bob", "a", "_-_", "guest", "Guest-3", "sixteen_letters_"] {
            assert_eq!(names.check(good), Ok(()), "{good}");
        }
        for bad in [
            "ann",
            "ANN",
            "two words",
            "ž",
            "<b>",
            "***",
            "seventeen_letters",
            "guest9",
            "GUEST2",
            "é",
        ] {
            assert!(names.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_welcome_names_ten_and_counts_the_others() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let welcome = |n: usize| with(&names[..n]).welcome("me");
        assert_eq!(welcome(0), "*** welcome, you are me. nobody else is here yet\r\n");
        assert_eq!(welcome(1), "*** welcome, you are me. 1 other here: n1\r\n");
        assert_eq!(welcome(2), "*** welcome, you are me. 2 others here: n1, n2\r\n");
        assert!(
            welcome(10).ends_with("10 others here: n1, n2, n3, n4, n5, n6, n7, n8, n9, n10\r\n")
        );
        assert!(welcome(12).ends_with(" n9, n10 and 2 more\r\n"));
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let mut names = Names::default();
        let first = names.arrive();
        names.enter(first, "x".into());
        names.leave(first);
        assert_ne!(names.arrive(), first);
    }
}
