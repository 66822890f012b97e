//! The machine: which core is whose, and how many descriptors there are. Knows no peers.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;
use crate::wrong::Wrong;

/// Descriptors that are not clients, in the server and in the generator.
const OTHER_DESCRIPTORS: u64 = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) generator: usize,
    /// The same where there is one core only.
    pub(crate) server: usize,
    /// Those that a server may use: the one above, unless it is said otherwise.
    servers: CpuSet,
    /// Those that this program was started with.
    all: CpuSet,
    pub(crate) descriptors: u64,
}

impl Machine {
    /// Raises the descriptor limit, and moves this thread, and whom it starts, to the
    /// generator's core.
    pub(crate) fn take() -> Result<Machine> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        // Interrupts mostly come to the first core.
        let generator = cores.next().ok_or("no core to run on")?;
        let others: Vec<usize> = cores.collect();
        let apart = others.iter().find(|&&core| !share_a_core(generator, core));
        let server = *apart.or(others.first()).unwrap_or(&generator);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let limit = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            Ok(()) => maximum,
            Err(_) => current,
        };
        pin(generator)?;
        let descriptors = limit.unwrap_or(u64::MAX);
        Ok(Machine { generator, server, servers: one(server), all: allowed, descriptors })
    }

    /// The same with all cores for a server.
    pub(crate) fn wide(&self) -> Machine {
        Machine { servers: self.all, ..*self }
    }

    /// Clients that there are descriptors for.
    pub(crate) fn clients(&self) -> usize {
        self.descriptors.saturating_sub(OTHER_DESCRIPTORS) as usize
    }

    /// # Errors
    /// When something has more clients than there are descriptors.
    pub(crate) fn has_room(&self, name: &str, clients: usize) -> std::result::Result<(), Wrong> {
        let most = self.clients();
        if clients <= most {
            return Ok(());
        }
        Err(Wrong(format!(
            "{name} has {clients} clients and the limit on descriptors lets {most} in: raise it \
             with ulimit -n, or give --clients {most}"
        )))
    }

    /// How many a server may use.
    pub(crate) fn cores(&self) -> usize {
        self.servers.count() as usize
    }

    /// Runs `start` on the server's core: what it starts inherits it.
    pub(crate) fn on_server_core<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        sched_setaffinity(None, &self.servers)?;
        let started = start();
        pin(self.generator)?;
        Ok(started)
    }

    /// The same with the two cores in each other's place.
    pub(crate) fn turned(&self) -> Machine {
        let (generator, server) = (self.server, self.generator);
        Machine { generator, server, servers: one(server), ..*self }
    }

    /// Lets this thread, and whom it starts, run on both cores.
    pub(crate) fn unpin(&self) -> Result<()> {
        let mut cores = one(self.generator);
        cores.set(self.server);
        Ok(sched_setaffinity(None, &cores)?)
    }
}

/// How many cores this thread and a process may use, and the nanoseconds that these had nothing to do
/// since the machine started.
pub(crate) fn idle(process: u32) -> Result<(usize, u64)> {
    let both = [sched_getaffinity(None)?, sched_getaffinity(Pid::from_raw(process as i32))?];
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| both.iter().any(|set| set.is_set(core)));
    let cores: Vec<String> = cores.map(|core| format!("cpu{core}")).collect();
    Ok((cores.len(), idle_in(&fs::read_to_string("/proc/stat")?, &cores)))
}

/// The fourth and fifth figure, idle and waiting for a disk, are in hundredths of a second.
fn idle_in(stat: &str, cores: &[String]) -> u64 {
    let lines = stat.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let asked = lines.filter(|line| cores.iter().any(|core| line.first() == Some(&&**core)));
    let idle = asked.flat_map(|line| line.into_iter().skip(4).take(2));
    idle.filter_map(|it| it.parse::<u64>().ok()).sum::<u64>() * 10_000_000
}

/// Whether two are threads of one core, which then has half the speed for each.
fn share_a_core(one: usize, other: usize) -> bool {
    let siblings = |core| {
        let list = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        fs::read_to_string(list).ok()
    };
    siblings(one).is_some_and(|list| siblings(other).is_some_and(|other| other == list))
}

pub(crate) fn pin(core: usize) -> rustix::io::Result<()> {
    sched_setaffinity(None, &one(core))
}

fn one(core: usize) -> CpuSet {
    let mut cores = CpuSet::new();
    cores.set(core);
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cores_that_are_asked_for_are_idle() {
        let stat =
            "cpu 9 9 9 99 9 9\ncpu0 1 2 3 40 5 6 7\ncpu1 1 2 3 70 1 6 7\ncpu10 1 2 3 9 9\nintr 1\n";
        assert_eq!(idle_in(stat, &["cpu0".into()]), 450_000_000);
        assert_eq!(idle_in(stat, &["cpu0", "cpu1"].map(str::to_owned)), 1_160_000_000);
    }
}
