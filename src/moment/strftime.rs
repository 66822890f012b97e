//! Moments as text: strftime(3), as it is in the C locale. No I/O.

use super::date::Date;
use super::{DAY, Moment, SECOND};
use crate::zone::{self, TimeZone};

/// What the clocks and calendars of a zone show at a moment, in the directives of strftime(3) but
/// `%E` and `%O`, and these of GNU's date(1): `%k`, `%l`, `%P`, `%:z`, and `%N`, nanoseconds, or with a
/// width up to 9 so many of their digits. Behind the `%` there may be a flag, `-` for no padding, `_` for spaces, `0` for
/// zeros or `^` for capitals, and a width of at most 255.
///
/// # Errors
/// One line that names what is no directive.
pub(crate) fn strftime(format: &str, at: Moment, zone: &TimeZone) -> Result<String, String> {
    let offset = zone::offset(zone, at);
    let shown = at.0 + offset * SECOND;
    let (day, time) = (shown.div_euclid(DAY), shown.rem_euclid(DAY));
    Shown { at, zone, offset, day, date: Date::of_day(day), time }.text(format)
}

struct Shown<'a> {
    at: Moment,
    zone: &'a TimeZone,
    /// Seconds that the clocks are ahead of UTC.
    offset: i64,
    /// Days since 1970-01-01.
    day: i64,
    date: Date,
    /// Nanoseconds since midnight.
    time: i64,
}

/// What a directive stands for: its text, what that is padded with, and to how many characters.
type Value = (String, &'static str, usize);

impl Shown<'_> {
    fn text(&self, format: &str) -> Result<String, String> {
        let (mut text, mut rest) = (String::new(), format);
        while let Some((plain, directive)) = rest.split_once('%') {
            let mut letters =
                directive.char_indices().filter(|(_, c)| !"-_^:0123456789".contains(*c));
            let end = letters.next().map_or(directive.len(), |(at, c)| at + c.len_utf8());
            let (directive, after) = directive.split_at(end);
            let is_none = || {
                let start: String = directive.chars().take(12).collect();
                format!("there is no directive '%{}'", start.escape_debug())
            };
            text += plain;
            text += &self.directive(directive).ok_or_else(is_none)?;
            rest = after;
        }
        Ok(text + rest)
    }

    /// What stands for a directive, given without its `%`.
    fn directive(&self, directive: &str) -> Option<String> {
        let (flag, rest) = match directive.strip_prefix(['-', '_', '0', '^']) {
            Some(rest) => (&directive[..1], rest),
            None => ("", directive),
        };
        let name = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let width = match &rest[..rest.len() - name.len()] {
            "" => None,
            width => Some(usize::from(width.parse::<u8>().ok()?)),
        };
        let (text, fill, least) = self.value(name, width)?;
        let least = width.unwrap_or(least);
        let (fill, least) = match flag {
            "-" => (fill, 0),
            "_" => (" ", least),
            "0" => ("0", least),
            _ => (fill, least),
        };
        let text = if flag == "^" { text.to_ascii_uppercase() } else { text };
        Some(fill.repeat(least.saturating_sub(text.len())) + &text)
    }

    fn value(&self, name: &str, width: Option<usize>) -> Option<Value> {
        let Date { year, month, day, weekday, day_of_year } = self.date;
        let since_monday = (weekday + 6) % 7;
        // A week is of the year that its Thursday is in: ISO 8601.
        let of_week = Date::of_day(self.day + 3 - since_monday);
        let (hour, minute) = (self.time / (3600 * SECOND), self.time / (60 * SECOND) % 60);
        let hour_of_12 = (hour + 11) % 12 + 1;
        let zeros = |number: i64, digits| (number.to_string(), "0", digits);
        let spaces = |number: i64| (number.to_string(), " ", 2);
        let text = |text: &str| (text.to_owned(), " ", 0);
        Some(match name {
            "a" => text(&self.date.name_of_weekday()[..3]),
            "A" => text(self.date.name_of_weekday()),
            "b" | "h" => text(&self.date.name_of_month()[..3]),
            "B" => text(self.date.name_of_month()),
            "C" => zeros(year.div_euclid(100), 2),
            "d" => zeros(day, 2),
            "e" => spaces(day),
            "g" => zeros(of_week.year.rem_euclid(100), 2),
            "G" => zeros(of_week.year, 4),
            "H" => zeros(hour, 2),
            "I" => zeros(hour_of_12, 2),
            "j" => zeros(day_of_year + 1, 3),
            "k" => spaces(hour),
            "l" => spaces(hour_of_12),
            "m" => zeros(month, 2),
            "M" => zeros(minute, 2),
            "n" => text("\n"),
            "N" => text(&format!("{:09}", self.time % SECOND)[..width.unwrap_or(9).min(9)]),
            "p" => text(if hour < 12 { "AM" } else { "PM" }),
            "P" => text(if hour < 12 { "am" } else { "pm" }),
            "s" => zeros(self.at.0.div_euclid(SECOND), 1),
            "S" => zeros(self.time / SECOND % 60, 2),
            "t" => text("\t"),
            "u" => zeros(since_monday + 1, 1),
            "U" => zeros((day_of_year + 7 - weekday) / 7, 2),
            "V" => zeros(of_week.day_of_year / 7 + 1, 2),
            "w" => zeros(weekday, 1),
            "W" => zeros((day_of_year + 7 - since_monday) / 7, 2),
            "y" => zeros(year.rem_euclid(100), 2),
            "Y" => zeros(year, 4),
            "z" => text(&offset(self.offset, "")),
            ":z" => text(&offset(self.offset, ":")),
            "Z" => text(&zone::abbreviation(self.zone, self.at)),
            "%" => text("%"),
            _ => text(&self.text(several(name)?).ok()?),
        })
    }
}

