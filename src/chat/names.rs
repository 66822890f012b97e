//! Who is in the chat, and which names one may have. No I/O.

use std::rc::Rc;

use slab::Slab;

/// Bytes of a chosen name, at most.
pub const NAME_BYTES: usize = 16;

/// Names a newcomer reads, at most; a count stands for the others.
pub const WELCOME_NAMES: usize = 10;

/// Who is here, in no order.
#[derive(Debug, Default)]
pub(super) struct Names {
    here: Slab<Rc<str>>,
    arrivals: u64,
}

impl Names {
    /// The name of one who chooses none; never given twice.
    pub(super) fn guest(&mut self) -> String {
        self.arrivals += 1;
        format!("guest{}", self.arrivals)
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
        if self.here.iter().any(|(_, taken)| taken.eq_ignore_ascii_case(name)) {
            return Err("that name is taken");
        }
        Ok(())
    }

    /// Returns the place of the name, by which it leaves.
    pub(super) fn enter(&mut self, name: Rc<str>) -> usize {
        self.here.insert(name)
    }

    pub(super) fn leave(&mut self, place: usize) {
        self.here.try_remove(place);
    }

    /// How many are here.
    pub(super) fn count(&self) -> usize {
        self.here.len()
    }

    /// What the newcomer at this place reads of the others who are here.
    pub(super) fn welcome(&self, place: usize) -> String {
        let name = self.here.get(place).map_or("", |name| name);
        let others = self.here.iter().filter(|(other, _)| *other != place);
        let shown: Vec<&str> = others.take(WELCOME_NAMES).map(|(_, name)| &**name).collect();
        let (shown, count) = (shown.join(", "), self.here.len() - 1);
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
            all.enter((*name).into());
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
        let welcome = |n: usize| {
            let mut here = with(&names[..n]);
            let me = here.enter("me".into());
            here.welcome(me)
        };
        assert_eq!(welcome(0), "*** welcome, you are me. nobody else is here yet\r\n");
        assert_eq!(welcome(1), "*** welcome, you are me. 1 other here: n1\r\n");
        assert_eq!(welcome(2), "*** welcome, you are me. 2 others here: n1, n2\r\n");
        assert!(
            welcome(10).ends_with("10 others here: n1, n2, n3, n4, n5, n6, n7, n8, n9, n10\r\n")
        );
        assert!(welcome(12).ends_with(" n9, n10 and 2 more\r\n"));
    }

    #[test]
    fn a_guest_name_is_never_given_twice() {
        let mut names = Names::default();
        let first = names.guest();
        let place = names.enter(first.as_str().into());
        names.leave(place);
        assert_ne!(names.guest(), first);
    }
}
