//! A server that stops when dropped, and a blocking client whose tests read like a telnet
//! session.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Time after which something awaited counts as missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time has servers: two that measure would disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

thread_local! {
    static TURN: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Waits for this test's turn, which lasts until its thread ends.
pub(crate) fn take_turn() {
    TURN.with_borrow_mut(|turn| {
        turn.get_or_insert_with(|| {
            ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        });
    });
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
        take_turn();
        let child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("the server starts");
        let log = follow(child.stderr.take().expect("stderr is piped"));
        let mut server = Server { child, address: SocketAddr::from(([0; 4], 0)), log };
        let listening = server.logged("listening on ");
        let address = listening.rsplit("listening on ").next().unwrap_or_default();
        server.address =
            address.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().expect("an address");
        server
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// A client of the chat that has read its welcome and `others` have read of its coming.
    #[track_caller]
    pub(crate) fn guest(&self, others: &mut [&mut Client]) -> Client {
        let mut guest = self.client();
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

    /// The next log line that contains `text`.
    #[track_caller]
    pub(crate) fn logged(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no log line with {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Log lines that have come so far and were not asked for yet.
    pub(crate) fn log_so_far(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Waits for the server's end.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::yield_now();
        }
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

fn follow(stderr: ChildStderr) -> mpsc::Receiver<String> {
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

/// A blocking client that gives up after [`PATIENCE`].
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
    /// What the chat calls it.
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).expect("the server accepts"))
    }

    pub(crate) fn over(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Client { stream: BufReader::with_capacity(4096, stream), name: String::new() }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next line, which must end in CR LF, without it.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        read.unwrap_or_else(|error| panic!("no line: {error}; so far {:?}", line.escape_ascii()));
        let text = line.strip_suffix(b"\r\n");
        let text = text.unwrap_or_else(|| panic!("no line end: {}", line.escape_ascii()));
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, line: impl Display) {
        assert_eq!(self.line(), line.to_string());
    }

    /// Exactly these bytes.
    #[track_caller]
    pub(crate) fn expect_bytes(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.stream.read_exact(&mut read).expect("as many bytes");
        assert_eq!(read.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }

    #[track_caller]
    pub(crate) fn expect_eof(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("the server closes");
        assert_eq!(rest.escape_ascii().to_string(), "");
    }

    /// Says goodbye, and still reads.
    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).expect("connected");
    }

    /// Vanishes with a RST.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO))
            .expect("a socket");
    }
}

/// `a` speaks and `b` reads it as the next line, so all before has passed through the server.
#[track_caller]
pub(crate) fn speaks(a: &mut Client, b: &mut Client, text: &str) {
    a.send(format!("{text}\r\n"));
    b.expect(format_args!("<{}> {text}", a.name));
}
