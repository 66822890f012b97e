//! UTC, as the only zone.

use crate::moment::Moment;

/// A time zone. This build knows only UTC; with the cargo feature `local-time` it is jiff's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(());

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: TimeZone = TimeZone(());
}

pub(crate) fn offset(_: &TimeZone, _: Moment) -> i64 {
    0
}

pub(crate) fn abbreviation(_: &TimeZone, _: Moment) -> String {
    "UTC".to_owned()
}

pub(crate) fn next_set(_: &TimeZone, _: Moment) -> Option<Moment> {
    None
}

pub(crate) fn last_set(_: &TimeZone, _: Moment) -> Option<Moment> {
    None
}
