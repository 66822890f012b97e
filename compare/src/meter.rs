//! One measured window: what the server and the generator used in it, and who was the limit.

use std::time::Instant;

use crate::Result;
use crate::histogram::Histogram;
use crate::machine;
use crate::process::{Process, Usage, own_cpu};
use crate::results::{Bound, Outcome};
use crate::trace::{Tool, Tracing};

/// Share of a core from which it counts as full.
const FULL: f64 = 0.9;

/// Lateness of the generator's p99 from which it, not the server, is what was measured.
const LATE_NANOS: u64 = 1_000_000;

pub(crate) struct Meter {
    process: Process,
    tracing: Option<Tracing>,
    before: Usage,
    own_before: u64,
    idle_before: u64,
    started: Instant,
}

impl Meter {
    /// A `tracer` counts the server's system calls meanwhile.
    pub(crate) fn start(process: Process, tracer: Option<Tool>) -> Result<Meter> {
        let tracing = tracer.map(|tool| Tracing::start(tool, process.0)).transpose()?;
        let before = process.usage()?;
        let (own_before, (_, idle_before)) = (own_cpu()?, machine::idle(process.0)?);
        Ok(Meter { process, tracing, before, own_before, idle_before, started: Instant::now() })
    }

    /// Ends the window after `messages`. `lateness` is an open loop's.
    pub(crate) fn stop(self, messages: u64, lateness: Option<&Histogram>) -> Result<Outcome> {
        let nanos = self.started.elapsed().as_nanos() as f64;
        let own = own_cpu()?;
        let (cores, idle) = machine::idle(self.process.0)?;
        let used = self.process.usage()?.since(&self.before);
        let own_share = (own - self.own_before) as f64 / nanos;
        let server_share = used.cpu as f64 / nanos;
        let each = |total: u64| total as f64 / messages.max(1) as f64;
        let mut outcome = Outcome::default();
        outcome.set("cpu_us", each(used.cpu) / 1e3);
        outcome.set("rate", messages as f64 * 1e9 / nanos);
        outcome.set("messages", messages as f64);
        outcome.set("voluntary", each(used.voluntary) * 1e3);
        outcome.set("involuntary", each(used.involuntary) * 1e3);
        outcome.set("threads", used.threads as f64);
        outcome.set("server_share", server_share);
        outcome.set("generator_share", own_share);
        let idle_share = idle.saturating_sub(self.idle_before) as f64 / nanos;
        let others = cores as f64 - idle_share - server_share - own_share;
        outcome.set("others_share", others.max(0.0) / cores as f64);
        let (rss, pss) = self.process.memory()?;
        outcome.set("rss_kib", rss);
        outcome.set("pss_kib", pss);
        let late = lateness.map(|lateness| lateness.quantile(0.99));
        if let Some(late) = late {
            outcome.set("late_p99_us", late as f64 / 1e3);
        }
        outcome.bound = match late {
            Some(late) if late > LATE_NANOS => Bound::Client,
            _ if server_share >= FULL && own_share >= FULL => Bound::Both,
            _ if server_share >= FULL => Bound::Server,
            None if own_share >= FULL => Bound::Client,
            _ => Bound::Neither,
        };
        self.tracing.map_or(Ok(()), |tracing| tracing.stop(&mut outcome, messages))?;
        Ok(outcome)
    }
}

/// Puts the usual points of a latency distribution into the outcome.
pub(crate) fn delays(outcome: &mut Outcome, delays: &Histogram) {
    for (name, q) in [("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)] {
        outcome.set(name, delays.quantile(q) as f64 / 1e3);
    }
    outcome.set("max_us", delays.max() as f64 / 1e3);
}
