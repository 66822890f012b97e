//! Chat: clients that speak, and check and time all they hear.

use std::time::{Duration, Instant};

use super::{Job, PATIENCE, SETTLED, join, join_by};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::histogram::Histogram;
use crate::ledger::Ledger;
use crate::lines::{Lines, missed};
use crate::meter;
use crate::results::Outcome;
use crate::tcp;
use crate::terminal::{AGREES, ENTER, shown};
use crate::workload::Load;

/// Time in which a server that waits for the stalled reader may give it up, and go on.
const STALL: Duration = Duration::from_secs(8);

/// Time between two looks at whether the kernel still takes something for the deaf.
const FILLING: Duration = Duration::from_millis(500);

/// Time for which one who speaks alone is silent behind a line that everybody has: longer than two
/// pauses of a room, so that each line finds it quiet.
const QUIET: Duration = Duration::from_millis(25);

/// A line of a client with the editor, with its end.
const LINE_BYTES: usize = 56;

/// Width of a slot of the stalled reader's picture.
const SLOT: Duration = Duration::from_millis(100);

struct Talk {
    crowd: Crowd,
    lines: Lines,
    heard: Heard,
    clients: usize,
    speakers: usize,
    /// How long a speaker of a closed loop waits before its next line.
    silence: Duration,
    lateness: Histogram,
}

/// What came of what was said.
#[derive(Default)]
struct Heard {
    ledger: Ledger,
    /// By speaker and number.
    said: Vec<Vec<Line>>,
    delays: Histogram,
    /// Until the last one had a line.
    lasts: Histogram,
    /// Speakers whose newest line everybody has.
    done: Vec<usize>,
    welcomed: usize,
    notices: u64,
    /// Lines that the server says clients missed.
    missed: u64,
    closed: usize,
    slots: Option<Slots>,
    /// Bytes of its next line that each client has typed, where they have the editor.
    typed: Option<usize>,
}

struct Line {
    due: Instant,
    /// Clients that have it to come.
    left: usize,
}

/// The longest delay among the lines said in each slot of time.
struct Slots {
    started: Instant,
    worst: Vec<f64>,
}

pub(crate) fn run(job: &Job) -> Result<Outcome> {
    let Load::Chat { clients, speakers, bytes, rate, burst, deaf } = job.load else {
        unreachable!()
    };
    let mut talk = Talk::new(clients, speakers, bytes)?;
    talk.join(job, clients)?;
    if deaf > 0 {
        talk.join_deaf(job, deaf)?;
    }
    if speakers == 1 {
        talk.silence = QUIET;
    }
    talk.measure(job, rate, burst)
}

/// All of them have the line editor, and so many bytes of their next line typed.
pub(crate) fn editing(job: &Job, clients: usize, rate: u32, typed: usize) -> Result<Outcome> {
    let mut talk = Talk::new(clients, clients, LINE_BYTES)?;
    talk.join(job, clients)?;
    talk.agree(typed)?;
    job.process().settle(SETTLED)?;
    talk.measure(job, rate, 1)
}

/// Beside others who speak too, and who `begin` once these are in. Lines that were missed or did
/// not come in time are figures here, and no fault.
pub(crate) fn beside(job: &Job, begin: impl FnOnce()) -> Result<Outcome> {
    let Load::Chat { clients, speakers, bytes, rate, burst, .. } = job.load else { unreachable!() };
    let mut talk = Talk::new(clients, speakers, bytes)?;
    talk.heard.ledger.ignore_strangers();
    talk.join(job, clients)?;
    begin();
    talk.go(job.warm_up(), rate, burst)?;
    talk.forget();
    let missed_before = talk.heard.missed;
    let mut outcome = Outcome::default();
    let meter = job.meter()?;
    let undelivered = talk.go(job.window(), rate, burst)?;
    meter.stop(&mut outcome, talk.heard.delays.total(), Some(&talk.lateness))?;
    talk.report(&mut outcome);
    let Heard { ledger, missed, closed, .. } = &talk.heard;
    outcome.set("missed", (missed - missed_before) as f64);
    outcome.set("lacking", undelivered.saturating_sub(*missed) as f64);
    if *closed == 0 && ledger.is_in_order() {
        outcome.fault = None;
    }
    Ok(outcome)
}

