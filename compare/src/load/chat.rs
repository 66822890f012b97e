//! Chat: clients that speak, and check and time all they hear.

use std::time::{Duration, Instant};

use super::pace::{self, Pace, Tally, finish, say_until};
use super::talk::{SLOT, Talk, unsent};
use super::{Job, PATIENCE, SETTLED};
use crate::Result;
use crate::meter;
use crate::results::Outcome;
use crate::workload::Load;

/// Time in which a server that waits for the stalled reader may give it up, and go on.
const STALL: Duration = Duration::from_secs(8);

/// Time for which one who speaks alone is silent behind a line that everybody has: longer than two
/// pauses of a room, so that each line finds it quiet.
const QUIET: Duration = Duration::from_millis(25);

/// A line of a client with the editor, with its end.
const LINE_BYTES: usize = 56;

pub(super) fn run(job: &Job) -> Result<Outcome> {
    let Load::Chat { clients, speakers, bytes, rate, burst, deaf } = job.load else {
        unreachable!()
    };
    let mut talk = join(job, clients, speakers, bytes)?;
    if deaf > 0 {
        talk.join_deaf(job, deaf)?;
    }
    let silence = if speakers == 1 && rate == 0 { QUIET } else { Duration::ZERO };
    measure(&mut talk, job, Pace { rate, burst, silence })
}

/// All of them have the line editor, and so many bytes of their next line typed.
pub(super) fn editing(job: &Job, clients: usize, rate: u32, typed: usize) -> Result<Outcome> {
    let mut talk = join(job, clients, clients, LINE_BYTES)?;
    talk.agree(typed)?;
    job.process().settle(SETTLED)?;
    measure(&mut talk, job, Pace::new(rate, 1))
}

/// Beside others who speak too, and who `begin` once these are in. Lines that were missed or did
/// not come in time are figures here, and no fault.
pub(super) fn beside(job: &Job, begin: impl FnOnce()) -> Result<Outcome> {
    let Load::Chat { clients, speakers, bytes, rate, burst, .. } = job.load else { unreachable!() };
    let mut talk = join(job, clients, speakers, bytes)?;
    talk.heard.ledger.strangers = true;
    begin();
    let mut outcome = measure(&mut talk, job, Pace::new(rate, burst))?;
    if talk.heard.closed() == 0 && talk.heard.ledger.is_in_order() {
        outcome.fault = None;
    }
    Ok(outcome)
}

/// One client more never reads: what the others notice, and what it costs.
pub(super) fn stalled(job: &Job, clients: usize, bytes: usize, rate: u32) -> Result<Outcome> {
    let mut talk = join(job, clients, 1, bytes)?;
    talk.crowd.connect_deaf(job.address)?;
    job.process().settle(SETTLED)?;
    let started = Instant::now();
    talk.heard.slots = Some((started, Vec::new()));
    let meter = job.meter()?;
    let (rss_before, _) = job.process().memory()?;
    let mut memory = Vec::new();
    let mut said = 0;
    while started.elapsed() < job.window() {
        let slice = started + SLOT * (memory.len() as u32 + 1);
        said = say_until(&mut talk, Pace::new(rate, 1), started, said, slice)?;
        let (rss, _) = job.process().memory()?;
        memory.push((started.elapsed().as_secs_f64(), rss / 1024.0));
    }
    let undelivered = finish(&mut talk, STALL)?;

    let Tally { delays, lateness, .. } = &talk.heard.tally;
    let messages = delays.total();
    let mut outcome = meter.stop(messages, Some(lateness))?;
    meter::delays(&mut outcome, delays);
    talk.report(&mut outcome);
    let all = messages + undelivered;
    let most = memory.iter().fold(0.0, |most: f64, point| most.max(point.1));
    outcome.set("undelivered_share", undelivered as f64 / all.max(1) as f64);
    outcome.set("grown_mib", most - rss_before / 1024.0);
    outcome.set("kernel_mib", unsent(job)?.iter().sum::<u64>() as f64 / 1_048_576.0);
    outcome.series.insert("rss_mib".into(), memory);
    let slots = talk.heard.slots.take().map_or(Vec::new(), |(_, worst)| worst);
    let slots = slots.iter().enumerate().map(|(i, ms)| (i as f64 * SLOT.as_secs_f64(), *ms));
    outcome.series.insert("worst_ms".into(), slots.collect());
    Ok(outcome)
}

fn join(job: &Job, clients: usize, speakers: usize, bytes: usize) -> Result<Talk> {
    let mut talk = Talk::new(clients, speakers, bytes)?;
    talk.join(std::slice::from_ref(job), SETTLED)?;
    Ok(talk)
}

/// Talks for the warm-up, then for the window.
fn measure(talk: &mut Talk, job: &Job, pace: Pace) -> Result<Outcome> {
    let tolerant = talk.heard.ledger.strangers;
    let (mut outcome, lost) = pace::measure(talk, job, pace, tolerant)?;
    // Of the warm-up too, as what is lost.
    outcome.count("missed", talk.heard.missed());
    talk.report(&mut outcome);
    if lost > 0 {
        let (all, patience) = (lost + talk.heard.tally.delays.total(), PATIENCE.as_secs());
        outcome.fault.get_or_insert(format!(
            "fell behind: {lost} of {all} deliveries had not come {patience} s after the last line"
        ));
    }
    Ok(outcome)
}