/// The directives that one stands for.
fn several(name: &str) -> Option<&'static str> {
    Some(match name {
        "c" => "%a %b %e %H:%M:%S %Y",
        "D" | "x" => "%m/%d/%y",
        "F" => "%Y-%m-%d",
        "r" => "%I:%M:%S %p",
        "R" => "%H:%M",
        "T" | "X" => "%H:%M:%S",
        _ => return None,
    })
}

/// An offset in seconds as hours and minutes, with seconds only where there are any.
fn offset(offset: i64, colon: &str) -> String {
    let (sign, of) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let minutes = format!("{sign}{:02}{colon}{:02}", of / 3600, of / 60 % 60);
    if of % 60 == 0 { minutes } else { format!("{minutes}{colon}{:02}", of % 60) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
    use proptest::prelude::*;

    use super::*;

    /// What date(1) of glibc printed with LC_ALL=C, TZ=UTC0.
    #[test]
    fn directives_print_what_they_do_in_the_c_locale() {
        let sunday = Moment(1_798_956_309 * SECOND + 20_500_000);
        for (directive, printed) in [
            ("%a", "Sun"),
            ("%A", "Sunday"),
            ("%b", "Jan"),
            ("%B", "January"),
            ("%c", "Sun Jan  3 06:05:09 2027"),
            ("%C", "20"),
            ("%d", "03"),
            ("%D", "01/03/27"),
            ("%e", " 3"),
            ("%F", "2027-01-03"),
            ("%g", "26"),
            ("%G", "2026"),
            ("%h", "Jan"),
            ("%H", "06"),
            ("%I", "06"),
            ("%j", "003"),
            ("%k", " 6"),
            ("%l", " 6"),
            ("%m", "01"),
            ("%M", "05"),
            ("%N", "020500000"),
            ("%p", "AM"),
            ("%P", "am"),
            ("%r", "06:05:09 AM"),
            ("%R", "06:05"),
            ("%s", "1798956309"),
            ("%S", "09"),
            ("%T", "06:05:09"),
            ("%u", "7"),
            ("%U", "01"),
            ("%V", "53"),
            ("%w", "0"),
            ("%W", "00"),
            ("%x", "01/03/27"),
            ("%X", "06:05:09"),
            ("%y", "27"),
            ("%Y", "2027"),
            ("%z", "+0000"),
            ("%:z", "+00:00"),
            ("%Z", "UTC"),
            ("%%", "%"),
            ("%%Z %%%Z", "%Z %UTC"),
            ("%-d|%_d|%0e|%-j|%^a|%^B", "3| 3|03|3|SUN|JANUARY"),
            ("%5d|%_5d|%05e|%5a|%05a|%-5d", "00003|    3|00003|  Sun|00Sun|3"),
            ("%3N|%6N", "020|020500"),
            ("žert %d", "žert 03"),
        ] {
            let shown = strftime(directive, sunday, &TimeZone::UTC);
            assert_eq!(shown.as_deref(), Ok(printed), "{directive}");
        }
        let rfc_3339 = strftime("%Y-%m-%dT%H:%M:%S.%3NZ", sunday, &TimeZone::UTC);
        assert_eq!(rfc_3339.as_deref(), Ok("2027-01-03T06:05:09.020Z"));
        assert_eq!(rfc_3339, Ok(sunday.rfc_3339()));
    }

    #[test]
    fn what_is_no_directive_is_refused_in_one_short_line() {
        for format in [
            "%E",
            "%Ey",
            "%OH",
            "%+",
            "%v",
            "%",
            "%5",
            "%:",
            "%::z",
            "%:d",
            "%-",
            "%\u{1b}",
            "%é",
            "%256d",
            "%9999999999d",
            "%--d",
        ] {
            let refused = strftime(format, Moment(0), &TimeZone::UTC).expect_err(format);
            assert!(refused.len() < 80 && !refused.contains(char::is_control), "{refused}");
        }
    }

    /// Of those that stand for one thing. Jiff does not pad the last ones as GNU's date does.
    const NUMBERS: &str = "d e g G H I j k l m M S U V W y Y";
    const OTHERS: &str = "C u w a A b B h p P z :z Z %";

    /// A zone whose clocks are so many seconds ahead of UTC, as ours and as jiff's.
    #[cfg(feature = "local-time")]
    fn zones(offset: i32) -> (TimeZone, jiff::tz::TimeZone) {
        let offset = jiff::tz::Offset::from_seconds(offset).expect("a day at most");
        (TimeZone::fixed(offset), TimeZone::fixed(offset))
    }

    #[cfg(not(feature = "local-time"))]
    fn zones(_: i32) -> (TimeZone, jiff::tz::TimeZone) {
        (TimeZone::UTC, jiff::tz::TimeZone::UTC)
    }

    #[cfg(feature = "local-time")]
    #[test]
    fn a_zone_shows_its_own_time_offset_and_name() {
        let sunday = Moment(1_798_956_309 * SECOND);
        for (rule, shown) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "07:05:09 +0100 +01:00 CET"),
            ("NST3:30NDT,M3.2.0,M11.1.0", "02:35:09 -0330 -03:30 NST"),
            ("LMT-0:57:44", "07:02:53 +005744 +00:57:44 LMT"),
            ("ChST-10", "16:05:09 +1000 +10:00 ChST"),
        ] {
            let zone = TimeZone::posix(rule).expect("a rule");
            assert_eq!(strftime("%T %z %:z %Z", sunday, &zone).as_deref(), Ok(shown), "{rule}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::cases(10_000)))]

        #[test]
        fn jiff_shows_the_same_at_any_moment(
            nanos: i64,
            offset in -93_599..=93_599,
            flag in "[-_0^]?",
            width in "([1-9]|1[0-9])?",
        ) {
            // As `Moment::now` is.
            let nanos = nanos.clamp(i64::MIN + 10 * DAY, i64::MAX - 10 * DAY);
            let (zone, of_jiff) = zones(offset);
            let c_locale = Config::new().custom(PosixCustom::new());
            let at = Timestamp::from_nanosecond(nanos.into()).expect("a moment");
            let shown = BrokenDownTime::from(&at.to_zoned(of_jiff));
            let numbers = NUMBERS.split(' ').map(|name| format!("%{flag}{width}{name}"));
            let others = OTHERS.split(' ').map(|name| format!("%{flag}{name}"));
            for directive in numbers.chain(others) {
                let mut expected = String::new();
                shown.format_with_config(&c_locale, &directive, &mut expected).expect("a directive");
                let ours = strftime(&directive, Moment(nanos), &zone);
                prop_assert_eq!(ours.as_deref(), Ok(expected.as_str()), "{}", directive);
            }
        }
    }
}
