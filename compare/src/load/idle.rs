//! Idle: what a client costs that does nothing, as the slope of memory over their number.

use std::time::{Duration, Instant};

use super::{Job, SETTLED, join};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::results::Outcome;
use crate::stats::slope;

/// Measured with none, and after each of so many equal steps.
const STEPS: usize = 4;

pub(crate) fn run(job: &Job, clients: usize) -> Result<Outcome> {
    // One that is refused would make the others look cheap.
    let mut stays = |client: usize, news: News| news.bytes(client).map(|_| ());
    let process = job.process();
    let mut outcome = Outcome::default();
    let mut crowd = Crowd::new()?;
    process.settle(SETTLED)?;
    let (rss, pss) = process.memory()?;
    let (mut resident, mut shared) = (vec![(0.0, rss)], vec![(0.0, pss)]);
    for _ in 0..STEPS {
        join(job, &mut crowd, clients / STEPS, &mut stays)?;
        process.settle(SETTLED * 2)?;
        // What the server says on its own (a welcome, the time) is read, so that none waits.
        let calm = Instant::now() + Duration::from_millis(20);
        crowd.pump_until(calm, &mut stays)?;
        let (rss, pss) = process.memory()?;
        resident.push((crowd.open() as f64, rss));
        shared.push((crowd.open() as f64, pss));
    }
    outcome.set("rss_client_bytes", slope(&resident) * 1024.0);
    outcome.set("pss_client_bytes", slope(&shared) * 1024.0);
    outcome.set("rss_empty_kib", rss);
    outcome.set("rss_full_kib", resident[STEPS].1);
    outcome.set("threads", process.usage()?.threads as f64);
    let mebibytes = resident.iter().map(|(clients, kib)| (*clients, kib / 1024.0));
    outcome.series.insert("rss_mib".into(), mebibytes.collect());
    Ok(outcome)
}
