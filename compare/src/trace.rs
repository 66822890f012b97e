//! Counts a server's system calls by name, with `perf trace -s` or `strace -c`, where the
//! machine allows either.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::results::Outcome;

/// Time a tracer has for attaching: neither tells when it has.
const ATTACH: Duration = Duration::from_millis(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tool {
    Perf,
    Strace,
}

impl Tool {
    /// The first tool that can count the system calls of another process here.
    pub(crate) fn find() -> Option<Tool> {
        [Tool::Perf, Tool::Strace].into_iter().find(|tool| tool.works().unwrap_or(false))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Perf => "perf trace -s",
            Tool::Strace => "strace -c -f -q",
        }
    }

    fn works(self) -> Result<bool> {
        let mut victim = Command::new("sleep").arg("5").stdin(Stdio::null()).spawn()?;
        let counted = Tracing::start(self, victim.id()).and_then(|tracing| {
            // Its end makes a system call for the table.
            victim.kill()?;
            let _status = victim.wait()?;
            tracing.counts()
        });
        let _gone_already = victim.kill();
        let _status = victim.wait()?;
        Ok(counted.is_ok())
    }
}

pub(crate) struct Tracing {
    tool: Tool,
    child: Child,
    table: PathBuf,
}

impl Tracing {
    pub(crate) fn start(tool: Tool, pid: u32) -> Result<Tracing> {
        let table = std::env::temp_dir().join(format!("compare-trace-{pid}"));
        let mut words = tool.name().split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("-p").arg(pid.to_string()).arg("-o").arg(&table);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        std::thread::sleep(ATTACH);
        Ok(Tracing { tool, child, table })
    }

    /// Puts the calls per message into the outcome, as `call:NAME`.
    pub(crate) fn stop(self, outcome: &mut Outcome, messages: u64) -> Result<()> {
        for (name, calls) in self.counts()? {
            outcome.set(&format!("call:{name}"), calls as f64 / messages.max(1) as f64);
        }
        Ok(())
    }

    fn counts(mut self) -> Result<BTreeMap<String, u64>> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _gone_already = kill_process(pid, Signal::INT);
        }
        let _status = self.child.wait()?;
        let text = fs::read_to_string(&self.table)?;
        let _left_behind = fs::remove_file(&self.table);
        if text.contains("LOST") {
            return Err("the tracer lost events".into());
        }
        let counts = table(self.tool, &text);
        if counts.is_empty() { Err("the tracer counted nothing".into()) } else { Ok(counts) }
    }
}

/// Calls by name, summed over threads.
fn table(tool: Tool, text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut within = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (Some(first), Some(last)) = (fields.first(), fields.last()) else {
            within &= tool == Tool::Strace;
            continue;
        };
        if first.starts_with("---") {
            within = !within || tool == Tool::Perf;
            continue;
        }
        let (name, calls) = match tool {
            Tool::Perf => (first, fields.get(1)),
            Tool::Strace => (last, fields.get(3)),
        };
        if let Some(calls) = calls.filter(|_| within).and_then(|calls| calls.parse::<u64>().ok()) {
            *counts.entry((*name).to_owned()).or_default() += calls;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tools_tables_are_read() {
        let perf = "\n Summary of events:\n\n chat (11), 109 events, 48.7%\n\n   syscall  calls  errors  total\n            (msec)\n   --------------- --------  ------ --------\n   epoll_wait   10   0  1.0 0.1\n   sendto       90   0  9.0 0.1\n\n\n worker (12), 9 events\n\n   syscall\n   --------------- ----\n   sendto  5 0 1.0\n";
        let counts = table(Tool::Perf, perf);
        assert_eq!(counts.get("sendto"), Some(&95));
        assert_eq!(counts.len(), 2);
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ------\n 50.00    0.000100           1        30        13 recvfrom\n 50.00    0.000100           1       100           sendto\n------ ----------- ----------- --------- --------- ------\n100.00    0.000200           1       130        13 total\n";
        let counts = table(Tool::Strace, strace);
        assert_eq!(counts.get("recvfrom"), Some(&30));
        assert_eq!(counts.len(), 2);
    }
}
