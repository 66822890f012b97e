//! What the kernel says of a server's process: CPU, switches, threads, memory, descriptors.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Result;

/// One tick of utime and stime, in nanoseconds: USER_HZ is 100 on every Linux.
const TICK: u64 = 10_000_000;

/// Places of a process's state, group, and user and system times in its status, behind its name.
const STATE: usize = 0;
const GROUP: usize = 2;
const TIMES: usize = 11;

#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

/// Since the process started; the threads it has now, summed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Nanoseconds on a core.
    pub(crate) cpu: u64,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
    pub(crate) threads: u64,
    /// User and system time of the whole process, of threads that ended too.
    ticks: u64,
}

impl Process {
    pub(crate) fn usage(self) -> Result<Usage> {
        let mut usage = Usage { ticks: self.ticks()?, ..Usage::default() };
        for task in fs::read_dir(self.path("task"))? {
            // A thread may end between the listing and the look.
            let task = task?.path();
            let Ok(cpu) = schedstat(&task) else { continue };
            let Ok(status) = fs::read_to_string(task.join("status")) else { continue };
            usage.cpu += cpu;
            usage.voluntary += field(&status, "voluntary_ctxt_switches:")?;
            usage.involuntary += field(&status, "nonvoluntary_ctxt_switches:")?;
            usage.threads += 1;
        }
        Ok(usage)
    }

    /// Waits until the server has used next to no CPU for a while, but not for ever.
    pub(crate) fn settle(self, quiet: Duration) -> Result<()> {
        let deadline = Instant::now() + quiet * 40;
        let (mut last, mut since) = (self.ticks()?, Instant::now());
        while since.elapsed() < quiet && Instant::now() < deadline {
            std::thread::sleep(quiet / 5);
            let ticks = self.ticks()?;
            if ticks != last {
                (last, since) = (ticks, Instant::now());
            }
        }
        Ok(())
    }

    /// RSS and PSS in KiB, counted page by page: VmRSS errs by a batch for each core.
    pub(crate) fn memory(self) -> Result<(f64, f64)> {
        let rollup = fs::read_to_string(self.path("smaps_rollup"))?;
        Ok((field(&rollup, "Rss:")? as f64, field(&rollup, "Pss:")? as f64))
    }

    pub(crate) fn descriptors(self) -> usize {
        // Since Linux 6.2 the directory's size is the count; before, it is 0.
        let size = fs::metadata(self.path("fd")).map_or(0, |meta| meta.len() as usize);
        if size > 0 { size } else { fs::read_dir(self.path("fd")).map_or(0, Iterator::count) }
    }

    pub(crate) fn alive(self) -> bool {
        self.stat().is_ok_and(|stat| !["Z", "X"].contains(&&*stat[STATE]))
    }

    /// How many processes are in the group that it leads, itself among them.
    pub(crate) fn group(self) -> usize {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let stats = pids.filter_map(|pid| Process(pid).stat().ok());
        stats.filter(|stat| stat[STATE] != "Z" && stat[GROUP] == self.0.to_string()).count()
    }

    fn ticks(self) -> Result<u64> {
        let stat = self.stat()?;
        Ok(stat[TIMES].parse::<u64>()? + stat[TIMES + 1].parse::<u64>()?)
    }

    /// The fields behind its name.
    fn stat(self) -> Result<Vec<String>> {
        let stat = fs::read_to_string(self.path("stat"))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no process status")?;
        Ok(fields.split_ascii_whitespace().map(str::to_owned).collect())
    }

    fn path(self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0)
    }
}

impl Usage {
    pub(crate) fn since(&self, earlier: &Usage) -> Usage {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        let cpu = self.cpu.saturating_sub(earlier.cpu);
        // Threads that ended took their schedstat with them; the process's own times did not.
        let cpu = if ticks * TICK > cpu + 3 * TICK { ticks * TICK } else { cpu };
        Usage {
            cpu,
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
            threads: self.threads,
            ticks,
        }
    }
}

/// CPU nanoseconds of the calling thread.
pub(crate) fn own_cpu() -> Result<u64> {
    schedstat(Path::new("/proc/thread-self"))
}

fn schedstat(task: &Path) -> Result<u64> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let cpu = text.split_ascii_whitespace().next().ok_or("no CPU time in /proc")?;
    Ok(cpu.parse()?)
}

/// The number that stands behind a key in a file of /proc.
pub(crate) fn field(text: &str, key: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let value = value.and_then(|value| value.split_ascii_whitespace().next());
    Ok(value.ok_or("no such figure in /proc")?.parse()?)
}
