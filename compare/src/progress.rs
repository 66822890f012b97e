//! Tells what runs and how long is left.

use std::time::{Duration, Instant};

pub(crate) struct Progress {
    started: Instant,
    /// Seconds that all runs, and those done, were guessed to take.
    all: f64,
    done: f64,
    runs: usize,
    run: usize,
}

impl Progress {
    /// Of the runs that are left after those that were `made`.
    pub(crate) fn new(made: usize, guesses: impl Iterator<Item = f64>) -> Progress {
        let guesses: Vec<f64> = guesses.collect();
        let (all, runs) = (guesses.iter().sum(), made + guesses.len());
        Progress { started: Instant::now(), all, done: 0.0, runs, run: made }
    }

    pub(crate) fn begin(&mut self, what: &str, guess: f64) {
        self.run += 1;
        let left = self.left(self.started.elapsed()).as_secs();
        let (run, runs) = (self.run, self.runs);
        eprintln!("[{run:>4}/{runs}] {what:<52} {}:{:02} min left", left / 60, left % 60);
        self.done += guess;
    }

    /// The guesses that are left, corrected by how the first ones were wrong.
    fn left(&self, elapsed: Duration) -> Duration {
        let left = self.all - self.done;
        // A few seconds of trust in the guesses, so that the first run does not decide.
        let trust = 20.0;
        let pace = (elapsed.as_secs_f64() + trust) / (self.done + trust);
        Duration::from_secs_f64((left * pace).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_pace() {
        let mut progress = Progress::new(0, [100.0, 100.0].into_iter());
        assert_eq!(progress.left(Duration::ZERO).as_secs(), 200);
        progress.done = 100.0;
        assert_eq!(progress.left(Duration::from_secs(100)).as_secs(), 100);
        assert_eq!(progress.left(Duration::from_secs(220)).as_secs(), 200);
    }
}
