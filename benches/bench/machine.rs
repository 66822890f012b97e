//! The machine the stats are from: which core is whose, how many clients fit, and its name.

use std::fmt;
use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// Clients of the large scenarios, where descriptors allow.
const CROWD: usize = 10_000;

/// Descriptors that are not clients, in the server and here.
const OTHER_DESCRIPTORS: u64 = 64;

pub(crate) struct Machine {
    /// Core of the load.
    load: usize,
    /// Core of the server; the same where there is one only.
    server: usize,
    /// Clients of the large scenarios.
    pub(crate) crowd: usize,
}

impl Machine {
    /// Raises the descriptor limit, and moves this thread to the load's core.
    pub(crate) fn take() -> Result<Machine> {
        let allowed = sched_getaffinity(None)?;
        let cores: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).take(2).collect();
        // Interrupts mostly come to the first core.
        let load = *cores.first().ok_or("no core to run on")?;
        let server = *cores.last().unwrap_or(&load);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let limit = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            Ok(()) => maximum,
            Err(_) => current,
        };
        let fit = limit.map_or(CROWD as u64, |limit| limit.saturating_sub(OTHER_DESCRIPTORS));
        pin(load)?;
        Ok(Machine { load, server, crowd: CROWD.min(fit as usize) })
    }

    /// Runs `start` on the server's core: what it starts inherits it.
    pub(crate) fn on_server_core<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        pin(self.server)?;
        let started = start();
        pin(self.load)?;
        Ok(started)
    }
}

fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map_or("unknown CPU", |model| model.trim_start_matches(['\t', ':', ' ']));
        let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
        let kernel = read("/proc/sys/kernel/osrelease");
        let rustc = output("rustc", &["--version"]);
        let commit = output("git", &["describe", "--always", "--dirty", "--exclude", "*"]);
        let kernel = kernel.trim();
        writeln!(f, "{model}, {cores} cores, Linux {kernel}, {rustc}, commit {commit}")?;
        if self.load == self.server {
            writeln!(f, "ONE CORE ONLY: server and load share it, stats are not comparable")?;
        } else {
            writeln!(f, "server on core {}, load on core {}", self.server, self.load)?;
        }
        if self.crowd < CROWD {
            let crowd = self.crowd;
            writeln!(f, "SCALED DOWN to {crowd} clients of {CROWD}: see ulimit -Hn")?;
        }
        Ok(())
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}
