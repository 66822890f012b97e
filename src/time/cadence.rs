//! When the next tick is due. No I/O, and no clock but those it is handed.

use std::iter::successors;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// When to tick: whenever the clocks of a zone show a multiple of `every` since midnight. Each day
/// counts anew, and begins with a tick even where it has no midnight.
///
/// Where the clocks are set back, so that a stretch of the day comes twice, an `every` longer than
/// that stretch ticks in the first one only: there is one noon a day. Two ticks are `every` apart,
/// with two exceptions: less at the end of a day that `every` does not divide, and anything below
/// twice `every` where the clocks are set by a time that it does not divide.
#[derive(Debug)]
pub(super) struct Cadence {
    pub(super) zone: TimeZone,
    every: SignedDuration,
}

impl Cadence {
    /// Zero counts as a second, and more than a day as a day.
    pub(super) fn new(zone: TimeZone, every: Duration) -> Cadence {
        let every = SignedDuration::try_from(every).map_or(DAY, |every| every.min(DAY));
        let every = if every.is_zero() { SignedDuration::from_secs(1) } else { every };
        Cadence { zone, every }
    }

    /// Time until the next tick, by a wall clock that reads `now` and may be stepped at any moment,
    /// and by the time since the last tick, if there was one, which no step changes.
    ///
    /// Ticks due are kept at least half of `every` apart, so that a step of the clock makes no
    /// burst, and at most one and a half, so that it makes no pause. Where the two ticks around
    /// `now` are by themselves nearer to or farther from each other than `every`, half of their
    /// distance, or one and a half of it, counts instead.
    pub(super) fn until_tick(&self, now: Timestamp, since_last: Option<Duration>) -> Duration {
        let Some(next) = self.after(now) else { return DAY.unsigned_abs() };
        let wait = |tick| now.duration_until(tick).unsigned_abs();
        let Some(since_last) = since_last else { return wait(next) };
        let every = self.every.unsigned_abs();
        let interval = self.interval(now, next).unsigned_abs();
        let is_burst = since_last + wait(next) < interval.min(every) / 2;
        let next = if is_burst { self.after(next).unwrap_or(next) } else { next };
        wait(next).min((interval.max(every) * 3 / 2).saturating_sub(since_last))
    }

    /// Time between the ticks that `now` is between, of which `next` is the second.
    fn interval(&self, now: Timestamp, next: Timestamp) -> SignedDuration {
        let before = now.checked_sub(self.every * 2).unwrap_or(Timestamp::MIN);
        let ticks = successors(Some(before), |&tick| self.after(tick));
        let last = ticks.take_while(|&tick| tick <= now).last().unwrap_or(before);
        last.duration_until(next)
    }

    /// The first tick after this moment; `None` at the end of time.
    fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        successors(Some(moment), |&at| self.candidate(at)).skip(1).find(|&at| self.ticks_at(at))
    }

    /// The next moment that may be a tick: the next multiple of `every` since midnight if the
    /// clocks are not set before it, and the moment at which they are set otherwise.
    fn candidate(&self, at: Timestamp) -> Option<Timestamp> {
        let past = since_midnight(self.zone.to_datetime(at));
        let left = (self.every - past_multiple(past, self.every)).min(DAY - past);
        let next = at.checked_add(left).ok()?;
        if self.zone.to_offset(at) == self.zone.to_offset(next) {
            return Some(next);
        }
        let set = self.zone.following(at).next().map(|set| set.timestamp());
        Some(set.map_or(next, |set| set.min(next)))
    }

    /// Whether a candidate is a tick: it is a multiple of `every`, and not one that was there
    /// already before the clocks were set back; or a day begins at it that has no midnight.
    fn ticks_at(&self, at: Timestamp) -> bool {
        let local = self.zone.to_datetime(at);
        if !past_multiple(since_midnight(local), self.every).is_zero() {
            let just_before = at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at);
            return self.zone.to_datetime(just_before).date() < local.date();
        }
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } if self.zone.to_offset(at) == after => {
                self.every <= after.duration_until(before)
            }
            _ => true,
        }
    }
}

fn since_midnight(local: DateTime) -> SignedDuration {
    Time::midnight().duration_until(local.time())
}

/// Time since the last multiple of `every`.
fn past_multiple(past: SignedDuration, every: SignedDuration) -> SignedDuration {
    SignedDuration::from_nanos((past.as_nanos() % every.as_nanos()) as i64)
}

#[cfg(test)]
mod tests;
