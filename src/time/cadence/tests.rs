use std::collections::BTreeSet;
use std::iter::once;
use std::time::Duration;

use jiff::civil::{DateTime, Time, date};
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Cadence, Moment, TimeZone, successors};

const SECOND: Duration = Duration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: Duration = Duration::from_secs(3_600);

const PRAGUE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// No midnight in spring, and one in autumn.
const CAIRO: &str = "EET-2EEST,M4.5.5/0,M10.5.4/24";
/// No midnight in spring, and two in autumn.
const HAVANA: &str = "CST5CDT,M3.2.0/0,M11.1.0/1";
const KOLKATA: &str = "IST-5:30";
const ST_JOHNS: &str = "NST3:30NDT,M3.2.0,M11.1.0";
/// Half an hour is what its clocks are set by.
const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

/// Rules in place of the names, which not every machine knows.
const ZONES: [&str; 7] = ["UTC0", KOLKATA, PRAGUE, ST_JOHNS, LORD_HOWE, CAIRO, HAVANA];

/// The last ones divide neither an hour nor a day.
const EVERY: [Duration; 13] = [
    SECOND,
    Duration::from_secs(20 * 60),
    Duration::from_secs(30 * 60),
    HOUR,
    Duration::from_secs(90 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(6 * 3_600),
    Duration::from_secs(12 * 3_600),
    Duration::from_secs(24 * 3_600),
    Duration::from_secs(7),
    Duration::from_secs(25 * 60),
    Duration::from_secs(7 * 3_600),
    Duration::from_secs(86_399),
];

fn cadence(zone: &str, every: Duration) -> Cadence {
    Cadence::new(TimeZone::posix(zone).expect("a rule"), every)
}

fn at(moment: &str) -> Timestamp {
    moment.parse().expect("a moment")
}

/// A moment as jiff has it, which these tests reckon with.
fn moment(at: Timestamp) -> Moment {
    Moment(at.as_nanosecond().try_into().expect("a moment of these centuries"))
}

impl Cadence {
    fn tick_after(&self, at: Timestamp) -> Timestamp {
        let tick = self.after(moment(at)).0;
        Timestamp::from_nanosecond(tick.into()).expect("a moment")
    }

    fn every(&self) -> SignedDuration {
        SignedDuration::from_nanos(self.every)
    }
}

fn since_midnight(local: DateTime) -> SignedDuration {
    Time::midnight().duration_until(local.time())
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What the zone's clocks show at the ticks between two moments.
fn shown(zone: &str, every: Duration, from: &str, to: &str) -> Vec<String> {
    let cadence = cadence(zone, every);
    let ticks = successors(Some(at(from)), |&tick| Some(cadence.tick_after(tick))).skip(1);
    let ticks = ticks.take_while(|&tick| tick <= at(to));
    ticks.map(|tick| cadence.zone.to_datetime(tick).time().to_string()).collect()
}

#[test]
fn ticks_fall_on_the_second() {
    let utc = cadence("UTC0", SECOND);
    let wait = |now, since_last| utc.until_tick(moment(at(now)), Some(ms(since_last)));
    assert_eq!(wait("2026-11-21T09:30:00.001Z", 0), ms(999));
    assert_eq!(wait("2026-11-21T09:30:00.7Z", 699), ms(300));
    assert_eq!(wait("1969-11-21T09:30:00.7Z", 699), ms(300));
}

#[test]
fn the_first_tick_is_the_first_boundary() {
    let now = moment(at("2026-11-21T09:30:59.9Z"));
    assert_eq!(cadence("UTC0", SECOND).until_tick(now, None), ms(100));
    assert_eq!(cadence("UTC0", 20 * SECOND).until_tick(now, None), ms(100));
    assert_eq!(cadence("UTC0", 10 * HOUR).until_tick(now, None), 1_740 * SECOND + ms(100));
}

#[test]
fn hours_and_days_are_those_of_the_local_clock() {
    let hours = shown(KOLKATA, HOUR, "2026-11-21T09:10:00Z", "2026-11-21T11:40:00Z");
    assert_eq!(hours, ["15:00:00", "16:00:00", "17:00:00"]);
    let days = shown(PRAGUE, 24 * HOUR, "2026-11-20T22:59:59Z", "2026-11-21T23:00:00Z");
    assert_eq!(days, ["00:00:00", "00:00:00"]);
}

#[test]
fn each_day_counts_anew_from_midnight() {
    let day = shown("UTC0", 7 * HOUR, "2026-11-21T00:00:00Z", "2026-11-22T08:00:00Z");
    assert_eq!(day, ["07:00:00", "14:00:00", "21:00:00", "00:00:00", "07:00:00"]);
}

#[test]
fn clocks_set_forward_skip_what_they_do_not_show() {
    let spring = |every| shown(PRAGUE, every, "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z");
    assert_eq!(spring(HOUR), ["01:00:00", "03:00:00", "04:00:00", "05:00:00"]);
    assert_eq!(spring(2 * HOUR), ["04:00:00"]);
}

#[test]
fn clocks_set_back_show_an_hour_twice_and_what_is_rarer_once() {
    let autumn = |every| shown(PRAGUE, every, "2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z");
    assert_eq!(autumn(HOUR), ["01:00:00", "02:00:00", "02:00:00", "03:00:00", "04:00:00"]);
    assert_eq!(autumn(2 * HOUR), ["02:00:00", "04:00:00"]);
    let half_days = shown(HAVANA, 12 * HOUR, "2026-10-31T04:00:00Z", "2026-11-02T05:00:00Z");
    assert_eq!(half_days, ["12:00:00", "00:00:00", "12:00:00", "00:00:00"]);
}

#[test]
fn a_day_without_midnight_begins_with_a_tick_too() {
    let spring = shown(CAIRO, 24 * HOUR, "2026-04-22T22:00:00Z", "2026-04-25T21:00:00Z");
    assert_eq!(spring, ["01:00:00", "00:00:00", "00:00:00"]);
}

/// A tick, and the one before it.
struct Tick<'a> {
    cadence: &'a Cadence,
    last: Timestamp,
    tick: Timestamp,
}

impl Tick<'_> {
    fn apart(&self) -> SignedDuration {
        self.last.duration_until(self.tick)
    }

    /// What the clocks were set forward by in between.
    fn set(&self) -> SignedDuration {
        let offset = |moment| self.cadence.zone.to_offset(moment);
        offset(self.last).duration_until(offset(self.tick))
    }

    /// What the clocks show at the last tick and at this one.
    fn shown(&self) -> [DateTime; 2] {
        [self.last, self.tick].map(|tick| self.cadence.zone.to_datetime(tick))
    }

    fn begins_a_day(&self) -> bool {
        let just_before = self.tick - SignedDuration::from_nanos(1);
        self.cadence.zone.to_datetime(just_before).date() < self.shown()[1].date()
    }

    fn divides(&self, time: SignedDuration) -> bool {
        time.as_nanos() % self.cadence.every().as_nanos() == 0
    }
}

