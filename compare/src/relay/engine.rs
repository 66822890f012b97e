//! The engine that the servers share: a Redis of its own, on a unix socket in a scratch folder,
//! which keeps its log when it is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::peers::output;
use crate::process::Process;
use crate::running;
use crate::wrong::Wrong;

/// Time in which it answers, and all servers are there.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Engine {
    child: Child,
    folder: PathBuf,
}

impl Engine {
    pub(super) fn start() -> Result<Engine> {
        let folder = std::env::temp_dir().join(format!("compare-relay-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Engine { child: spawn(&folder)?, folder })
    }

    /// As the chat's `--relay` takes it.
    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.folder.join("socket").display())
    }

    pub(super) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Stops it, or has it go on.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    pub(super) fn kill(&mut self) {
        running::end(&mut self.child);
    }

    /// Starts it again, with the log it had when it was killed.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.folder)?;
        Ok(())
    }

    /// Waits until so many servers share the room.
    pub(super) fn await_servers(&self, count: usize) -> Result<()> {
        let socket = self.folder.join("socket");
        let deadline = Instant::now() + PATIENCE;
        // One that is stuck would not answer either.
        let mut ask = Command::new("timeout");
        ask.arg(PATIENCE.as_secs().to_string()).args(["redis-cli", "-s"]).arg(socket);
        ask.args(["hlen", "room:lobby:servers"]);
        loop {
            match output(&mut ask) {
                Some(reply) if reply == count.to_string() => return Ok(()),
                _ if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Some(reply) => {
                    return Err(format!("not all servers share the room: {reply}").into());
                }
                None => {
                    return Err("the engine does not answer redis-cli; is that installed?".into());
                }
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
        let _left_behind = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path) -> Result<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "yes"]);
    command.current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let missing = |error| Wrong(format!("redis-server cannot be started ({error}); install it"));
    Ok(running::start(&mut command).map_err(missing)?)
}