/// One client more never reads: what the others notice, and what it costs.
pub(crate) fn stalled(job: &Job, clients: usize, bytes: usize, rate: u32) -> Result<Outcome> {
    let mut talk = Talk::new(clients, 1, bytes)?;
    talk.join(job, clients)?;
    talk.crowd.connect_deaf(job.address)?;
    job.process().settle(SETTLED)?;
    let started = Instant::now();
    talk.heard.slots = Some(Slots { started, worst: Vec::new() });
    let meter = job.meter()?;
    let (rss_before, _) = job.process().memory()?;
    let mut memory = Vec::new();
    let mut said = 0;
    while started.elapsed() < job.window() {
        let slice = started + SLOT * (memory.len() as u32 + 1);
        said = talk.say_until(started, said, slice, rate, 1)?;
        let (rss, _) = job.process().memory()?;
        memory.push((started.elapsed().as_secs_f64(), rss / 1024.0));
    }
    let undelivered = talk.finish(STALL)?;

    let mut outcome = Outcome::default();
    let messages = talk.heard.delays.total();
    meter.stop(&mut outcome, messages, Some(&talk.lateness))?;
    talk.report(&mut outcome);
    let all = messages + undelivered;
    let most = memory.iter().fold(0.0, |most: f64, point| most.max(point.1));
    outcome.set("undelivered_share", undelivered as f64 / all.max(1) as f64);
    outcome.set("grown_mib", most - rss_before / 1024.0);
    outcome.set("kernel_mib", unsent(job)?.iter().sum::<u64>() as f64 / 1_048_576.0);
    outcome.series.insert("rss_mib".into(), memory);
    let slots = talk.heard.slots.take().map_or(Vec::new(), |slots| slots.worst);
    let slots = slots.iter().enumerate().map(|(i, ms)| (i as f64 * SLOT.as_secs_f64(), *ms));
    outcome.series.insert("worst_ms".into(), slots.collect());
    Ok(outcome)
}

/// Bytes that the kernel holds in each of the server's send queues, where it holds any.
fn unsent(job: &Job) -> Result<Vec<u64>> {
    let queues = tcp::sockets(job.address.port())?.into_iter().map(|socket| socket.unsent);
    Ok(queues.filter(|unsent| *unsent > 0).collect())
}

impl Talk {
    pub(super) fn new(clients: usize, speakers: usize, bytes: usize) -> Result<Talk> {
        let heard = Heard {
            ledger: Ledger::new(clients, speakers, bytes),
            said: (0..speakers).map(|_| Vec::new()).collect(),
            ..Heard::default()
        };
        let (crowd, lines) = (Crowd::new(true)?, Lines::default());
        let (silence, lateness) = (Duration::ZERO, Histogram::default());
        Ok(Talk { crowd, lines, heard, clients, speakers, silence, lateness })
    }

    /// Connects everybody and waits until all have read something and the server is at rest.
    fn join(&mut self, job: &Job, clients: usize) -> Result<()> {
        let Talk { crowd, lines, heard, .. } = self;
        let mut greeted = vec![false; clients];
        let mut take = |client: usize, news: News| {
            if let News::Bytes(_) = news {
                heard.welcomed += usize::from(!std::mem::replace(&mut greeted[client], true));
            }
            heard.take(lines, client, news)
        };
        join(job, crowd, clients, &mut take)?;
        let deadline = Instant::now() + PATIENCE;
        let mut quiet = Instant::now();
        while quiet.elapsed() < SETTLED && Instant::now() < deadline {
            crowd.pump(Instant::now() + SETTLED / 4, |client, news| {
                quiet = Instant::now();
                take(client, news)
            })?;
        }
        let welcomed = self.heard.welcomed;
        if welcomed < clients {
            return Err(format!("{welcomed} of {clients} clients were welcomed").into());
        }
        if job.is_alone() {
            // What others said before is its history.
            self.heard.ledger.begin();
        }
        job.process().settle(SETTLED)
    }

