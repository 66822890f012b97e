//! A server under measurement: its process, and what the kernel says of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::Machine;

/// The programs, and what cargo built of them.
pub(crate) const PROGRAMS: [(&str, &str); 3] = [
    ("echo", env!("CARGO_BIN_EXE_echo")),
    ("time", env!("CARGO_BIN_EXE_time")),
    ("chat", env!("CARGO_BIN_EXE_chat")),
];

/// The binary that is measured: cargo's, or the one in the directory `BENCH_SERVERS` names.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let built = PROGRAMS.iter().find(|program| program.0 == name).ok_or("no such program")?.1;
    Ok(std::env::var_os("BENCH_SERVERS").map_or(built.into(), |dir| Path::new(&dir).join(name)))
}

/// Time after which something awaited counts as missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Time without any CPU used after which a server has settled.
const SETTLED: Duration = Duration::from_millis(300);

/// Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a server has used since it started.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// The server, or the load, could run and another program had the core.
    pub(crate) waited: Duration,
}

/// Kibibytes of memory.
pub(crate) struct Memory {
    pub(crate) rss: f64,
    pub(crate) pss: f64,
}

impl Server {
    /// Starts a program on a free port of its own, its log read and thrown away as it comes.
    pub(crate) fn start(machine: &Machine, name: &str, options: &[&str]) -> Result<Server> {
        let mut command = Command::new(binary(name)?);
        command.args(["--listen", "127.0.0.1:0"]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = machine.on_server_core(|| command.spawn())??;
        let log = child.stderr.take().ok_or("no standard error")?;
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(std::io::Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _nobody_waits = found.send(address.to_owned());
                }
                if line.contains("warning: ") || line.contains("error: ") {
                    eprintln!("  {line}");
                }
            }
        });
        let mut server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let address = address.recv_timeout(PATIENCE).map_err(|_| "server does not listen")?;
        server.address = address.parse()?;
        Ok(server)
    }

    /// Summed over its threads.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let mut usage = Usage { cpu: Duration::ZERO, ..thread_usage()? };
        for task in fs::read_dir(self.proc("task"))? {
            let task = schedstat(&task?.path())?;
            usage.cpu += task.cpu;
            usage.waited += task.waited;
        }
        Ok(usage)
    }

    /// Waits until it uses no CPU any more.
    pub(crate) fn settle(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut since) = (self.usage()?.cpu, Instant::now());
        while since.elapsed() < SETTLED {
            std::thread::sleep(SETTLED / 10);
            let cpu = self.usage()?.cpu;
            if cpu != last {
                (last, since) = (cpu, Instant::now());
            }
            if Instant::now() > deadline {
                return Err("server does not come to rest".into());
            }
        }
        Ok(())
    }

    /// Memory now, counted page by page: VmRSS in `status` errs by a batch for each core.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let rollup = fs::read_to_string(self.proc("smaps_rollup"))?;
        Ok(Memory { rss: kibibytes(&rollup, "Rss:")?, pss: kibibytes(&rollup, "Pss:")? })
    }

    /// The most RSS it ever had, in KiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        kibibytes(&fs::read_to_string(self.proc("status"))?, "VmHWM:")
    }

    /// Connections whose client leaves at least `bytes` in the server's send queue.
    pub(crate) fn stuck(&self, bytes: usize) -> Result<usize> {
        let port = format!(":{:04X}", self.address.port());
        let table = fs::read_to_string("/proc/net/tcp")?;
        let queued = table.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next()?;
            let (sending, _) = fields.nth(2)?.split_once(':')?;
            let sending = usize::from_str_radix(sending, 16).ok()?;
            (local.ends_with(&port)).then_some(sending)
        });
        Ok(queued.filter(|&queued| queued >= bytes).count())
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, earlier: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}

/// Of this thread alone.
pub(crate) fn thread_usage() -> Result<Usage> {
    schedstat(Path::new("/proc/thread-self"))
}

/// Of one thread; its CPU in nanoseconds, where `stat` counts in ticks.
fn schedstat(task: &Path) -> Result<Usage> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let mut fields = text.split_ascii_whitespace().map(str::parse);
    let mut next = || fields.next().unwrap_or(Ok(0)).map(Duration::from_nanos);
    Ok(Usage { cpu: next()?, waited: next()? })
}

fn kibibytes(text: &str, key: &str) -> Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let value = value.and_then(|value| value.split_ascii_whitespace().next());
    Ok(value.ok_or("no such figure in /proc")?.parse()?)
}
