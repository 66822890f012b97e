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

/// Clients who connect, and what came to each of what is due.
struct Visits {
    crowd: Crowd,
    /// Each reads a greeting, and sends nothing.
    greeted: bool,
    visits: Vec<Visit>,
    delays: Histogram,
}

#[derive(Clone)]
struct Visit {
    begun: Instant,
    /// Bytes that came, of those that are due.
    back: usize,
}

pub(super) fn burst(job: &Job, clients: usize, greeted: bool) -> Result<Outcome> {
    let mut visits = Visits::new(job, clients, greeted)?;
    let meter = job.meter()?;
    let started = Instant::now();
    for client in 0..clients {
        visits.begin(job, client)?;
        if client % 32 == 31 {
            visits.look(Instant::now())?;
        }
    }
    while visits.delays.total() < clients as u64 {
        visits.look(Instant::now() + Duration::from_millis(20))?;
        if started.elapsed() > PATIENCE * 3 {
            let served = visits.delays.total();
            return Err(format!("{served} of {clients} were served in {:?}", PATIENCE * 3).into());
        }
    }
    let all = started.elapsed();
    let (mut outcome, delays) = (meter.stop(clients as u64, None)?, &visits.delays);
    meter::delays(&mut outcome, delays);
    outcome.set("all_ms", all.as_secs_f64() * 1e3);
    let second = 1_000_000_000;
    let late: u64 = delays.pairs().filter(|pair| pair.0 >= second).map(|pair| pair.1).sum();
    outcome.set("waited_1s", late as f64);
    Ok(outcome)
}

pub(super) fn churn(job: &Job, places: usize) -> Result<Outcome> {
    let mut visits = Visits::new(job, places, false)?;
    (0..places).try_for_each(|client| visits.begin(job, client))?;
    visits.turn(job, job.warm_up())?;
    visits.delays = Histogram::default();
    let meter = job.meter()?;
    visits.turn(job, job.window())?;
    let delays = &visits.delays;
    if delays.total() == 0 {
        return Err("nobody was served".into());
    }
    let mut outcome = meter.stop(delays.total(), None)?;
    meter::delays(&mut outcome, delays);
    Ok(outcome)
}

impl Visits {
    fn new(job: &Job, clients: usize, greeted: bool) -> Result<Visits> {
        let (crowd, delays) = (Crowd::new()?, Histogram::default());
        let visits = vec![Visit { begun: Instant::now(), back: 0 }; clients];
        job.process().settle(SETTLED)?;
        Ok(Visits { crowd, greeted, visits, delays })
    }

    /// Has a client come, for the first time or anew.
    fn begin(&mut self, job: &Job, client: usize) -> Result<()> {
        self.visits[client] = Visit { begun: Instant::now(), back: 0 };
        self.crowd.begin(client, job.address)
    }

    /// Lets whoever is done close and come anew, for so long.
    fn turn(&mut self, job: &Job, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            for client in self.look(end)? {
                self.crowd.close(client);
                self.begin(job, client)?;
            }
        }
        Ok(())
    }

    /// Takes what is new, once: sends for who is connected, returns who has all that is due.
    fn look(&mut self, deadline: Instant) -> Result<Vec<usize>> {
        let Visits { crowd, greeted, visits, delays } = self;
        let due = if *greeted { GREETING } else { MESSAGE };
        let (mut connected, mut done) = (Vec::new(), Vec::new());
        crowd.pump(deadline, &mut |client, news| {
            match news {
                News::Connected(false) => return Err(format!("client {client} was refused").into()),
                News::Connected(true) if !*greeted => connected.push(client),
                _ => {}
            }
            let (bytes, Visit { begun, back }) = (news.bytes(client)?, &mut visits[client]);
            // Behind the greeting stands a name, and what others are told of who came.
            let n = if *greeted { bytes.len().min(due.len() - *back) } else { bytes.len() };
            if due.get(*back..*back + n) != Some(&bytes[..n]) {
                return Err(format!("client {client}: other bytes came than were due").into());
            }
            *back += n;
            if n > 0 && *back == due.len() {
                delays.add(begun.elapsed());
                done.push(client);
            }
            Ok(())
        })?;
        connected.into_iter().try_for_each(|client| crowd.send(client, MESSAGE))?;
        Ok(done)
    }
}
