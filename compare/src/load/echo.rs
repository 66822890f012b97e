//! Echo: every byte that comes back is the one that was due.

use std::collections::VecDeque;
use std::time::Instant;

use super::pace::{Pace, Tally, Traffic, measure};
use super::{Job, PATIENCE, SETTLED, join};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::results::Outcome;
use crate::workload::Load;

/// Numbers at the front of a message: client and message, four bytes each.
pub(crate) const HEAD: usize = 8;

/// The clients of one run and what each of them waits for.
pub(crate) struct Echo {
    pub(crate) crowd: Crowd,
    ears: Vec<Ear>,
    /// A message, but for its numbers: all have the same behind them.
    message: Vec<u8>,
    pub(crate) tally: Tally,
    /// Clients who have all back may come to their end.
    pub(crate) ends: bool,
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
    let mut echo = Echo::new(clients, bytes)?;
    join(job, &mut echo.crowd, clients, &mut |_, _| Ok(()))?;
    job.process().settle(SETTLED)?;
    begin();
    let (mut outcome, lost) = measure(&mut echo, job, Pace::new(rate, depth as u32), false)?;
    if lost > 0 {
        let (sent, patience) = (echo.tally.delays.total() + lost, PATIENCE.as_secs());
        let why =
            format!("{lost} of {sent} messages had not come back {patience} s after the last");
        outcome.fault = Some(why);
    }
    Ok(outcome)
}

impl Echo {
    /// Messages are of so many bytes, more than [`HEAD`].
    pub(crate) fn new(clients: usize, bytes: usize) -> Result<Echo> {
        let ears = (0..clients).map(|_| Ear::default()).collect();
        let message = (0..bytes).map(|i| (i % 251) as u8).collect();
        let (crowd, tally) = (Crowd::new()?, Tally::default());
        Ok(Echo { crowd, ears, message, tally, ends: false })
    }
}

impl Traffic for Echo {
    fn speakers(&self) -> usize {
        self.ears.len()
    }

    fn say(&mut self, client: usize, count: u32, due: Instant) -> Result<()> {
        self.tally.said += u64::from(count);
        let mut bytes = Vec::with_capacity(count as usize * self.message.len());
        let ear = &mut self.ears[client];
        for _ in 0..count {
            bytes.extend_from_slice(&head(client, ear.sent));
            bytes.extend_from_slice(&self.message[HEAD..]);
            ear.sent += 1;
            ear.under_way.push_back(due);
        }
        self.crowd.send(client, &bytes)
    }

    fn hear(&mut self, deadline: Instant) -> Result<Vec<(usize, u32)>> {
        let mut done = Vec::new();
        let Echo { crowd, ears, message, tally, ends } = self;
        crowd.pump(deadline, &mut |client, news| {
            if *ends && matches!(news, News::Closed) && ears[client].under_way.is_empty() {
                return Ok(());
            }
            let whole = ears[client].take(client, news.bytes(client)?, message)?;
            let now = Instant::now();
            for sent in ears[client].under_way.drain(..whole) {
                tally.delays.add(now.saturating_duration_since(sent));
            }
            if whole > 0 {
                done.push((client, whole as u32));
            }
            Ok(())
        })?;
        Ok(done)
    }

    fn left(&self) -> [u64; 2] {
        [self.ears.iter().map(|ear| ear.under_way.len() as u64).sum(), 0]
    }

    fn crowd(&mut self) -> &mut Crowd {
        &mut self.crowd
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Ear {
    /// Compares what came back with what was sent; returns how many messages it made whole.
    fn take(&mut self, client: usize, back: &[u8], message: &[u8]) -> Result<usize> {
        let bytes = message.len() as u64;
        let (sent, before) = (u64::from(self.sent) * bytes, self.back / bytes);
        let mut rest = back;
        while !rest.is_empty() {
            let at = (self.back % bytes) as usize;
            let number = (self.back / bytes) as u32;
            let head = head(client, number);
            let due = if at < HEAD { &head[at..] } else { &message[at..] };
            let n = due.len().min(rest.len());
            if rest[..n] != due[..n] || self.back + n as u64 > sent {
                let what = format!("client {client}, message {number}, byte {at}");
                return Err(format!("{what}: other bytes came back than were sent").into());
            }
            self.back += n as u64;
            rest = &rest[n..];
        }
        Ok((self.back / bytes - before) as usize)
    }
}

fn head(client: usize, number: u32) -> [u8; HEAD] {
    ((client as u64) << 32 | u64::from(number)).to_be_bytes()
}