/// Checks the ticks of a year; the frequent ones at its beginning and where the clocks are set.
#[track_caller]
fn check(holds: impl Fn(&Tick<'_>) -> bool) {
    let (start, end) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let hours = SignedDuration::from_hours;
    for (zone, every) in ZONES.iter().flat_map(|zone| EVERY.map(|every| (zone, every))) {
        let cadence = cadence(zone, every);
        let spans = if every < HOUR {
            let sets = cadence.zone.following(start).map(|set| set.timestamp());
            let moments = once(start).chain(sets.take_while(|set| *set < end));
            moments.map(|moment| (moment - hours(2), moment + hours(2))).collect()
        } else {
            vec![(start, end)]
        };
        for (mut last, end) in spans {
            while last < end {
                last = cadence.tick_after(last);
                let tick = cadence.tick_after(last);
                let tick = Tick { cadence: &cadence, last, tick };
                let (shown, apart) = (tick.shown(), tick.apart());
                assert!(holds(&tick), "{zone} {every:?}: {shown:?}, {apart:?} apart");
            }
        }
    }
}

#[test]
fn all_ticks_of_a_year_show_a_multiple_or_begin_a_day() {
    check(|tick| {
        let time = since_midnight(tick.shown()[1]);
        tick.divides(time) || tick.begins_a_day()
    });
}

#[test]
fn all_ticks_of_a_year_are_every_apart_but_where_clocks_are_set_and_days_end() {
    check(|tick| {
        let (every, apart) = (tick.cadence.every(), tick.apart());
        let regular = tick.divides(tick.set()) && tick.divides(since_midnight(tick.shown()[0]));
        let at_the_end_of_a_day = tick.begins_a_day() && !tick.divides(DAY);
        match regular {
            true if at_the_end_of_a_day => apart <= every,
            true => apart == every,
            false => apart < every * 2,
        }
    });
}

#[test]
fn no_boundary_of_a_year_comes_twice_but_in_an_hour_that_does() {
    check(|tick| {
        let [last, shown] = tick.shown();
        last < shown || tick.cadence.every() <= tick.set().abs()
    });
}

#[test]
fn no_multiple_of_a_year_and_no_beginning_of_a_day_is_left_out() {
    let rare = EVERY.into_iter().filter(|every| *every >= HOUR);
    for (zone, every) in rare.flat_map(|every| ZONES.map(|zone| (zone, every))) {
        let cadence = cadence(zone, every);
        let (start, end) = (at("2025-12-30T00:00:00Z"), at("2027-01-03T00:00:00Z"));
        let ticks = successors(Some(start), |&tick| Some(cadence.tick_after(tick)));
        let ticks: BTreeSet<_> = ticks.take_while(|tick| *tick < end).collect();
        for midnight in date(2026, 1, 1).at(0, 0, 0, 0).series(1.day()).take(365) {
            let multiples =
                successors(Some(midnight), |&multiple| Some(multiple + cadence.every()));
            for multiple in multiples.take_while(|multiple| multiple.date() == midnight.date()) {
                let moment = cadence.zone.to_ambiguous_timestamp(multiple);
                let is_shown = !matches!(moment.offset(), AmbiguousOffset::Gap { .. });
                let moment = moment.compatible().expect("a moment");
                let is_due = is_shown || multiple == midnight;
                assert!(!is_due || ticks.contains(&moment), "{zone} {every:?} {multiple}");
            }
        }
    }
}

#[test]
fn a_clock_that_nobody_steps_is_followed_through_the_year() {
    check(|tick| {
        let halfway = tick.apart() / 2;
        let rest =
            tick.cadence.until_tick(moment(tick.last + halfway), Some(halfway.unsigned_abs()));
        halfway.unsigned_abs() + rest == tick.apart().unsigned_abs()
    });
}

#[test]
fn a_clock_stepped_any_way_makes_neither_burst_nor_pause() {
    let start = at("2026-03-28T20:00:00Z");
    for (zone, every) in [("UTC0", SECOND), (PRAGUE, HOUR), (KOLKATA, 24 * HOUR)] {
        let cadence = cadence(zone, every);
        for stepped in (0..10_000).step_by(7) {
            let now =
                start + SignedDuration::try_from(every).expect("a day at most") * stepped / 1000;
            for since_last in (0..1_000).step_by(31) {
                let since_last = every * since_last / 1000;
                let tick = since_last + cadence.until_tick(moment(now), Some(since_last));
                assert!(tick >= every / 2 && tick <= every * 3 / 2, "{now} {since_last:?}");
            }
        }
    }
}
