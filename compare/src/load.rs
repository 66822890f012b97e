//! The generator's process: reads one job, puts the load on the server, tells what came of it.

mod chat;
mod connect;
pub(crate) mod echo;
mod idle;
mod keys;
pub(crate) mod pace;
pub(crate) mod talk;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod time;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::crowd::{Crowd, Take};
use crate::meter::Meter;
use crate::process::Process;
use crate::results::Outcome;
use crate::trace;
use crate::workload::Load;

/// Time after which something awaited counts as missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// Connects before the server must have accepted them: below a backlog of 10, where one too many
/// waits a second, and of 128 where it cannot be seen whom the server has accepted.
const BATCH: usize = 8;
const BLIND_BATCH: usize = 100;

/// Time without any CPU used after which a server has settled.
const SETTLED: Duration = Duration::from_millis(40);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) load: Load,
    /// The server's; the generator's own where the server is somebody else's.
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    /// Milliseconds measured, and those before that are discarded.
    pub(crate) window: u64,
    pub(crate) warm_up: u64,
    /// Counts the server's system calls meanwhile: times mean nothing then.
    pub(crate) tracer: Option<trace::Tool>,
}

impl Job {
    fn process(&self) -> Process {
        Process(self.pid)
    }

    fn meter(&self) -> Result<Meter> {
        Meter::start(self.process(), self.tracer)
    }

    fn window(&self) -> Duration {
        Duration::from_millis(self.window)
    }

    fn warm_up(&self) -> Duration {
        Duration::from_millis(self.warm_up)
    }
}

/// Puts the job's load on its server. Errors are faults of the run, not of this program.
pub(crate) fn run(job: &Job) -> Outcome {
    let outcome = match job.load {
        Load::Echo { .. } => echo::run(job, || ()),
        Load::Time { clients } => time::run(job, clients),
        Load::Chat { .. } => chat::run(job),
        Load::Editing { clients, rate, typed } => chat::editing(job, clients, rate, typed),
        Load::Keys { rate, editing } => keys::run(job, rate, editing),
        Load::Stalled { clients, bytes, rate } => chat::stalled(job, clients, bytes, rate),
        Load::Idle { clients } => idle::run(job, clients),
        Load::Burst { clients, greeted } => connect::burst(job, clients, greeted),
        Load::Churn { places } => connect::churn(job, places),
        Load::Start => Err("start-up is measured by the runner".into()),
    };
    told(job, outcome)
}

/// The same of a few clients beside others, who `begin` once these are in.
pub(crate) fn beside(job: &Job, begin: impl FnOnce()) -> Outcome {
    let outcome = match job.load {
        Load::Echo { .. } => echo::run(job, begin),
        _ => chat::beside(job, begin),
    };
    told(job, outcome)
}

fn told(job: &Job, outcome: Result<Outcome>) -> Outcome {
    match outcome {
        Ok(outcome) => outcome,
        Err(_) if !job.process().alive() => Outcome::invalid("the server's process ended"),
        Err(error) => Outcome::invalid(error),
    }
}

/// Connects `count` more clients who read; what arrives meanwhile goes to `take`.
pub(crate) fn join(job: &Job, crowd: &mut Crowd, count: usize, take: Take) -> Result<()> {
    join_by(Crowd::connect, job, crowd, count, take)
}

/// Connects them one by one, batch after batch, each when the server holds the one before.
fn join_by(
    connect: impl Fn(&mut Crowd, SocketAddr) -> Result<()>,
    job: &Job,
    crowd: &mut Crowd,
    count: usize,
    take: Take,
) -> Result<()> {
    let process = job.process();
    let base = process.descriptors();
    let (mut joined, mut most) = (0, BATCH);
    while joined < count {
        let batch = most.min(count - joined);
        for _ in 0..batch {
            connect(crowd, job.address)?;
        }
        joined += batch;
        let deadline = Instant::now() + Duration::from_secs(2);
        while process.descriptors() < base + joined {
            if Instant::now() > deadline {
                // A server may count its sockets elsewhere (io_uring): time must do then.
                most = BLIND_BATCH;
                break;
            }
            crowd.pump(Instant::now() + Duration::from_micros(300), take)?;
        }
    }
    Ok(())
}
