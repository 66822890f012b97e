//! What the clocks of a time zone show: of any zone with the cargo feature `local-time`, otherwise
//! of UTC alone. Both modules have the same functions.

#[cfg(feature = "local-time")]
mod jiff;
#[cfg(feature = "local-time")]
use jiff as zones;
#[cfg(not(feature = "local-time"))]
mod utc;
#[cfg(not(feature = "local-time"))]
use utc as zones;

pub use zones::TimeZone;
pub(crate) use zones::{abbreviation, last_set, next_set, offset};
