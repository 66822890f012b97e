//! How long something took, each time.

use std::time::Duration;

/// One wait in so many may be slow: it may have met a busy machine.
const ONE_IN: usize = 20;

/// None is as long as this, or somebody waited for somebody else.
const WORST: Duration = Duration::from_secs(2);

pub(crate) struct Waits {
    prompt: Duration,
    all: Vec<Duration>,
}

impl Waits {
    /// Waits that are to be no longer than `prompt`.
    pub(crate) fn within(prompt: Duration) -> Waits {
        Waits { prompt, all: Vec::new() }
    }

    pub(crate) fn add(&mut self, took: Duration) {
        self.all.push(took);
    }

    #[track_caller]
    pub(crate) fn check(self) {
        let slow: Vec<_> = self.all.iter().filter(|took| **took > self.prompt).collect();
        assert!(
            slow.len() <= self.all.len() / ONE_IN + 1 && slow.iter().all(|took| **took < WORST),
            "of {} waits these took more than {:?}: {slow:?}",
            self.all.len(),
            self.prompt
        );
    }
}
