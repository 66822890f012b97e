//! Connecting: everybody at once, and ever anew.

use std::time::{Duration, Instant};

use super::{Job, PATIENCE, SETTLED};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::histogram::Histogram;
use crate::meter;
use crate::results::Outcome;

/// What a client has echoed.
const MESSAGE: &[u8] = &[b'm'; 64];

/// What a client of the chat reads first.
const GREETING: &[u8] = b"*** welcome, you are ";

/// Where one client stands.
#[derive(Clone)]
struct Visit {
    begun: Instant,
    greeted: bool,
    /// Bytes that came, of those that are due.
    back: usize,
}

/// What happened to one client.
enum Step {
    Connected,
    Done,
    Waiting,
}

pub(crate) fn burst(job: &Job, clients: usize, greeted: bool) -> Result<Outcome> {
    let mut crowd = Crowd::new(true)?;
    job.process().settle(SETTLED)?;
    let mut delays = Histogram::default();
    let mut visits = Vec::with_capacity(clients);
    let meter = job.meter()?;
    let started = Instant::now();
    for client in 0..clients {
        visits.push(Visit::begin(greeted));
        crowd.begin(client, job.address)?;
        if client % 32 == 31 {
            look(&mut crowd, &mut visits, Instant::now(), &mut delays)?;
        }
    }
    while delays.total() < clients as u64 {
        let soon = Instant::now() + Duration::from_millis(20);
        look(&mut crowd, &mut visits, soon, &mut delays)?;
        if started.elapsed() > PATIENCE * 3 {
            let served = delays.total();
            return Err(format!("{served} of {clients} were served in {:?}", PATIENCE * 3).into());
        }
    }
    let all = started.elapsed();
    let mut outcome = Outcome::default();
    meter.stop(&mut outcome, clients as u64, None)?;
    meter::delays(&mut outcome, &delays);
    outcome.set("all_ms", all.as_secs_f64() * 1e3);
    let second = 1_000_000_000;
    let late: u64 = delays.pairs().iter().filter(|pair| pair.0 >= second).map(|pair| pair.1).sum();
    outcome.set("waited_1s", late as f64);
    Ok(outcome)
}

pub(crate) fn churn(job: &Job, places: usize) -> Result<Outcome> {
    let mut crowd = Crowd::new(true)?;
    job.process().settle(SETTLED)?;
    let mut visits = vec![Visit::begin(false); places];
    let mut delays = Histogram::default();
    (0..places).try_for_each(|client| crowd.begin(client, job.address))?;
    turn(job, &mut crowd, &mut visits, job.warm_up(), &mut delays)?;
    delays = Histogram::default();
    let meter = job.meter()?;
    turn(job, &mut crowd, &mut visits, job.window(), &mut delays)?;
    let mut outcome = Outcome::default();
    if delays.total() == 0 {
        return Err("nobody was served".into());
    }
    meter.stop(&mut outcome, delays.total(), None)?;
    meter::delays(&mut outcome, &delays);
    Ok(outcome)
}

/// Lets whoever is done close and come anew, for so long.
fn turn(
    job: &Job,
    crowd: &mut Crowd,
    visits: &mut [Visit],
    time: Duration,
    delays: &mut Histogram,
) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        for client in look(crowd, visits, end, delays)? {
            crowd.close(client);
            visits[client] = Visit::begin(false);
            crowd.begin(client, job.address)?;
        }
    }
    Ok(())
}

/// Takes what is new, once: sends for who is connected, returns who has its message back.
fn look(
    crowd: &mut Crowd,
    visits: &mut [Visit],
    deadline: Instant,
    delays: &mut Histogram,
) -> Result<Vec<usize>> {
    let (mut connected, mut done) = (Vec::new(), Vec::new());
    crowd.pump(deadline, |client, news| {
        match visits[client].step(client, news)? {
            Step::Connected => connected.push(client),
            Step::Done => {
                delays.add(visits[client].begun.elapsed());
                done.push(client);
            }
            Step::Waiting => {}
        }
        Ok(())
    })?;
    connected.into_iter().try_for_each(|client| crowd.send(client, MESSAGE))?;
    Ok(done)
}

impl Visit {
    fn begin(greeted: bool) -> Visit {
        Visit { begun: Instant::now(), greeted, back: 0 }
    }

    fn step(&mut self, client: usize, news: News) -> Result<Step> {
        let due = if self.greeted { GREETING } else { MESSAGE };
        match news {
            News::Connected(true) if self.greeted => Ok(Step::Waiting),
            News::Connected(true) => Ok(Step::Connected),
            News::Connected(false) => Err(format!("client {client} was refused").into()),
            News::Closed => Err(format!("client {client} was dropped").into()),
            // What others are told of who came.
            News::Bytes(_) if self.greeted && self.back == due.len() => Ok(Step::Waiting),
            News::Bytes(bytes) => {
                // Behind the greeting stands a name.
                let n =
                    if self.greeted { bytes.len().min(due.len() - self.back) } else { bytes.len() };
                if due.get(self.back..self.back + n) != Some(&bytes[..n]) {
                    return Err(format!("client {client}: other bytes came than were due").into());
                }
                self.back += n;
                Ok(if self.back == due.len() { Step::Done } else { Step::Waiting })
            }
        }
    }
}
