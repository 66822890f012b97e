//! The time in front of the lines of a chat, and the days on which they were said. No I/O, no
//! clock but the one it is handed.

use std::collections::VecDeque;

use crate::moment::date::Date;
use crate::moment::{DAY, Moment, SECOND};
use crate::room::HISTORY_LINES;
use crate::zone::{self, TimeZone};

/// A day, by how many came before it since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(i64);

/// Stamps lines, and remembers on which days the lines of the history were said.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    /// Days on which anything was said, each with the number of its first line; no more than there
    /// are lines in a history.
    days: VecDeque<(Day, u64)>,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, days: VecDeque::new() }
    }

    /// What stands in front of a line at this moment: `HH:MM `.
    pub(super) fn stamp(&self, now: Moment) -> String {
        let minutes = self.shown(now).rem_euclid(DAY) / (60 * SECOND);
        format!("{:02}:{:02} ", minutes / 60, minutes % 60)
    }

    pub(super) fn today(&self, now: Moment) -> Day {
        Day(self.shown(now).div_euclid(DAY))
    }

    /// Nanoseconds of this zone's clocks since they showed 1970-01-01.
    fn shown(&self, now: Moment) -> i64 {
        now.0 + zone::offset(&self.zone, now) * SECOND
    }

    /// Notes that line `number` is said now.
    pub(super) fn said(&mut self, number: u64, now: Moment) {
        let today = self.today(now);
        if self.days.back().is_none_or(|(day, _)| *day != today) {
            if self.days.len() == HISTORY_LINES {
                self.days.pop_front();
            }
            self.days.push_back((today, number));
        }
    }

    /// The day on which line `number` was said, if that is known.
    pub(super) fn day_of(&self, number: u64) -> Option<Day> {
        let later = self.days.partition_point(|(_, first)| *first <= number);
        Some(self.days[later.checked_sub(1)?].0)
    }
}

/// What stands above the lines of a former day.
pub(super) fn heading(day: Day) -> String {
    let date = Date::of_day(day.0);
    let (weekday, month) = (date.name_of_weekday(), date.name_of_month());
    format!("*** {weekday}, {} {month} {}:\r\n", date.day, date.year)
}

#[cfg(all(test, feature = "local-time"))]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_of_the_day_on_which_it_was_said() {
        let at = |hours: i64| Moment(hours * 3600 * SECOND);
        let mut calendar = Calendar::new(TimeZone::fixed(jiff::tz::offset(2)));
        for (number, hours) in [(3, 1), (4, 20), (7, 22), (9, 60)] {
            calendar.said(number, at(hours));
        }
        let heading = |number| calendar.day_of(number).map(heading);
        let thursday = Some("*** Thursday, 1 January 1970:\r\n".to_owned());
        let friday = Some("*** Friday, 2 January 1970:\r\n".to_owned());
        assert_eq!(heading(2), None);
        assert_eq!(heading(3), thursday);
        assert_eq!(heading(6), thursday);
        assert_eq!(heading(7), friday);
        assert_eq!(heading(8), friday);
        assert_eq!(calendar.day_of(9), Some(calendar.today(at(61))));
        assert_ne!(calendar.day_of(9), Some(calendar.today(at(90))), "today was yesterday");
        assert_eq!(calendar.stamp(at(61)), "15:00 ");
    }
}
