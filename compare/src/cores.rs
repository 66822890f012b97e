//! How far apart the server's core and the generator's are.
//!
//! The host of a virtual machine moves its cores. Where they stop sharing a cache, all that the
//! server and the generator hand each other costs several times as much: an echo took 4.2 µs of
//! CPU instead of 1.55. Where they become two threads of one core, what they hand each other is
//! cheap, and each has half of the core. Either run compares with no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::{Machine, pin};
use crate::results::{Outcome, Sample};
use crate::stats::spread;

/// Cores were moved when they are so many times as far from each other as usual, or as near: within
/// a cache it varied by 1.6, from one cache to the next it was 3 to 6 times as far, and a third
/// within one core.
const MOVED: f64 = 2.0;

/// A run is made so often, at most, to have it with cores where they usually are.
const TRIES: usize = 4;

/// Looks at how far the cores are, before the first run, and the time between two.
const LOOKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Round trips of one series, and series of one look.
const ROUNDS: u32 = 200;
const SERIES: usize = 11;

pub(crate) struct Cores {
    machine: Machine,
    /// Nanoseconds, of all looks.
    seen: Vec<f64>,
    /// Time that is left for waiting, and for runs that do not count.
    patience: Duration,
}

impl Cores {
    /// `made` are the runs that these go on with.
    pub(crate) fn new(machine: &Machine, patience: Duration, made: &[Sample]) -> Result<Cores> {
        let seen = made.iter().flat_map(during).collect();
        let mut cores = Cores { machine: *machine, seen, patience };
        for _ in 0..LOOKS {
            cores.look()?;
            std::thread::sleep(PAUSE);
        }
        Ok(cores)
    }

    /// Waits until the cores are where they usually are and makes the run; again if they did not
    /// stay there. The last one counts.
    pub(crate) fn together(&mut self, mut run: impl FnMut() -> Outcome) -> Result<Outcome> {
        let mut tried = 0;
        loop {
            let (before, started) = (self.wait()?, Instant::now());
            let mut outcome = run();
            let after = self.look()?;
            outcome.set(BEFORE, before);
            outcome.set(AFTER, after);
            tried += 1;
            let is_good =
                outcome.fault.is_some() || ![before, after].iter().any(|it| self.is_moved(*it));
            if is_good || tried == TRIES || self.patience.is_zero() {
                return Ok(outcome);
            }
            self.patience = self.patience.saturating_sub(started.elapsed());
        }
    }

    /// Each look counts for what is usual: where the cores stay elsewhere, that is usual in the end.
    fn wait(&mut self) -> Result<f64> {
        let started = Instant::now();
        let mut now = self.look()?;
        while self.is_moved(now) && started.elapsed() < self.patience {
            std::thread::sleep(PAUSE);
            now = self.look()?;
        }
        self.patience = self.patience.saturating_sub(started.elapsed());
        Ok(now)
    }

    fn look(&mut self) -> Result<f64> {
        let distance = distance(&self.machine)?;
        self.seen.push(distance);
        Ok(distance)
    }

    fn is_moved(&self, distance: f64) -> bool {
        is_moved(distance, usual(self.seen.clone()))
    }
}

/// What the distances around a run are called among its figures.
const BEFORE: &str = "cores_ns";
const AFTER: &str = "cores_after_ns";

/// Marks the runs whose cores were elsewhere than in most.
pub(crate) fn mark(samples: &mut [Sample]) {
    let usual = usual(samples.iter().flat_map(during).collect());
    for sample in samples {
        sample.outcome.apart = during(sample).any(|distance| is_moved(distance, usual));
    }
}

/// The median; of as many as are elsewhere the less, since cores are rather moved apart.
fn usual(mut distances: Vec<f64>) -> f64 {
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

fn during(sample: &Sample) -> impl Iterator<Item = f64> + use<> {
    [BEFORE, AFTER].map(|key| sample.outcome.get(key)).into_iter().flatten()
}

/// Never where the two are one core, and both distances 0.
fn is_moved(distance: f64, usual: f64) -> bool {
    distance > usual * MOVED || distance * MOVED < usual
}

/// Nanoseconds that a cache line takes from the generator's core to the server's and back; 0
/// where they are one.
pub(crate) fn distance(machine: &Machine) -> Result<f64> {
    if machine.server == machine.generator {
        return Ok(0.0);
    }
    let (line, done) = (Arc::new(Line::default()), Arc::new(AtomicBool::new(false)));
    let (theirs, ended, core) = (line.clone(), done.clone(), machine.server);
    let answering = std::thread::spawn(move || {
        let pinned = pin(core);
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

    /// Which of so many runs are marked that have these distances before and after them.
    fn marked<const N: usize>(distances: [[f64; 2]; N]) -> [bool; N] {
        let mut samples = made_up::results().samples;
        samples.truncate(N);
        for (sample, [before, after]) in samples.iter_mut().zip(distances) {
            sample.outcome.set(BEFORE, before);
            sample.outcome.set(AFTER, after);
        }
        mark(&mut samples);
        std::array::from_fn(|at| samples[at].outcome.apart)
    }

    #[test]
    fn runs_whose_cores_were_elsewhere_than_in_most_are_marked() {
        let far = [[95.0, 140.0], [110.0, 140.0], [380.0, 110.0], [120.0, 540.0]];
        assert_eq!(marked(far), [false, false, true, true]);
        let near = [[170.0, 140.0], [48.0, 140.0], [200.0, 130.0]];
        assert_eq!(marked(near), [false, true, false]);
        assert_eq!(marked([[140.0, 140.0], [500.0, 500.0]]), [false, true]);
        assert_eq!(marked([[0.0; 2]; 3]), [false; 3]);
    }

    #[test]
    fn where_cores_stay_elsewhere_that_is_usual_in_the_end() {
        let seen = [[400.0; 10], [140.0; 10]].concat();
        assert!(is_moved(400.0, usual(seen)));
    }
}
