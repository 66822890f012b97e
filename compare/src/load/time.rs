//! Time: every client reads every second, once; how far apart they read it, and how it drifts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::{Job, SETTLED, join};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::lines::{Lines, number};
use crate::results::Outcome;
use crate::stats::spread;

/// What all clients have read.
#[derive(Default)]
struct Watch {
    lines: Lines,
    /// That each client read last; 0 before the first.
    seconds: Vec<u64>,
    /// By the second that the line names.
    ticks: BTreeMap<u64, Tick>,
    /// Lines that named a second twice, or left one out.
    repeated: u64,
    skipped: u64,
}

/// Who read a second when.
struct Tick {
    first: Instant,
    last: Instant,
    clients: usize,
    /// How much of a second was over by the clock when the first had it.
    late: Duration,
}

pub(crate) fn run(job: &Job, clients: usize) -> Result<Outcome> {
    let mut crowd = Crowd::new()?;
    let mut watch = Watch { seconds: vec![0; clients], ..Watch::default() };
    join(job, &mut crowd, clients, &mut |client, news| watch.take(client, news))?;
    // To the middle of the next second, so that no tick falls on an edge of the window.
    let warm = Instant::now() + Duration::from_millis(1500) - over();
    crowd.pump_until(warm, &mut |client, news| watch.take(client, news))?;
    job.process().settle(SETTLED / 4)?;
    if let Some(deaf) = watch.seconds.iter().position(|second| *second == 0) {
        return Err(format!("client {deaf} read no time").into());
    }
    // The seconds stay known.
    watch = Watch { lines: watch.lines, seconds: watch.seconds, ..Watch::default() };
    let meter = job.meter()?;
    let end = Instant::now() + job.window();
    crowd.pump_until(end, &mut |client, news| watch.take(client, news))?;
    let heard = watch.ticks.values().map(|tick| tick.clients as u64).sum();
    let mut outcome = meter.stop(heard, None)?;
    outcome.count("heard", heard);
    watch.report(&mut outcome, clients);
    Ok(outcome)
}

impl Watch {
    fn take(&mut self, client: usize, news: News) -> Result<()> {
        let bytes = news.bytes(client)?;
        let now = Instant::now();
        let Watch { lines, seconds: before, ticks, repeated, skipped } = self;
        lines.feed(client, bytes, |line| {
            let second = seconds(line).ok_or_else(|| {
                format!("client {client} read no time: {:?}", String::from_utf8_lossy(line))
            })?;
            let before = std::mem::replace(&mut before[client], second);
            match second.checked_sub(before) {
                None | Some(0) => *repeated += 1,
                Some(1) => {}
                Some(gap) => *skipped += if before > 0 { gap - 1 } else { 0 },
            }
            let new = || Tick { first: now, last: now, clients: 0, late: over() };
            let tick = ticks.entry(second).or_insert_with(new);
            (tick.last, tick.clients) = (now, tick.clients + 1);
            Ok(())
        })
    }

    fn report(&self, outcome: &mut Outcome, clients: usize) {
        let median = |time: fn(&Tick) -> Duration| {
            let whole = self.ticks.values().filter(|tick| tick.clients >= clients);
            spread(whole.map(|tick| time(tick).as_secs_f64() * 1e3)).map(|spread| spread.median)
        };
        let behind = median(|tick| tick.last - tick.first);
        let (Some(behind), Some(late)) = (behind, median(|tick| tick.late)) else {
            let most = self.ticks.values().map(|tick| tick.clients).max().unwrap_or(0);
            outcome.fault = Some(format!("no second reached all: {most} of {clients} at most"));
            return;
        };
        outcome.set("spread_ms", behind);
        outcome.set("late_ms", late);
        let mut ticks = self.ticks.iter();
        if let (Some((since, first)), Some((until, last))) = (ticks.next(), ticks.next_back()) {
            let each = (last.first - first.first).as_secs_f64() / (until - since) as f64;
            outcome.set("drift_ms", (each - 1.0) * 1e3);
        }
        outcome.set("repeated", self.repeated as f64);
        outcome.set("skipped", self.skipped as f64);
    }
}

/// How much of a second is over by the clock.
fn over() -> Duration {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    Duration::from_nanos(since.subsec_nanos().into())
}

/// Seconds since some midnight at the start of a month, of an RFC 3339 time; differences within
/// a month are true, at its end they look like a gap.
pub(crate) fn seconds(line: &[u8]) -> Option<u64> {
    let number = |from: usize, to: usize| number(line.get(from..to)?);
    let marks: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    let marked = marks.iter().all(|(at, any)| line.get(*at).is_some_and(|it| any.contains(it)));
    let zoned = matches!(line.last()?, b'Z' | b'0'..=b'9');
    let (day, hour, minute, second) =
        (number(8, 10)?, number(11, 13)?, number(14, 16)?, number(17, 19)?);
    number(0, 4).and(number(5, 7))?;
    (marked && zoned && line.len() >= 20).then_some(((day * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn rfc_3339_is_read_and_nothing_else() {
        let first = seconds(b"2026-03-21T23:59:59Z").expect("a time");
        assert_eq!(seconds(b"2026-03-22T00:00:00.25+02:00"), Some(first + 1));
        for wrong in [&b"2026-03-21T23:59:59"[..], b"hello", b"", b"2026/03/21T23:59:59Z"] {
            assert_eq!(seconds(wrong), None);
        }
    }
}
