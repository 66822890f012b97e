//! Moments of the wall clock. Knows nothing of zones.

pub(crate) mod date;
pub(crate) mod strftime;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::driver::system_time;
use date::Date;

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Nanoseconds of a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// What this machine's clock shows, unless it is paused for a test. One that shows a year after
    /// 2261 or before 1678 counts as standing still there, ten days within what 64 bits hold, so
    /// that nothing that is added to it overflows.
    pub(crate) fn now() -> Moment {
        Moment::from(system_time())
    }

    /// RFC 3339 in UTC, to the millisecond. Not by [`strftime`], so that programs that print no
    /// other form have none of its code, which is 8 KB.
    pub(crate) fn rfc_3339(self) -> String {
        let Date { year, month, day, .. } = Date::of_day(self.0.div_euclid(DAY));
        let millis = self.0.rem_euclid(DAY) / (SECOND / 1000);
        let (second, minute, hour) = (millis / 1000, millis / 60_000, millis / 3_600_000);
        let (second, minute, millis) = (second % 60, minute % 60, millis % 1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }

    /// Time since an earlier moment; none since a later one.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Moment {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        };
        Moment(nanos.clamp(i64::MIN + 10 * DAY, i64::MAX - 10 * DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_centuries_off_stands_still() {
        let (century, second) = (Duration::from_secs(36_525 * 86_400), Duration::from_secs(1));
        let (late, early) = (UNIX_EPOCH + 3 * century, UNIX_EPOCH - 3 * century);
        assert_eq!(Moment::from(late), Moment::from(late + second));
        assert_eq!(Moment::from(early), Moment::from(early - second));
        assert_eq!(Moment::from(UNIX_EPOCH - second), Moment(-SECOND));
        assert_eq!(Moment::from(UNIX_EPOCH + 2 * century), Moment(2 * 36_525 * DAY));
    }
}
