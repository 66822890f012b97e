//! The time zone that is shown: that of `--zone` or TZ, or else the system's, read once.

use crate::zone::TimeZone;

/// When summer time begins and ends, for a string that names summer time but gives no rule. POSIX
/// leaves that open; glibc and tzcode take this one.
const DEFAULT_RULE: &str = ",M3.2.0,M11.1.0";

const EXPECTED: &str = "a name of /usr/share/zoneinfo (tzdata) such as Europe/Berlin, \
                                   or a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3";

/// The value of `--zone`: a name in the system's database, in capitals or not, or a POSIX rule.
///
/// # Errors
/// One line that says what may be given.
pub fn parse_zone(text: &str) -> Result<TimeZone, String> {
    let error = || format!("--zone takes {EXPECTED}, not '{}'", text.escape_debug());
    zone(text).ok_or_else(error)
}

fn zone(text: &str) -> Option<TimeZone> {
    let text = text.strip_prefix(':').unwrap_or(text);
    let zone = TimeZone::get(text).or_else(|_| TimeZone::posix(text));
    zone.or_else(|_| TimeZone::posix(&format!("{text}{DEFAULT_RULE}"))).ok()
}

/// The zone of this process: TZ's, or else that of /etc/localtime; when neither is known UTC, with
/// a warning in the log.
pub fn local_zone() -> TimeZone {
    let tz = std::env::var_os("TZ").map(|tz| tz.to_string_lossy().into_owned());
    // TZ may also be a file, which `try_system` reads.
    let zone = tz.as_deref().and_then(zone).or_else(|| TimeZone::try_system().ok());
    zone.unwrap_or_else(|| {
        match tz {
            Some(tz) => ::log::warn!(TZ = tz.as_str(); "showing UTC: TZ is not {EXPECTED}"),
            None => ::log::warn!(
                "showing UTC: /etc/localtime is not a time zone; link it to one, or set TZ"
            ),
        }
        TimeZone::UTC
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    /// What the zone's clocks show at this moment.
    fn shown(zone: &str, moment: &str) -> String {
        let zone = super::zone(zone).unwrap_or_else(|| panic!("{zone} is refused"));
        let moment: Timestamp = moment.parse().expect("a moment");
        moment.to_zoned(zone).strftime("%d %H:%M:%S %:z").to_string()
    }

    /// The forms of POSIX.1-2024, section 8.3.
    #[test]
    fn any_rule_of_posix_is_a_zone() {
        for (zone, winter, summer) in [
            ("UTC0", "15 12:00:00 +00:00", "15 12:00:00 +00:00"),
            ("IST-5:30", "15 17:30:00 +05:30", "15 17:30:00 +05:30"),
            ("<+0330>-3:30", "15 15:30:00 +03:30", "15 15:30:00 +03:30"),
            ("<-03>+3", "15 09:00:00 -03:00", "15 09:00:00 -03:00"),
            ("LMT-0:57:44", "15 12:57:44 +00:57:44", "15 12:57:44 +00:57:44"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "15 13:00:00 +01:00", "15 14:00:00 +02:00"),
            (
                "CET-01CEST-02:00:00,M3.5.0/02:00:00,M10.5.0/3",
                "15 13:00:00 +01:00",
                "15 14:00:00 +02:00",
            ),
            ("CET-1CEST,J88/2,J300/3", "15 13:00:00 +01:00", "15 14:00:00 +02:00"),
            ("CET-1CEST,87,299", "15 13:00:00 +01:00", "15 14:00:00 +02:00"),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "15 14:00:00 +02:00", "15 15:00:00 +03:00"),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "15 10:00:00 -02:00", "15 11:00:00 -01:00"),
            ("CET-1CEST", "15 13:00:00 +01:00", "15 14:00:00 +02:00"),
            (":UTC0", "15 12:00:00 +00:00", "15 12:00:00 +00:00"),
        ] {
            assert_eq!(shown(zone, "2026-01-15T12:00:00Z"), winter, "{zone}");
            assert_eq!(shown(zone, "2026-07-15T12:00:00Z"), summer, "{zone}");
        }
    }

    #[test]
    fn what_is_no_zone_is_none() {
        for text in ["", ":", " ", "Europe/Pargue", "+1", "CET-25", "CET-1CEST,M3.5.0", "\u{1b}"] {
            assert_eq!(super::zone(text), None, "{text:?}");
        }
    }
}
