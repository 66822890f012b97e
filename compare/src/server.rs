//! A peer's process: started on its core and a port of its own, killed when dropped.

use std::fs::{self, File};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;

use crate::Result;
use crate::machine::Machine;
use crate::peers::{self, Peer, Start};
use crate::port;
use crate::running;
use crate::tcp;
use crate::workload::Program;

/// Time a server has for listening.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Its standard error.
    log: PathBuf,
}

impl Server {
    /// Starts the peer and waits until it listens.
    pub(crate) fn start(machine: &Machine, peer: &Peer, program: Program) -> Result<Server> {
        Server::start_at(machine, peer, program, port::free_address(), &[])
    }

    /// The same at this address, which may be of another host, and with options of its own.
    pub(crate) fn start_at(
        machine: &Machine,
        peer: &Peer,
        program: Program,
        address: SocketAddr,
        options: &[&str],
    ) -> Result<Server> {
        Server::spawn(machine, peer, program, address, options)?.listening()
    }

    /// The same of ours, with these options alone, in the package's folder. What it says is thrown
    /// away: a flood of signals would fill a file.
    pub(crate) fn start_ours(
        machine: &Machine,
        peer: &Peer,
        program: Program,
        options: &[&str],
    ) -> Result<Server> {
        let address = port::free_address();
        let mut command = peer.plain(program, address);
        if let (Program::Chat, Start::Ours(_, own)) = (program, peer.start) {
            command.args(own);
        }
        command.args(options).current_dir(peers::above()).stderr(Stdio::null());
        Server::run(machine, command, address)?.listening()
    }

    fn listening(mut self) -> Result<Server> {
        let deadline = Instant::now() + PATIENCE;
        while !self.listens() {
            self.check(deadline)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(self)
    }

    /// From before the process is spawned to the first byte that a client reads.
    pub(crate) fn time_start(machine: &Machine, peer: &Peer, program: Program) -> Result<Duration> {
        let started = Instant::now();
        let mut server = Server::spawn(machine, peer, program, port::free_address(), &[])?;
        loop {
            if let Ok(mut stream) = TcpStream::connect(server.address) {
                stream.set_read_timeout(Some(PATIENCE))?;
                if stream.read(&mut [0])? == 0 {
                    return Err("it closed the first connection".into());
                }
                return Ok(started.elapsed());
            }
            server.check(started + PATIENCE)?;
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// # Errors
    /// With what it said last, once it has ended.
    pub(crate) fn runs(&mut self) -> Result<()> {
        let Some(ended) = self.child.try_wait()? else { return Ok(()) };
        let without = match ended.success() {
            true => "it ended by itself: a server must stay in the foreground",
            false => "it ended without a word",
        };
        Err(self.last_words().unwrap_or_else(|| without.into()).into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last line on its standard error.
    pub(crate) fn last_words(&self) -> Option<String> {
        let log = fs::read_to_string(&self.log).ok()?;
        let last = log.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(last.to_owned())
    }

    fn spawn(
        machine: &Machine,
        peer: &Peer,
        program: Program,
        address: SocketAddr,
        options: &[&str],
    ) -> Result<Server> {
        let mut command = peer.command(program, address);
        command.args(options).stderr(File::create(log_of(address))?);
        Server::run(machine, command, address)
    }

    fn run(machine: &Machine, mut command: Command, address: SocketAddr) -> Result<Server> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // A crowd of this thread waits exactly, and a server must not inherit that.
        set_current_timer_slack(None)?;
        let child = machine.on_server_core(|| running::start(&mut command))?;
        let program = command.get_program().to_string_lossy();
        let child = child.map_err(|error| format!("'{program}' cannot be started: {error}"))?;
        Ok(Server { child, address, log: log_of(address) })
    }

    /// The listening socket, as the kernel lists it: connecting would be a client too many.
    fn listens(&self) -> bool {
        let sockets = tcp::sockets(self.address.port()).unwrap_or_default();
        sockets.iter().any(|socket| socket.listens)
    }

    /// # Errors
    /// As [`Server::runs`], and after the deadline.
    fn check(&mut self, deadline: Instant) -> Result<()> {
        self.runs().map_err(|why| format!("it ended before it listened: {why}"))?;
        if Instant::now() > deadline {
            let (port, patience) = (self.address.port(), PATIENCE.as_secs());
            return Err(format!("it does not listen on port {port} after {patience} s").into());
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        running::end(&mut self.child);
        let _left_behind = fs::remove_file(&self.log);
    }
}

fn log_of(address: SocketAddr) -> PathBuf {
    std::env::temp_dir().join(format!("compare-{}", address.port()))
}
