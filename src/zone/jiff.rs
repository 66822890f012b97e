//! The zones of jiff.

use jiff::Timestamp;
pub use jiff::tz::TimeZone;

use crate::moment::Moment;

/// Seconds that the clocks are ahead of UTC.
pub(crate) fn offset(zone: &TimeZone, at: Moment) -> i64 {
    zone.to_offset(timestamp(at)).seconds().into()
}

/// What the zone is called at this moment, as `CET`.
pub(crate) fn abbreviation(zone: &TimeZone, at: Moment) -> String {
    zone.to_offset_info(timestamp(at)).abbreviation().to_owned()
}

/// When the clocks are set next.
pub(crate) fn next_set(zone: &TimeZone, at: Moment) -> Option<Moment> {
    moment(zone.following(timestamp(at)).next()?.timestamp())
}

/// When the clocks were set last; maybe at this very moment.
pub(crate) fn last_set(zone: &TimeZone, at: Moment) -> Option<Moment> {
    moment(zone.preceding(timestamp(Moment(at.0 + 1))).next()?.timestamp())
}

/// Never the default: jiff knows 20,000 years, and a moment is in one of 600.
fn timestamp(at: Moment) -> Timestamp {
    Timestamp::from_nanosecond(at.0.into()).unwrap_or_default()
}

fn moment(timestamp: Timestamp) -> Option<Moment> {
    timestamp.as_nanosecond().try_into().ok().map(Moment)
}
