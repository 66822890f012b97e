//! Which names one may have in the chat, and which of them a newcomer reads. No I/O.
//!
//! A name is of one script, so that it is not mixed from letters of two alphabets that look alike
//! (UTS #39), and without characters that another way to write the same letter is made of.

use unicode_script::{Script, UnicodeScript};
use unicode_width::UnicodeWidthChar;

/// Characters of a chosen name, at most. One has at most four bytes.
const NAME_CHARACTERS: usize = 16;

/// What is wrong with a name that another has, here or at another server.
pub(super) const TAKEN: &str = "that name is taken";

/// Names a newcomer reads, at most; a count stands for the others.
pub(super) const WELCOME_NAMES: usize = 10;

/// Checks a name that is asked for; what is wrong with it is one sentence.
pub(super) fn check<'a>(
    name: &str,
    ascii: bool,
    taken: impl Iterator<Item = &'a str>,
) -> Result<(), &'static str> {
    if ascii && !name.is_ascii() {
        return Err("a name is 1 to 16 of the letters A-Z a-z, digits, _ and -");
    }
    if name.chars().any(|c| is_mark(c) && c.script() == Script::Inherited) {
        return Err("type a letter and its accent as one character");
    }
    let is_short = (1..=NAME_CHARACTERS).contains(&name.chars().count());
    if !is_short || !name.chars().all(is_allowed) || name.starts_with(is_mark) {
        return Err("a name is 1 to 16 letters and digits of any script, _ and -");
    }
    if !is_of_one_script(name) {
        return Err("a name is of one script; do not mix alphabets that look alike");
    }
    let wanted: String = folded(name).collect();
    if wanted.strip_prefix("guest").is_some_and(is_number) {
        return Err("names like guest3 are given by the server");
    }
    if is_taken(name, taken) {
        return Err(TAKEN);
    }
    Ok(())
}

/// Whether one of these names is the same as `name`, however it is written.
pub(super) fn is_taken<'a>(name: &str, mut taken: impl Iterator<Item = &'a str>) -> bool {
    taken.any(|taken| folded(taken).eq(folded(name)))
}

/// What the newcomer of this name reads: how many others are here, `own` on this server and
/// `elsewhere` on others, and some of their names.
pub(super) fn welcome<'a>(
    name: &str,
    own: usize,
    elsewhere: usize,
    others: impl Iterator<Item = &'a str>,
) -> String {
    let shown: Vec<&str> = others.take(WELCOME_NAMES).collect();
    let count = own.saturating_add(elsewhere);
    let s = if count == 1 { "" } else { "s" };
    let on_this = if elsewhere > 0 { format!(" ({own} on this server)") } else { String::new() };
    let more = match count.saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let others = match (count, shown.join(", ")) {
        (0, _) => "nobody else is here yet".to_owned(),
        (_, shown) if shown.is_empty() => format!("{count} other{s} here{on_this}"),
        (_, shown) => format!("{count} other{s} here{on_this}: {shown}{more}"),
    };
    format!("*** welcome, you are {name}. {others}\r\n")
}

/// Letters, digits and the marks that belong to one script, such as the vowel signs of Thai.
/// Accents that fit any script, joiners and fillers stand in no name: they hide or stack. Nor do
/// the parts of Korean syllables and the doubles of Han characters, for which Unicode's composed
/// form (NFC) has one character.
fn is_allowed(c: char) -> bool {
    match c {
        '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}' => false,
        '\u{3164}' | '\u{ffa0}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}' => false,
        c => match c.script() {
            Script::Common => c.is_ascii_digit() || c == '_' || c == '-',
            Script::Inherited | Script::Unknown => false,
            // Without phonetic and wide letters and Roman numerals, which look like the others.
            Script::Latin => c <= '\u{24f}' || ('\u{1e00}'..='\u{1eff}').contains(&c),
            _ => c.is_alphanumeric() || is_mark(c),
        },
    }
}

