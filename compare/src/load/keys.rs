//! Keys: one client types, each key a segment of its own, and never finishes a line.

use std::time::{Duration, Instant};

use super::{Job, SETTLED, join};
use crate::Result;
use crate::crowd::Crowd;
use crate::histogram::Histogram;
use crate::results::Outcome;
use crate::terminal::AGREES;

/// Keys after which the line is dropped, with ^U, and begun anew.
const LINE_KEYS: u32 = 60;
const DROP: u8 = 0x15;

pub(crate) fn run(job: &Job, rate: u32, editing: bool) -> Result<Outcome> {
    let mut crowd = Crowd::new()?;
    join(job, &mut crowd, 1, &mut |client, news| news.bytes(client).map(|_| ()))?;
    if editing {
        crowd.send(0, AGREES)?;
    }
    job.process().settle(SETTLED)?;
    press(&mut crowd, rate, job.warm_up(), &mut Histogram::default())?;
    let mut lateness = Histogram::default();
    let meter = job.meter()?;
    let shown = press(&mut crowd, rate, job.window(), &mut lateness)?;
    let mut outcome = meter.stop(lateness.total(), Some(&lateness))?;
    if editing != (shown > 0) {
        outcome.fault = Some(format!("the client was shown {shown} bytes of what it typed"));
    }
    Ok(outcome)
}

/// Types for so long; returns how many bytes came back.
fn press(crowd: &mut Crowd, rate: u32, time: Duration, late: &mut Histogram) -> Result<usize> {
    let (started, mut number, mut shown) = (Instant::now(), 0, 0);
    loop {
        let due = started + Duration::from_secs(1) * number / rate;
        crowd.pump_until(due, &mut |client, news| {
            shown += news.bytes(client)?.len();
            Ok(())
        })?;
        if due >= started + time {
            return Ok(shown);
        }
        number += 1;
        late.add(due.elapsed());
        crowd.send(0, if number % LINE_KEYS == 0 { &[DROP] } else { b"x" })?;
    }
}