    /// Has all clients agree to the editor, and type so many bytes of their first line.
    fn agree(&mut self, typed: usize) -> Result<()> {
        self.heard.typed = Some(typed);
        self.heard.ledger.expect_returns();
        for speaker in 0..self.speakers {
            let line = self.heard.ledger.line(speaker, 0);
            self.crowd.send(speaker, &[AGREES, &line[..typed]].concat())?;
        }
        Ok(())
    }

    /// Talks for the warm-up, then for the window.
    fn measure(&mut self, job: &Job, rate: u32, burst: u32) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut undelivered = self.go(job.warm_up(), rate, burst)?;
        if undelivered == 0 {
            self.forget();
            let before = self.said();
            let meter = job.meter()?;
            undelivered = self.go(job.window(), rate, burst)?;
            // A notice costs the server a write as a line does.
            let messages = self.heard.delays.total() + self.heard.notices;
            let lateness = (rate > 0).then_some(&self.lateness);
            meter.stop(&mut outcome, messages, lateness)?;
            outcome.count("sent", (self.said() - before) as u64);
            outcome.count("heard", self.heard.delays.total());
        }
        self.report(&mut outcome);
        outcome.count("lost", undelivered);
        if undelivered > 0 {
            let (all, patience) = (undelivered + self.heard.delays.total(), PATIENCE.as_secs());
            outcome.fault.get_or_insert(format!(
                "fell behind: {undelivered} of {all} deliveries had not come {patience} s after the \
                 last line"
            ));
        }
        Ok(outcome)
    }

    /// Lines, of all speakers.
    fn said(&self) -> usize {
        self.heard.said.iter().map(Vec::len).sum()
    }

    /// Connects clients who never read, and talks until the kernel takes no more for any of them.
    fn join_deaf(&mut self, job: &Job, count: usize) -> Result<()> {
        let Talk { crowd, lines, heard, .. } = self;
        let take = |client: usize, news: News| heard.take(lines, client, news);
        join_by(Crowd::connect_deaf, job, crowd, count, take)?;
        let (mut before, mut held) = (Vec::new(), unsent(job)?);
        let deadline = Instant::now() + PATIENCE * 5;
        while (held != before || held.is_empty()) && Instant::now() < deadline {
            self.go(FILLING, 0, 1)?;
            before = std::mem::replace(&mut held, unsent(job)?);
        }
        match held.len() {
            stalled if stalled == count => Ok(()),
            stalled => Err(format!("{stalled} clients are stalled, not {count}").into()),
        }
    }

    /// Discards what the warm-up measured; what must still come is still known.
    fn forget(&mut self) {
        let heard = &mut self.heard;
        (heard.delays, heard.lasts, heard.notices) = Default::default();
        self.lateness = Histogram::default();
    }

    /// Speaks for so long, then waits for the rest; returns the deliveries that did not come.
    fn go(&mut self, time: Duration, rate: u32, burst: u32) -> Result<u64> {
        let started = Instant::now();
        let end = started + time;
        if rate > 0 {
            self.say_until(started, 0, end, rate, burst)?;
        } else {
            self.heard.done.clear();
            (0..self.speakers).try_for_each(|speaker| self.say(speaker, Instant::now(), burst))?;
            while Instant::now() < end {
                self.hear(end)?;
                for speaker in std::mem::take(&mut self.heard.done) {
                    // Without sleeping: a core that wakes takes its time, and not the server's.
                    let silent = end.min(Instant::now() + self.silence);
                    while Instant::now() < silent {
                        self.hear(Instant::now())?;
                    }
                    self.say(speaker, Instant::now(), burst)?;
                }
            }
        }
        self.finish(PATIENCE)
    }

    /// Says what is due until `end`, from the number `from` since `started`; returns the next.
    fn say_until(
        &mut self,
        started: Instant,
        from: u32,
        end: Instant,
        rate: u32,
        burst: u32,
    ) -> Result<u32> {
        let mut number = from;
        loop {
            let due = started + Duration::from_secs(1) * (number / burst * burst) / rate;
            self.hear_until(due.min(end))?;
            if due >= end {
                return Ok(number);
            }
            self.lateness.add(due.elapsed());
            self.say(number as usize % self.speakers, due, 1)?;
            number += 1;
        }
    }

    /// Says so many lines, in one piece.
    fn say(&mut self, speaker: usize, due: Instant, lines: u32) -> Result<()> {
        let (said, mut piece) = (&mut self.heard.said[speaker], Vec::new());
        // With the editor one's own line comes back.
        let left = self.clients - usize::from(self.heard.typed.is_none());
        for _ in 0..lines {
            let line = self.heard.ledger.line(speaker, said.len());
            said.push(Line { due, left });
            match self.heard.typed {
                None => piece.extend(line),
                Some(typed) => {
                    let next = self.heard.ledger.line(speaker, said.len());
                    piece.extend([&line[typed..line.len() - 1], ENTER, &next[..typed]].concat());
                }
            }
        }
        self.crowd.send(speaker, &piece)
    }

    fn hear(&mut self, deadline: Instant) -> Result<()> {
        let Talk { crowd, lines, heard, .. } = self;
        crowd.pump(deadline, |client, news| heard.take(lines, client, news))
    }

    fn hear_until(&mut self, end: Instant) -> Result<()> {
        let Talk { crowd, lines, heard, .. } = self;
        crowd.pump_until(end, |client, news| heard.take(lines, client, news))
    }

    /// Waits until everybody has everything; returns the deliveries that did not come.
    fn finish(&mut self, patience: Duration) -> Result<u64> {
        let deadline = Instant::now() + patience;
        loop {
            let left: usize = self.heard.said.iter().flatten().map(|line| line.left).sum();
            let gone = self.heard.missed + self.heard.ledger.dropped();
            if left as u64 <= gone || Instant::now() > deadline {
                return Ok(left as u64);
            }
            self.hear_until(Instant::now() + Duration::from_millis(20))?;
        }
    }

    fn report(&self, outcome: &mut Outcome) {
        let heard = &self.heard;
        meter::delays(outcome, &heard.delays);
        outcome.set("last_p50_ms", heard.lasts.quantile(0.5) as f64 / 1e6);
        outcome.set("last_max_ms", heard.lasts.max() as f64 / 1e6);
        let missed = heard.missed;
        let told = (missed > 0).then(|| format!("the server says that {missed} lines were missed"));
        outcome.fault = heard.ledger.faults().into_iter().chain(told).reduce(|a, b| a + "; " + &b);
        if heard.closed > 0 && outcome.fault.is_none() {
            outcome.fault = Some(format!("{} clients were dropped", heard.closed));
        }
    }
}

