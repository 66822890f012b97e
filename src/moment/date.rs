//! Days of the Gregorian calendar, also before there was one. No I/O.

const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[rustfmt::skip]
const MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
];

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// The year before 1 is 0.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
    /// Days since Sunday, 0 to 6.
    pub(crate) weekday: i64,
    /// Days since 1 January, 0 to 365.
    pub(crate) day_of_year: i64,
}

impl Date {
    /// The day so many days after 1970-01-01, by Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>): years that begin in March have
    /// their leap day at the end, and 400 of them are 146,097 days.
    pub(crate) fn of_day(days: i64) -> Date {
        let since_march_0000 = days + 719_468;
        let (era, day) =
            (since_march_0000.div_euclid(146_097), since_march_0000.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let since_march = day - (365 * year + year / 4 - year / 100);
        let month = (5 * since_march + 2) / 153;
        let (day, is_next_year) = (since_march - (153 * month + 2) / 5 + 1, month >= 10);
        let year = year + 400 * era + i64::from(is_next_year);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year =
            if is_next_year { since_march - 306 } else { since_march + 59 + i64::from(is_leap) };
        let month = if is_next_year { month - 9 } else { month + 3 };
        // 1970-01-01 was a Thursday.
        Date { year, month, day, weekday: (days + 4).rem_euclid(7), day_of_year }
    }

    pub(crate) fn name_of_weekday(&self) -> &'static str {
        WEEKDAYS[self.weekday as usize]
    }

    pub(crate) fn name_of_month(&self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_day_of_eight_centuries_is_that_of_jiff() {
        let first = date(1600, 1, 1);
        let before_1970 = i64::from((date(1970, 1, 1) - first).get_days());
        for (days, day) in
            (-before_1970..).zip(first.series(jiff::Span::new().days(1))).take(292_194)
        {
            let theirs = Date {
                year: day.year().into(),
                month: day.month().into(),
                day: day.day().into(),
                weekday: day.weekday().to_sunday_zero_offset().into(),
                day_of_year: i64::from(day.day_of_year()) - 1,
            };
            assert_eq!(Date::of_day(days), theirs, "{day}");
        }
    }
}
