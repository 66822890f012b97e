//! A server's real binary, run by a test and ended by its end.

use std::collections::BTreeMap;
use std::fs::{DirEntry, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use super::{Client, PATIENCE, eventually, sockets, take_turn};

/// A running server on a loopback port of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: mpsc::Receiver<String>,
}

impl Server {
    pub(crate) fn start(name: &str, options: &[&str]) -> Server {
        Server::start_command(Command::new(binary(name)).args(options))
    }

    /// Starts a command that ends in running a server, for one that needs a shell around it.
    pub(crate) fn start_command(command: &mut Command) -> Server {
        Server::start_listening(command, "127.0.0.1:0")
    }

    /// As [`start_command`](Self::start_command), on an address that tests seldom use.
    pub(crate) fn start_listening(command: &mut Command, listen: &str) -> Server {
        let mut server = Server::start_as_told(listening(command, listen));
        server.address = server.listens();
        server
    }

    /// Starts a command that says itself where to listen, if anywhere: the address is not known.
    pub(crate) fn start_as_told(command: &mut Command) -> Server {
        let mut child = spawn(command.stderr(Stdio::piped()));
        let log = follow(child.stderr.take().expect("stderr is piped"));
        Server { child, address: SocketAddr::from(([0; 4], 0)), log }
    }

    /// Starts a server whose log nobody here reads, and which cannot say where it listens: on a
    /// port that was free a moment ago, or else on another one.
    pub(crate) fn start_unheard(command: impl Fn() -> Command) -> Server {
        loop {
            let address = free_address();
            let child = spawn(listening(&mut command(), &address.to_string()));
            let mut server = Server { child, address, log: mpsc::channel().1 };
            if server.accepts() {
                return server;
            }
        }
    }

    /// Waits until it accepts; false when it has ended instead.
    fn accepts(&mut self) -> bool {
        let mut ended = false;
        eventually("accepting", || {
            ended = self.child.try_wait().expect("a child").is_some();
            ended || TcpStream::connect(self.address).is_ok()
        });
        !ended
    }

    /// The next address it says it listens on.
    #[track_caller]
    pub(crate) fn listens(&self) -> SocketAddr {
        let line = self.logged("listening on ");
        let address = line.rsplit("listening on ").next().unwrap_or_default();
        address.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().expect("an address")
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// A client that takes only a few KiB it does not read.
    pub(crate) fn small_client(&self) -> Client {
        Client::connect_small(self.address)
    }

    /// A client of the chat that has read its welcome and `others` have read of its coming.
    #[track_caller]
    pub(crate) fn guest(&self, others: &mut [&mut Client]) -> Client {
        self.guest_over(self.client(), others)
    }

    /// The same, over a connection made already.
    #[track_caller]
    pub(crate) fn guest_over(&self, mut guest: Client, others: &mut [&mut Client]) -> Client {
        let welcome = guest.line();
        let name = welcome.strip_prefix("*** welcome, you are ").expect("a welcome");
        guest.name = name.split('.').next().unwrap_or_default().to_owned();
        for other in others {
            let line = other.line();
            assert!(line.starts_with(&format!("*** {} joined", guest.name)), "{line:?}");
        }
        guest
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server runs");
    }

    /// Stops the process, so that what comes next comes all at once when it [goes on](Self::go_on).
    pub(crate) fn hold(&self) {
        self.signal(Signal::STOP);
        eventually("stopping", || stat(&self.child, 0) == "T");
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// What it answers to SIGUSR1.
    #[track_caller]
    pub(crate) fn stats(&self) -> BTreeMap<String, u64> {
        self.signal(Signal::USR1);
        numbers(&self.logged("stats "))
    }

    /// Clients that leave output of the server unread.
    pub(crate) fn clients_behind(&self) -> usize {
        sockets(self.address).iter().filter(|socket| socket.unsent > 0).count()
    }

    /// Follows the log of a server that was started [unheard](Self::start_unheard).
    pub(crate) fn hear(&mut self, log: File) {
        self.log = follow(log);
    }

    /// The next log line that contains `text`.
    #[track_caller]
    pub(crate) fn logged(&self, text: &str) -> String {
        self.log_up_to(text).pop().expect("at least that line")
    }

    /// The log lines up to the next one that contains `text`.
    #[track_caller]
    pub(crate) fn log_up_to(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(text)) {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no log line with {text:?}: {lines:#?}"));
            lines.push(without_time(line));
        }
        lines
    }

    /// The log lines that are left, of a server that has ended.
    pub(crate) fn log_to_its_end(&self) -> Vec<String> {
        self.log.iter().map(without_time).collect()
    }

    /// Log lines that have come so far and were not asked for yet.
    pub(crate) fn log_so_far(&self) -> Vec<String> {
        self.log.try_iter().map(without_time).collect()
    }

    /// Waits for the server's end.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("ending", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// The names of its threads, sorted.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let name = |task: DirEntry| std::fs::read_to_string(task.path().join("comm"));
        let names = tasks.map(|task| name(task.expect("a thread")).expect("its name"));
        let mut names: Vec<String> = names.map(|name| name.trim_end().to_owned()).collect();
        names.sort();
        names
    }

    /// Processor time it has used.
    pub(crate) fn cpu(&self) -> Duration {
        // utime and stime, in USER_HZ, which is 100 on every architecture that runs this.
        let ticks = |field| stat(&self.child, field).parse::<u64>().expect("a number of ticks");
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    /// The number that the next descriptor it opens will have.
    pub(crate) fn next_descriptor(&self) -> u64 {
        let open = |number: &u64| {
            Path::new(&format!("/proc/{}/fd/{number}", self.child.id())).is_symlink()
        };
        (0..).find(|number| !open(number)).expect("a number")
    }

    /// A field of /proc/PID/status, such as VmRSS, in the unit it stands there (KiB).
    pub(crate) fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let value = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no {field} in {status}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// The path of a server's binary.
pub(crate) fn binary(name: &str) -> &'static str {
    match name {
        "echo" => env!("CARGO_BIN_EXE_echo"),
        "time" => env!("CARGO_BIN_EXE_time"),
        "chat" => env!("CARGO_BIN_EXE_chat"),
        other => panic!("no server {other}"),
    }
}

fn spawn(command: &mut Command) -> Child {
    take_turn();
    // A crowd of clients needs as many descriptors here as the server has.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("as allowed");
    command.spawn().expect("the server starts")
}

fn listening<'a>(command: &'a mut Command, listen: &str) -> &'a mut Command {
    command.args(["--listen", listen]).stdin(Stdio::null()).stdout(Stdio::null())
}

/// A command that runs a server from a shell line, in which `"$0" "$@"` stands for it.
pub(crate) fn in_shell(line: &str, name: &str, options: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line, binary(name)]).args(options);
    command
}

fn free_address() -> SocketAddr {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("a bound socket")
}

/// The `key=number` pairs of a log line.
pub(crate) fn numbers(line: &str) -> BTreeMap<String, u64> {
    let pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect()
}

fn follow(stderr: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A log line without the time that those of text begin with.
#[track_caller]
fn without_time(line: String) -> String {
    if line.starts_with('{') {
        return line;
    }
    let (time, rest) = line.split_once(' ').unwrap_or_default();
    assert!(time.len() == 24 && time.parse::<Timestamp>().is_ok(), "no time: {line}");
    rest.to_owned()
}

/// A field of /proc/PID/stat, counted from the state behind the command.
pub(crate) fn stat(process: &Child, field: usize) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id()));
    let stat = stat.expect("a running process");
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(field).expect("a field").to_owned()
}