impl Heard {
    fn take(&mut self, lines: &mut Lines, client: usize, news: News) -> Result<()> {
        match news {
            News::Bytes(bytes) => {
                let now = Instant::now();
                lines.feed(client, bytes, |line| {
                    self.hear(client, if self.typed.is_some() { shown(line) } else { line }, now);
                    Ok(())
                })
            }
            News::Connected(_) => Ok(()),
            News::Closed => {
                self.closed += 1;
                Ok(())
            }
        }
    }

    fn hear(&mut self, client: usize, line: &[u8], now: Instant) {
        // ncat's own notices: who came, who is here.
        if line.starts_with(b"*** ") || line.starts_with(b"<announce>") {
            self.notices += 1;
            self.missed += missed(line).unwrap_or(0);
            return;
        }
        let Some((speaker, number)) = self.ledger.hear(client, line) else { return };
        let said = &mut self.said[speaker];
        let is_newest = number + 1 == said.len();
        let Some(line) = said.get_mut(number) else { return };
        let delay = now.saturating_duration_since(line.due);
        self.delays.add(delay);
        line.left -= 1;
        if line.left == 0 {
            self.lasts.add(delay);
            if is_newest {
                self.done.push(speaker);
            }
        }
        if let Some(slots) = &mut self.slots {
            slots.add(line.due, delay);
        }
    }
}

impl Slots {
    fn add(&mut self, due: Instant, delay: Duration) {
        let slot =
            (due.saturating_duration_since(self.started).as_nanos() / SLOT.as_nanos()) as usize;
        if self.worst.len() <= slot {
            self.worst.resize(slot + 1, 0.0);
        }
        self.worst[slot] = self.worst[slot].max(delay.as_secs_f64() * 1e3);
    }
}
