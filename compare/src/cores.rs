//! How far apart the server's core and the generator's are.
//!
//! The host of a virtual machine moves its cores. Where they stop sharing a cache, all that the
//! server and the generator hand each other costs several times as much: an echo took 4.2 µs of
//! CPU instead of 1.55. Such a run compares with no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::{Machine, pin};
use crate::results::{Outcome, Sample};
use crate::stats::spread;

/// Cores are apart from so many times the least distance on: within a cache it varied by 1.6, and
/// from one cache to the next it was 3 to 6 times as far.
const APART: f64 = 2.0;

/// A run is made so often, at most, to have it with cores that are together.
const TRIES: usize = 4;

/// Between two looks at how far the cores are.
const PAUSE: Duration = Duration::from_millis(50);

/// Round trips of one series, and series of one look.
const ROUNDS: u32 = 200;
const SERIES: usize = 11;

pub(crate) struct Cores {
    machine: Machine,
    /// Nanoseconds, the least of all looks.
    least: f64,
    /// Time that is left for waiting, and for runs that do not count.
    patience: Duration,
}

impl Cores {
    /// `made` are the runs that these go on with.
    pub(crate) fn new(machine: &Machine, patience: Duration, made: &[Sample]) -> Result<Cores> {
        let mut cores = Cores { machine: *machine, least: least(made), patience };
        for _ in 0..10 {
            cores.look()?;
            std::thread::sleep(PAUSE);
        }
        Ok(cores)
    }

    /// Waits until the cores are together and makes the run; again if they did not stay so. The
    /// last one counts.
    pub(crate) fn together(&mut self, mut run: impl FnMut() -> Outcome) -> Result<Outcome> {
        let mut tried = 0;
        loop {
            let (before, started) = (self.wait()?, Instant::now());
            let mut outcome = run();
            let distance = before.max(self.look()?);
            outcome.set(DISTANCE, distance);
            tried += 1;
            let good = outcome.fault.is_some() || !is_apart(distance, self.least);
            if good || tried == TRIES || self.patience.is_zero() {
                return Ok(outcome);
            }
            self.patience = self.patience.saturating_sub(started.elapsed());
        }
    }

    fn wait(&mut self) -> Result<f64> {
        let started = Instant::now();
        let mut distance = self.look()?;
        while is_apart(distance, self.least) && started.elapsed() < self.patience {
            std::thread::sleep(PAUSE);
            distance = self.look()?;
        }
        self.patience = self.patience.saturating_sub(started.elapsed());
        Ok(distance)
    }

    fn look(&mut self) -> Result<f64> {
        let distance = distance(&self.machine)?;
        self.least = self.least.min(distance);
        Ok(distance)
    }
}

/// What the distance during a run is called among its figures.
const DISTANCE: &str = "cores_ns";

/// Marks the runs whose cores were apart.
pub(crate) fn mark(samples: &mut [Sample]) {
    let least = least(samples);
    for sample in samples {
        sample.outcome.apart = during(sample).is_some_and(|distance| is_apart(distance, least));
    }
}

fn least(samples: &[Sample]) -> f64 {
    samples.iter().filter_map(during).fold(f64::INFINITY, f64::min)
}

fn during(sample: &Sample) -> Option<f64> {
    sample.outcome.metrics.get(DISTANCE).copied()
}

/// Never where the two are one core, and both distances 0.
fn is_apart(distance: f64, least: f64) -> bool {
    distance > least * APART
}

/// Nanoseconds that a cache line takes from the generator's core to the server's and back; 0
/// where they are one.
pub(crate) fn distance(machine: &Machine) -> Result<f64> {
    if machine.server == machine.generator {
        return Ok(0.0);
    }
    let (line, done) = (Arc::new(Line::default()), Arc::new(AtomicBool::new(false)));
    let (theirs, ended, core) = (line.clone(), done.clone(), machine.server);
    let answering = std::thread::spawn(move || -> std::result::Result<(), String> {
        let pinned = pin(core).map_err(|error| error.to_string());
        while !ended.load(Ordering::Relaxed) {
            if theirs.0.load(Ordering::Acquire) {
                theirs.0.store(false, Ordering::Release);
            }
        }
        pinned
    });
    let nanos = (0..SERIES).map(|_| {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            line.0.store(true, Ordering::Release);
            while line.0.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        }
        started.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    });
    let nanos = spread(nanos).ok_or("nothing measured")?.median;
    done.store(true, Ordering::Relaxed);
    answering.join().map_err(|_| "the answering thread panicked")??;
    Ok(nanos)
}

/// Alone in its cache line, and in the one that is fetched with it.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicBool);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn runs_whose_cores_were_apart_are_marked() {
        let mut samples = made_up::results().samples;
        samples.truncate(4);
        let mut marked = |distances: [f64; 4]| -> Vec<bool> {
            for (sample, distance) in samples.iter_mut().zip(distances) {
                sample.outcome.set(DISTANCE, distance);
            }
            mark(&mut samples);
            samples.iter().map(|sample| sample.outcome.apart).collect()
        };
        assert_eq!(marked([95.0, 140.0, 380.0, 540.0]), [false, false, true, true]);
        assert_eq!(marked([0.0; 4]), [false; 4]);
    }
}
