//! Echo: every byte that comes back is the one that was due.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Job, PATIENCE, SETTLED, join};
use crate::Result;
use crate::crowd::Crowd;
use crate::histogram::Histogram;
use crate::meter;
use crate::results::Outcome;
use crate::workload::Load;

/// Numbers at the front of a message: client and message, four bytes each.
const HEAD: usize = 8;

/// The clients of one run and what each of them waits for.
struct Echo {
    crowd: Crowd,
    ears: Vec<Ear>,
    bytes: usize,
    /// The same behind the numbers of every message.
    message: Vec<u8>,
    delays: Histogram,
    lateness: Histogram,
}

#[derive(Default)]
struct Ear {
    /// When each message under way was sent, or was due.
    under_way: VecDeque<Instant>,
    sent: u32,
    /// Bytes that came back.
    back: u64,
}

/// Calls `begin` once all clients are in.
pub(crate) fn run(job: &Job, begin: impl FnOnce()) -> Result<Outcome> {
    let Load::Echo { clients, bytes, depth, rate } = job.load else { unreachable!() };
    let mut echo = Echo {
        crowd: Crowd::new(true)?,
        ears: (0..clients).map(|_| Ear::default()).collect(),
        bytes,
        message: (0..bytes).map(|i| (i % 251) as u8).collect(),
        delays: Histogram::default(),
        lateness: Histogram::default(),
    };
    join(job, &mut echo.crowd, clients, |_, _| Ok(()))?;
    job.process().settle(SETTLED)?;
    begin();
    let mut outcome = Outcome::default();
    let mut lost = echo.go(job.warm_up(), depth, rate)?;
    if lost == 0 {
        (echo.delays, echo.lateness) = Default::default();
        let meter = job.meter()?;
        lost = echo.go(job.window(), depth, rate)?;
        let messages = echo.delays.total();
        meter.stop(&mut outcome, messages, (rate > 0).then_some(&echo.lateness))?;
        meter::delays(&mut outcome, &echo.delays);
    }
    let (heard, sent) = (echo.delays.total(), echo.delays.total() + lost);
    let counts = [("sent", sent), ("heard", heard), ("lost", lost)];
    counts.into_iter().for_each(|(what, number)| outcome.count(what, number));
    if lost > 0 {
        let patience = PATIENCE.as_secs();
        let why =
            format!("{lost} of {sent} messages had not come back {patience} s after the last");
        outcome.fault = Some(why);
    }
    Ok(outcome)
}

impl Echo {
    /// Sends for so long, then waits for the rest; returns how many messages did not come back.
    fn go(&mut self, time: Duration, depth: usize, rate: u32) -> Result<u64> {
        let started = Instant::now();
        let end = started + time;
        if rate == 0 {
            for client in 0..self.ears.len() {
                self.send(client, depth, started)?;
            }
            self.closed(end)?;
        } else {
            self.open(started, end, rate)?;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let open: usize = self.ears.iter().map(|ear| ear.under_way.len()).sum();
            if open == 0 || Instant::now() > deadline {
                return Ok(open as u64);
            }
            self.hear(deadline.min(Instant::now() + Duration::from_millis(10)))?;
        }
    }

    fn closed(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            for (client, done) in self.hear(end)? {
                self.send(client, done, Instant::now())?;
            }
        }
        Ok(())
    }

    fn open(&mut self, started: Instant, end: Instant, rate: u32) -> Result<()> {
        for number in 0_u32.. {
            let due = started + Duration::from_secs(1) * number / rate;
            if due >= end {
                break;
            }
            while Instant::now() < due {
                self.hear(due)?;
            }
            self.lateness.add(due.elapsed());
            self.send(number as usize % self.ears.len(), 1, due)?;
        }
        Ok(())
    }

    /// Sends a client's next messages, in one write.
    fn send(&mut self, client: usize, count: usize, due: Instant) -> Result<()> {
        let mut bytes = Vec::with_capacity(count * self.bytes);
        let ear = &mut self.ears[client];
        for _ in 0..count {
            bytes.extend_from_slice(&head(client, ear.sent));
            bytes.extend_from_slice(&self.message[HEAD..]);
            ear.sent += 1;
            ear.under_way.push_back(due);
        }
        self.crowd.send(client, &bytes)
    }

    /// Takes what came back; returns who has how many messages whole.
    fn hear(&mut self, deadline: Instant) -> Result<Vec<(usize, usize)>> {
        let mut done = Vec::new();
        let Echo { crowd, ears, bytes, message, delays, .. } = self;
        crowd.pump(deadline, |client, news| {
            let whole = ears[client].take(client, news.bytes(client)?, *bytes, message)?;
            let now = Instant::now();
            for sent in ears[client].under_way.drain(..whole) {
                delays.add(now.saturating_duration_since(sent));
            }
            if whole > 0 {
                done.push((client, whole));
            }
            Ok(())
        })?;
        Ok(done)
    }
}

impl Ear {
    /// Compares what came back with what was sent; returns how many messages it made whole.
    fn take(&mut self, client: usize, back: &[u8], bytes: usize, same: &[u8]) -> Result<usize> {
        let sent = u64::from(self.sent) * bytes as u64;
        let before = self.back;
        let mut rest = back;
        while !rest.is_empty() {
            let at = (self.back % bytes as u64) as usize;
            let number = (self.back / bytes as u64) as u32;
            let head = head(client, number);
            let due = if at < HEAD { &head[at..] } else { &same[at..] };
            let n = due.len().min(rest.len());
            if rest[..n] != due[..n] || self.back + n as u64 > sent {
                let what = format!("client {client}, message {number}, byte {at}");
                return Err(format!("{what}: other bytes came back than were sent").into());
            }
            self.back += n as u64;
            rest = &rest[n..];
        }
        Ok((self.back / bytes as u64 - before / bytes as u64) as usize)
    }
}

fn head(client: usize, number: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(client as u32).to_be_bytes());
    head[4..].copy_from_slice(&number.to_be_bytes());
    head
}
