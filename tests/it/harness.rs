//! What the tests share: a server that stops when dropped, a client whose tests read like a
//! telnet session, and a server in this process.

mod client;
#[cfg(all(feature = "one-thread", feature = "paused-clock"))]
mod paused;
mod server;
mod terminal;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};
use std::any::Any;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use smol::LocalExecutor;
use smol_servers::{Handler, Limits, Listener, Stats, block_on, run, serve};

pub(crate) use client::{Client, speaks};
#[cfg(all(feature = "one-thread", feature = "paused-clock"))]
pub(crate) use paused::{Host, LocalClient, serve_paused};
pub(crate) use server::{Server, binary, in_shell, numbers, stat};
pub(crate) use terminal::Terminal;

/// Time after which something awaited counts as missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time has servers: two that measure would disturb each other. Those that measure
/// nothing may share a turn.
static TURNS: RwLock<()> = RwLock::new(());

thread_local! {
    static TURN: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Waits for this test's turn, which lasts until its thread ends.
pub(crate) fn take_turn() {
    TURN.with_borrow_mut(|turn| {
        turn.get_or_insert_with(|| {
            Box::new(TURNS.write().unwrap_or_else(|poisoned| poisoned.into_inner()))
        });
    });
}

/// Waits for a turn of this test and others that share it: for those that wait much and measure
/// nothing. MUST come before the test's first server.
#[cfg(feature = "relay")]
pub(crate) fn share_turn() {
    TURN.with_borrow_mut(|turn| {
        turn.get_or_insert_with(|| {
            Box::new(TURNS.read().unwrap_or_else(|poisoned| poisoned.into_inner()))
        });
    });
}

/// Waits for what tells nobody that it has come.
#[track_caller]
pub(crate) fn eventually(what: &str, mut come: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !come() {
        assert!(Instant::now() < deadline, "still not {what}");
        std::thread::yield_now();
    }
}

/// A server's end of a connection, as the kernel sees it.
struct Socket {
    peer_port: u16,
    /// Bytes the peer has not taken.
    unsent: u64,
    /// Bytes the server has not read.
    unread: u64,
}

fn sockets(server: SocketAddr) -> Vec<Socket> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let mut port = || u16::from_str_radix(fields.next()?.split(':').nth(1)?, 16).ok();
        let (port, peer_port) = (port()?, port()?);
        let mut queues = fields.nth(1)?.split(':').map(|bytes| u64::from_str_radix(bytes, 16).ok());
        let (unsent, unread) = (queues.next()??, queues.next()??);
        (port == server.port()).then_some(Socket { peer_port, unsent, unread })
    });
    sockets.collect()
}

pub(crate) type Executor = Rc<LocalExecutor<'static>>;

/// Ends a server when pulled or dropped.
pub(crate) struct Trigger(Sender<()>);

impl Trigger {
    pub(crate) fn pull(&self) {
        self.0.close();
    }
}

/// A trigger, and what tells a server that it was pulled.
pub(crate) fn trigger() -> (Trigger, Receiver<()>) {
    let (sender, receiver) = async_channel::bounded(1);
    (Trigger(sender), receiver)
}

/// Serves in this process while `session` runs in a thread of its own, which stands for the
/// clients' side; dropping the trigger it is given, by its end at the latest, ends the server.
pub(crate) fn serve_during(
    executor: &Executor,
    handler: impl Handler,
    session: impl FnOnce(SocketAddr, Trigger) + Send + 'static,
) -> Rc<Stats> {
    take_turn();
    let (listener, address) = listen();
    let stats = listener.stats();
    let (trigger, stop) = trigger();
    let session = std::thread::spawn(move || session(address, trigger));
    let served = serve(executor, listener, stop.recv(), handler);
    block_on(run(executor, served)).expect("it serves");
    if let Err(panic) = session.join() {
        std::panic::resume_unwind(panic);
    }
    stats
}

/// A listener on a loopback port of its own.
pub(crate) fn listen() -> (Listener, SocketAddr) {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(&[loopback], Limits::default()).expect("a free port");
    let address = listener.addresses()[0];
    (listener, address)
}

/// A new folder for the files of one test, which goes with them.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("smol-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a temporary folder");
        Folder(path)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_to_the_system = std::fs::remove_dir_all(&self.0);
    }
}

/// Says so and returns true when one of the programs is not installed.
pub(crate) fn is_missing(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs.iter().any(|program| {
        let found = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
        if !found {
            eprintln!("left out: {program} is not installed");
        }
        !found
    })
}

/// A terminal's two ends: the one that shows and types, and the one that a program has. It erases
/// whole characters, as terminal emulators have it.
pub(crate) fn pseudo_terminal() -> (OwnedFd, OwnedFd) {
    // A program that inherited this end would keep its own terminal open.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("a pseudo-terminal");
    unlockpt(&master).expect("a pseudo-terminal");
    let name = ptsname(&master, Vec::new()).expect("a pseudo-terminal");
    let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let slave = slave.expect("a pseudo-terminal");
    let mut modes = tcgetattr(&slave).expect("a pseudo-terminal");
    modes.input_modes |= InputModes::IUTF8;
    tcsetattr(&slave, OptionalActions::Now, &modes).expect("a pseudo-terminal");
    (master, slave)
}
