//! A real client at a pseudo-terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use super::{PATIENCE, eventually, pseudo_terminal, stat};

/// A client at its own pseudo-terminal; ended when dropped.
pub(crate) struct Terminal {
    child: Child,
    master: OwnedFd,
    /// What it showed and nobody looked for yet.
    screen: Vec<u8>,
    /// As it was before the client.
    modes: Termios,
}

impl Terminal {
    pub(crate) fn run(client: &str, arguments: &[&str]) -> Terminal {
        Terminal::run_at_home(client, arguments, Path::new("/nonexistent"))
    }

    /// The same in a window of this size, which is unknown otherwise.
    pub(crate) fn run_sized(client: &str, arguments: &[&str], rows: u16, columns: u16) -> Terminal {
        let (master, slave) = pseudo_terminal();
        set_size(&master, rows, columns);
        Terminal::run_in(master, slave, client, arguments, Path::new("/nonexistent"))
    }

    /// The same for a person who has files at home, such as .telnetrc.
    pub(crate) fn run_at_home(client: &str, arguments: &[&str], home: &Path) -> Terminal {
        let (master, slave) = pseudo_terminal();
        Terminal::run_in(master, slave, client, arguments, home)
    }

    fn run_in(
        master: OwnedFd,
        slave: OwnedFd,
        client: &str,
        arguments: &[&str],
        home: &Path,
    ) -> Terminal {
        let modes = tcgetattr(&slave).expect("a terminal");
        let copy = || slave.try_clone().expect("a descriptor");
        // Only setsid can make it the client's controlling terminal, so that ^C is a signal, which
        // tests in the background of a shell ignore.
        let child = Command::new("setsid")
            .args(["--ctty", "env", "--default-signal=INT", client])
            .args(arguments)
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8")
            .env("HOME", home)
            .stdin(copy())
            .stdout(copy())
            .stderr(copy())
            .spawn();
        Terminal { child: child.expect("setsid starts"), master, screen: Vec::new(), modes }
    }

    /// Types what a person would, once the client is done with what came before: BusyBox loses a
    /// ^C that comes between its write and its next poll.
    #[track_caller]
    pub(crate) fn types(&mut self, keys: &str) {
        eventually("waiting for a key", || stat(&self.child, 0) == "S");
        self.master().write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.master).expect("a terminal").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the client has ended, and has left the modes of its terminal as they were.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        eventually("ended", || self.child.try_wait().expect("a child").is_some());
        let (now, before) = (tcgetattr(&self.master).expect("a terminal"), &self.modes);
        assert_eq!(
            (now.input_modes, now.output_modes, now.control_modes, now.local_modes),
            (before.input_modes, before.output_modes, before.control_modes, before.local_modes)
        );
    }

    /// Makes its window this large; the client is told by a signal.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        set_size(&self.master, rows, columns);
    }

    /// What it shows next, empty once `deadline` is over or the client has ended.
    pub(crate) fn reads(&mut self, deadline: Instant) -> Vec<u8> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a short time");
        let mut waiting = [PollFd::new(&self.master, PollFlags::IN)];
        let shown = poll(&mut waiting, Some(&left)).expect("a terminal");
        let mut bytes = vec![0; 4096];
        let n = if shown > 0 { self.master().read(&mut bytes).unwrap_or(0) } else { 0 };
        bytes.truncate(n);
        bytes
    }

    fn master(&self) -> File {
        File::from(self.master.try_clone().expect("a descriptor"))
    }

    /// Waits until `text` is shown, after what was shown before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.screen.windows(text.len()).position(|shown| shown == text.as_bytes());
            if let Some(start) = found {
                self.screen.drain(..start + text.len());
                return;
            }
            let bytes = self.reads(deadline);
            assert!(!bytes.is_empty(), "no {text:?} on the screen: {}", self.screen.escape_ascii());
            self.screen.extend_from_slice(&bytes);
        }
    }
}

fn set_size(terminal: &OwnedFd, ws_row: u16, ws_col: u16) {
    let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
