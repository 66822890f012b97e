//! Signals to a server: floods of SIGUSR1, floods of stops, and stops that last.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::stats::Dice;

/// Signals between two steps of the clients, at most.
const BURST: usize = 12;

/// Sends them between any two steps of the clients: what is wrong with a signal and a byte at the
/// same moment would seldom meet a thread that shares the clients' core.
pub(crate) struct Signals {
    pid: Pid,
    dice: Dice,
    /// What is sent until then.
    kind: usize,
    until: Instant,
    /// When the server is to be continued, while it is stopped.
    stopped: Option<Instant>,
    pub(crate) sent: u64,
}

impl Signals {
    pub(crate) fn new(pid: u32, seed: u64) -> Result<Signals> {
        let pid = Pid::from_raw(pid as i32).ok_or("no process to send signals to")?;
        let (until, stopped, sent) = (Instant::now(), None, 0);
        Ok(Signals { pid, dice: Dice(seed), kind: 0, until, stopped, sent })
    }

    pub(crate) fn strike(&mut self, now: Instant) {
        if let Some(resumes) = self.stopped {
            if now >= resumes {
                self.end();
            }
            return;
        }
        if now >= self.until {
            self.until = now + Duration::from_millis(20 + self.dice.below(200) as u64);
            self.kind = self.dice.below(4);
        }
        let burst = 0..self.dice.below(BURST);
        match self.kind {
            0 => burst.for_each(|_| self.send(&[Signal::USR1])),
            1 => burst.for_each(|_| self.send(&[Signal::STOP, Signal::CONT])),
            2 if self.dice.one_in(200) => {
                self.send(&[Signal::STOP]);
                self.stopped = Some(now + Duration::from_micros(self.dice.below(20_000) as u64));
            }
            _ => {}
        }
    }

    /// Leaves the server running.
    pub(crate) fn end(&mut self) {
        self.stopped = None;
        self.send(&[Signal::CONT]);
    }

    fn send(&mut self, signals: &[Signal]) {
        for signal in signals {
            // Its clients notice when it is gone.
            let _gone = kill_process(self.pid, *signal);
            self.sent += 1;
        }
    }
}
