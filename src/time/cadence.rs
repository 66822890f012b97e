//! When the next tick is due. No I/O, and no clock but those it is handed.

use std::iter::successors;
use std::time::Duration;

use crate::moment::{DAY, Moment, SECOND};
use crate::zone::{self, TimeZone};

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
    /// Nanoseconds, 1 to [`DAY`].
    every: i64,
}

impl Cadence {
    /// Zero counts as a second, and more than a day as a day.
    pub(super) fn new(zone: TimeZone, every: Duration) -> Cadence {
        let every = i64::try_from(every.as_nanos()).map_or(DAY, |every| every.min(DAY));
        Cadence { zone, every: if every == 0 { SECOND } else { every } }
    }

    /// Time until the next tick, by a wall clock that reads `now` and may be stepped at any moment,
    /// and by the time since the last tick, if there was one, which no step changes.
    ///
    /// Ticks due are kept at least half of `every` apart, so that a step of the clock makes no
    /// burst, and at most one and a half, so that it makes no pause. Where the two ticks around
    /// `now` are by themselves nearer to or farther from each other than `every`, half of their
    /// distance, or one and a half of it, counts instead.
    pub(super) fn until_tick(&self, now: Moment, since_last: Option<Duration>) -> Duration {
        let next = self.after(now);
        let wait = |tick: Moment| tick.since(now);
        let Some(since_last) = since_last else { return wait(next) };
        let every = Duration::from_nanos(self.every.unsigned_abs());
        let interval = self.interval(now, next);
        let is_burst = since_last + wait(next) < interval.min(every) / 2;
        let next = if is_burst { self.after(next) } else { next };
        wait(next).min((interval.max(every) * 3 / 2).saturating_sub(since_last))
    }

    /// Time between the ticks that `now` is between, of which `next` is the second.
    fn interval(&self, now: Moment, next: Moment) -> Duration {
        let before = Moment(now.0 - 2 * self.every);
        let ticks = successors(Some(before), |&tick| Some(self.after(tick)));
        let last = ticks.take_while(|&tick| tick <= now).last().unwrap_or(before);
        next.since(last)
    }

    /// The first tick after this moment.
    fn after(&self, moment: Moment) -> Moment {
        let mut tick = self.candidate(moment);
        while !self.ticks_at(tick) {
            tick = self.candidate(tick);
        }
        tick
    }

    /// The next moment that may be a tick: the next multiple of `every` since midnight if the
    /// clocks are not set before it, and the moment at which they are set otherwise.
    fn candidate(&self, at: Moment) -> Moment {
        let past = self.shown(at).rem_euclid(DAY);
        let next = Moment(at.0 + (self.every - past % self.every).min(DAY - past));
        if zone::offset(&self.zone, at) == zone::offset(&self.zone, next) {
            return next;
        }
        zone::next_set(&self.zone, at).map_or(next, |set| set.min(next))
    }

    /// Whether a candidate is a tick: it is a multiple of `every`, and not one that was there
    /// already before the clocks were set back; or a day begins at it that has no midnight.
    fn ticks_at(&self, at: Moment) -> bool {
        let just_before = |at: Moment| Moment(at.0 - 1);
        let local = self.shown(at);
        if local.rem_euclid(DAY) % self.every != 0 {
            return self.shown(just_before(at)).div_euclid(DAY) < local.div_euclid(DAY);
        }
        let Some(set) = zone::last_set(&self.zone, at) else { return true };
        let back = self.shown(just_before(set)) + 1 - self.shown(set);
        at.0 - set.0 >= back || self.every <= back
    }

    /// What the clocks show, in nanoseconds as those of a [`Moment`] of UTC.
    fn shown(&self, at: Moment) -> i64 {
        at.0 + zone::offset(&self.zone, at) * SECOND
    }
}

#[cfg(all(test, feature = "local-time"))]
mod tests;