/// Digits, and behind them the letters of a server, if any.
fn is_number(text: &str) -> bool {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    letters.len() < text.len()
        && letters.len() <= 2
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_mark(c: char) -> bool {
    c.width() == Some(0)
}

/// Whether all letters are of one script, or of those that one language writes together: Japanese
/// and Korean use Han characters beside their own, and Chinese Bopomofo.
fn is_of_one_script(name: &str) -> bool {
    let scripts = || name.chars().map(|c| c.script()).filter(|script| *script != Script::Common);
    let all_in = |set: &[Script]| scripts().all(|script| set.contains(&script));
    let Some(first) = scripts().next() else { return true };
    all_in(&[first])
        || all_in(&[Script::Han, Script::Hiragana, Script::Katakana])
        || all_in(&[Script::Han, Script::Hangul])
        || all_in(&[Script::Han, Script::Bopomofo])
}

/// What names are compared by: case folded (by upper case, which joins ß with ss and ς with σ),
/// and with the look-alikes within ASCII as one, so that `guestl` is not beside `guest1`.
pub(super) fn folded(name: &str) -> impl Iterator<Item = char> {
    let lower = name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    lower.map(|c| match c {
        'l' | 'i' => '1',
        'o' => '0',
        c => c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, taken: &[&str]) -> Result<(), &'static str> {
        super::check(name, false, taken.iter().copied())
    }

    #[test]
    fn a_name_is_short_plain_and_unlike_any_other() {
        let taken = ["Ann", "guest2"];
        for good in ["bob", "a", "_-_", "guest", "Guest-3", "guest3-b", "sixteen_letters_", "7"] {
            assert_eq!(check(good, &taken), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ann",
            "ANN",
            "two words",
            "<b>",
            "***",
            "seventeen_letters",
            "guest9",
            "GUEST2",
            "guestl",
            "guest3b",
            "Guest12zz",
            "guestI0",
            "guestO",
        ] {
            assert!(check(bad, &taken).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_may_be_of_any_script() {
        for good in [
            "jürgen",
            "мария",
            "Ελένη",
            "محمد",
            "שרה",
            "มานี",
            "हिन्दी",
            "김철수",
            "太郎さん",
            "Zoë_7",
            "Ðóra",
            "ნინო",
        ] {
            assert_eq!(check(good, &[]), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_name_can_be_written_in_one_way_only() {
        for bad in [
            "mаria",            // a Cyrillic а
            "Αnna",             // a Greek Α
            "e\u{301}va",       // an accent of its own
            "a\u{200d}b",       // a joiner
            "a\u{ad}b",         // a soft hyphen
            "\u{3164}",         // a filler, which shows nothing
            "\u{e31}",          // a mark on nothing
            "\u{1100}\u{1161}", // a syllable in parts
            "\u{261}uest5",     // a phonetic g
            "\u{ff21}nna",      // a wide A
            "\u{2160}",         // the Roman numeral I
            "\u{212b}sa",       // the Angstrom sign for Å
            "\u{f900}",         // a double of a Han character
            "😃",
            "ann\u{202e}",
        ] {
            assert!(check(bad, &[]).is_err(), "{}", bad.escape_unicode());
        }
        let names = ["Straße", "Σίσυφος", "Bill", "ЯНА"];
        for taken in ["STRASSE", "σίσυφοσ", "BiIl", "b1ll", "яна"] {
            assert_eq!(check(taken, &names), Err("that name is taken"), "{taken}");
        }
    }

    #[test]
    fn the_welcome_names_ten_and_counts_the_others() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let on_two = |own, n: usize| welcome("me", own, n - own, names[..n].iter().copied());
        let welcome = |n: usize| on_two(n, n);
        assert_eq!(welcome(0), "*** welcome, you are me. nobody else is here yet\r\n");
        assert_eq!(welcome(1), "*** welcome, you are me. 1 other here: n1\r\n");
        assert_eq!(welcome(2), "*** welcome, you are me. 2 others here: n1, n2\r\n");
        assert!(
            welcome(10).ends_with("10 others here: n1, n2, n3, n4, n5, n6, n7, n8, n9, n10\r\n")
        );
        assert!(welcome(12).ends_with(" n9, n10 and 2 more\r\n"));
        let two = on_two(1, 2);
        assert_eq!(two, "*** welcome, you are me. 2 others here (1 on this server): n1, n2\r\n");
    }
}
