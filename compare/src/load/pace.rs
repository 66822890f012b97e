//! When those who speak do: at fixed times (an open loop), or when they have what they wait for (a
//! closed loop). Knows neither sockets nor what is said.

use std::time::{Duration, Instant};

use super::{Job, PATIENCE};
use crate::Result;
use crate::crowd::Crowd;
use crate::histogram::Histogram;
use crate::meter;
use crate::results::{Bound, Outcome};

/// Messages that go to and fro.
pub(crate) trait Traffic {
    /// Clients who speak.
    fn speakers(&self) -> usize;

    /// Says a speaker's next messages, in one piece.
    fn say(&mut self, speaker: usize, count: u32, due: Instant) -> Result<()>;

    /// Waits for news, once. Returns who has so many messages answered.
    fn hear(&mut self, deadline: Instant) -> Result<Vec<(usize, u32)>>;

    /// What did not come yet, and how much of it is known to come no more.
    fn left(&self) -> [u64; 2];

    fn tally(&mut self) -> &mut Tally;

    fn crowd(&mut self) -> &mut Crowd;

    fn hear_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.hear(end)?;
        }
        Ok(())
    }
}

/// What was measured since the warm-up.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) delays: Histogram,
    /// Of lines from one server to another.
    pub(crate) across: Histogram,
    /// Until the last one had a line.
    pub(crate) lasts: Histogram,
    pub(crate) lateness: Histogram,
    pub(crate) said: u64,
    /// What clients are told besides.
    pub(crate) notices: u64,
}

/// How fast it goes.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Messages a second of all together; 0 is a closed loop.
    pub(crate) rate: u32,
    /// Messages that are due at once; in a closed loop, of each speaker.
    pub(crate) burst: u32,
    /// How long a speaker of a closed loop waits before its next ones.
    pub(crate) silence: Duration,
}

impl Pace {
    pub(crate) fn new(rate: u32, burst: u32) -> Pace {
        Pace { rate, burst, silence: Duration::ZERO }
    }
}

/// Goes on for the warm-up, and if nothing was lost in it, or it is `tolerant`, for the window. Tells
/// besides what was lost.
pub(super) fn measure(
    traffic: &mut impl Traffic,
    job: &Job,
    pace: Pace,
    tolerant: bool,
) -> Result<(Outcome, u64)> {
    let mut outcome = Outcome::default();
    let mut lost = go(traffic, job.warm_up(), pace)?;
    if lost == 0 || tolerant {
        *traffic.tally() = Tally::default();
        let meter = job.meter()?;
        lost = go(traffic, job.window(), pace)?;
        let Tally { delays, lateness, said, notices, .. } = traffic.tally();
        // A notice costs the server a write as a message does.
        let messages = delays.total() + *notices;
        outcome = meter.stop(messages, (pace.rate > 0).then_some(lateness))?;
        // Who is silent without sleeping has a full core, and limits nobody.
        outcome.bound = match outcome.bound {
            Bound::Client if !pace.silence.is_zero() => Bound::Neither,
            Bound::Both if !pace.silence.is_zero() => Bound::Server,
            bound => bound,
        };
        outcome.count("sent", *said);
        outcome.count("heard", delays.total());
    }
    meter::delays(&mut outcome, &traffic.tally().delays);
    outcome.count("lost", lost);
    Ok((outcome, lost))
}

/// Speaks for so long, then waits for the rest; returns what did not come.
pub(crate) fn go(traffic: &mut impl Traffic, time: Duration, pace: Pace) -> Result<u64> {
    let started = Instant::now();
    if pace.rate > 0 {
        say_until(traffic, pace, started, 0, started + time)?;
    } else {
        answer_until(traffic, pace, started + time)?;
    }
    finish(traffic, PATIENCE)
}

/// Says what is due until `end`, from the number `from` since `started`; returns the next.
pub(crate) fn say_until(
    traffic: &mut impl Traffic,
    Pace { rate, burst, .. }: Pace,
    started: Instant,
    from: u32,
    end: Instant,
) -> Result<u32> {
    let mut number = from;
    loop {
        let due = started + Duration::from_secs(1) * (number / burst * burst) / rate;
        traffic.hear_until(due.min(end))?;
        if due >= end {
            return Ok(number);
        }
        traffic.tally().lateness.add(due.elapsed());
        traffic.say(number as usize % traffic.speakers(), 1, due)?;
        number += 1;
    }
}

/// Each says the next when it has its last answered.
pub(crate) fn answer_until(traffic: &mut impl Traffic, pace: Pace, end: Instant) -> Result<()> {
    traffic.hear_until(Instant::now() + pace.silence)?;
    for speaker in 0..traffic.speakers() {
        traffic.say(speaker, pace.burst, Instant::now())?;
    }
    while Instant::now() < end {
        for (speaker, count) in traffic.hear(end)? {
            // Without sleeping: a core that wakes takes its time, and not the server's.
            let silent = end.min(Instant::now() + pace.silence);
            while Instant::now() < silent {
                traffic.hear(Instant::now())?;
            }
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            traffic.say(speaker, count, now)?;
        }
    }
    Ok(())
}

/// Waits until everybody has everything; returns what did not come.
pub(super) fn finish(traffic: &mut impl Traffic, patience: Duration) -> Result<u64> {
    let deadline = Instant::now() + patience;
    loop {
        let [left, gone] = traffic.left();
        if left <= gone || Instant::now() > deadline {
            return Ok(left);
        }
        traffic.hear(Instant::now() + Duration::from_millis(10))?;
    }
}
