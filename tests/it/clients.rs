//! The real clients people have, each at a pseudo-terminal of its own, in one chat.
//!
//! `make test` installs them where it may; a client that is missing leaves its test out and
//! `make test` says so.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::{PATIENCE, Server};

#[test]
fn telnet_nc_and_putty_talk_to_each_other() {
    if missing(&["telnet", "nc", "plink"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port().to_string();
    let mut telnet = Terminal::run("telnet", &["127.0.0.1", &port]);
    telnet.shows("*** welcome, you are guest1");
    let mut nc = Terminal::run("nc", &["127.0.0.1", &port]);
    nc.shows("*** welcome, you are guest2. 1 other here: guest1");
    telnet.shows("*** guest2 joined (2 here)");
    let mut putty = Terminal::run("plink", &["-telnet", "-P", &port, "127.0.0.1"]);
    putty.shows("*** welcome, you are guest3. 2 others here: guest1, guest2");
    let mut raw = Terminal::run("plink", &["-raw", "-P", &port, "127.0.0.1"]);
    raw.shows("*** welcome, you are guest4");

    let mut terminals = [telnet, nc, putty, raw];
    for speaker in 0..terminals.len() {
        let said = format!("žluť from guest{}", speaker + 1);
        terminals[speaker].types(&format!("{said}\n"));
        for (listener, terminal) in terminals.iter_mut().enumerate() {
            if listener != speaker {
                terminal.shows(&format!("<guest{}> {said}", speaker + 1));
            }
        }
    }
}

#[test]
fn a_line_edited_at_the_terminal_arrives_as_it_was_meant() {
    if missing(&["telnet", "nc"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port().to_string();
    let mut telnet = Terminal::run("telnet", &["127.0.0.1", &port]);
    telnet.shows("guest1");
    let mut nc = Terminal::run("nc", &["127.0.0.1", &port]);
    nc.shows("guest2");
    telnet.types("helto\x7f\x7flo\n");
    nc.shows("<guest1> hello\r");
}

#[test]
fn ending_the_client_is_leaving() {
    if missing(&["telnet"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port().to_string();
    let mut watcher = server.guest(&mut []);
    let mut telnet = Terminal::run("telnet", &["127.0.0.1", &port]);
    telnet.shows("guest2");
    watcher.expect("*** guest2 joined (2 here)");
    telnet.types("\x1d");
    telnet.shows("telnet>");
    telnet.types("quit\n");
    watcher.expect("*** guest2 left (left)");
}

fn missing(clients: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    clients.iter().any(|client| {
        let found = std::env::split_paths(&path).any(|folder| folder.join(client).exists());
        if !found {
            eprintln!("left out: {client} is not installed");
        }
        !found
    })
}

/// A client at its own pseudo-terminal; ended when dropped.
struct Terminal {
    child: Child,
    master: OwnedFd,
    /// What it showed and nobody looked for yet.
    screen: Vec<u8>,
}

impl Terminal {
    fn run(client: &str, arguments: &[&str]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("a pseudo-terminal");
        unlockpt(&master).expect("a pseudo-terminal");
        let name = ptsname(&master, Vec::new()).expect("a pseudo-terminal");
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let slave = slave.expect("a pseudo-terminal");
        let copy = || slave.try_clone().expect("a descriptor");
        // Only setsid can make it the client's controlling terminal, so that ^C is a signal.
        let child = Command::new("setsid")
            .args(["--ctty", client])
            .args(arguments)
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8")
            .stdin(copy())
            .stdout(copy())
            .stderr(copy())
            .spawn();
        Terminal { child: child.expect("setsid starts"), master, screen: Vec::new() }
    }

    fn types(&mut self, keys: &str) {
        self.master().write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    fn master(&self) -> File {
        File::from(self.master.try_clone().expect("a descriptor"))
    }

    /// Waits until `text` is shown, after what was shown before.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = [0; 4096];
        loop {
            let found = self.screen.windows(text.len()).position(|shown| shown == text.as_bytes());
            if let Some(start) = found {
                self.screen.drain(..start + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).expect("a short time");
            let mut waiting = [PollFd::new(&self.master, PollFlags::IN)];
            let shown = poll(&mut waiting, Some(&left)).expect("a terminal");
            let n = if shown > 0 { self.master().read(&mut bytes).unwrap_or(0) } else { 0 };
            assert!(n > 0, "no {text:?} on the screen: {}", self.screen.escape_ascii());
            self.screen.extend_from_slice(&bytes[..n]);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
