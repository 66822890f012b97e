//! The time in front of the lines of a chat, and the days on which they were said. No I/O, no
//! clock but the one it is handed.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::room::HISTORY_LINES;

/// Stamps lines, and remembers as many days as the lines of the past can be of.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    /// Days as people read them, each with the number of the first line said on it.
    days: VecDeque<(String, u64)>,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, days: VecDeque::new() }
    }

    /// What stands in front of a line at this moment: `HH:MM `.
    pub(super) fn stamp(&self, now: Timestamp) -> String {
        now.to_zoned(self.zone.clone()).strftime("%H:%M ").to_string()
    }

    /// Notes that line `number` is said now.
    pub(super) fn said(&mut self, number: u64, now: Timestamp) {
        let today = self.day(now);
        if self.days.back().is_none_or(|(day, _)| *day != today) {
            if self.days.len() == HISTORY_LINES {
                self.days.pop_front();
            }
            self.days.push_back((today, number));
        }
    }

    /// The heading for lines from `number` on, and the number at which the next one is due; no
    /// heading for lines of today.
    pub(super) fn heading(&self, number: u64, now: Timestamp) -> (Option<String>, u64) {
        let next = self.days.partition_point(|(_, first)| *first <= number);
        let end = self.days.get(next).map_or(u64::MAX, |(_, first)| *first);
        let day = next.checked_sub(1).map(|index| &self.days[index].0);
        let day = day.filter(|day| **day != self.day(now));
        (day.map(|day| format!("*** {day}:\r\n")), end)
    }

    fn day(&self, now: Timestamp) -> String {
        now.to_zoned(self.zone.clone()).strftime("%A, %-d %B %Y").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).expect("a moment")
    }

    #[test]
    fn lines_of_former_days_have_a_heading_each_day_and_those_of_today_none() {
        let mut calendar = Calendar::new(TimeZone::fixed(jiff::tz::offset(2)));
        for (number, hours) in [(3, 1), (4, 20), (7, 22), (9, 60)] {
            calendar.said(number, at(hours));
        }
        let heading = |number, hours| calendar.heading(number, at(hours));
        let thursday = Some("*** Thursday, 1 January 1970:\r\n".to_owned());
        let friday = Some("*** Friday, 2 January 1970:\r\n".to_owned());
        assert_eq!(heading(3, 61), (thursday.clone(), 7));
        assert_eq!(heading(6, 61), (thursday, 7));
        assert_eq!(heading(7, 61), (friday, 9));
        assert_eq!(heading(9, 61), (None, u64::MAX));
        assert!(heading(9, 90).0.is_some(), "today was yesterday");
        assert_eq!(calendar.stamp(at(61)), "15:00 ");
    }
}
