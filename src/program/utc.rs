//! The time zone that is shown by a program that was built without the cargo feature `local-time`.

use crate::zone::TimeZone;

/// Refuses any zone.
///
/// # Errors
/// One line that says why.
pub fn parse_zone(_: &str) -> Result<TimeZone, String> {
    Err("this program was built without local-time, and --zone needs it: all times are UTC".into())
}

/// UTC, with a warning in the log where TZ asks for another zone.
pub fn local_zone() -> TimeZone {
    let tz = std::env::var_os("TZ").map(|tz| tz.to_string_lossy().into_owned());
    if let Some(tz) = tz.filter(|tz| !matches!(tz.trim_start_matches(':'), "" | "UTC" | "UTC0")) {
        ::log::warn!(TZ = tz.as_str(); "showing UTC: this program was built without local-time");
    }
    TimeZone::UTC
}
