//! A real Redis on a unix socket in a folder of its own, and what a test asks it by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Folder, PATIENCE, eventually, is_missing, share_turn, stat};

/// An engine, which goes with the test.
pub(crate) struct Engine {
    folder: Folder,
    options: Vec<String>,
    process: Option<Child>,
}

impl Engine {
    /// An engine that runs, with these options beside those of a test; `None`, said plainly, where
    /// there is no program for it.
    pub(crate) fn start(test: &str, options: &[&str]) -> Option<Engine> {
        let mut engine = Engine::absent(test, options)?;
        engine.run();
        Some(engine)
    }

    /// One that does not run yet.
    pub(crate) fn absent(test: &str, options: &[&str]) -> Option<Engine> {
        if is_missing(&["redis-server"]) {
            return None;
        }
        share_turn();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Some(Engine { folder: Folder::new(test), options, process: None })
    }

    pub(crate) fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(self.socket());
        command.arg("--dir").arg(self.folder.path("")).args(&self.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("the engine starts"));
        eventually("answering", || {
            let client = UnixStream::connect(self.socket()).map(Client::over);
            // One that needs a password answers too.
            client.is_ok_and(|mut it| it.ask(&["PING"]).is_some_and(|reply| !reply.is_loading()))
        });
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path("engine")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// Ends it without a goodbye, as kill -9 does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("a child");
        }
    }

    /// Stops the process, whose connections stay.
    pub(crate) fn hold(&self) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(Pid::from_child(process), Signal::STOP).expect("it runs");
        eventually("stopping", || stat(process, 0) == "T");
    }

    pub(crate) fn go_on(&self) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(Pid::from_child(process), Signal::CONT).expect("it runs");
    }

    pub(crate) fn client(&self) -> Client {
        Client::over(UnixStream::connect(self.socket()).expect("it runs"))
    }

    /// What it answers to one command.
    #[track_caller]
    pub(crate) fn ask(&self, command: &[&str]) -> Reply {
        self.client().ask(command).expect("an answer")
    }

    /// The number that it answers.
    #[track_caller]
    pub(crate) fn count(&self, command: &[&str]) -> i64 {
        match self.ask(command) {
            Reply::Number(number) => number,
            other => panic!("no number: {other:?}"),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whoever speaks to the engine by hand.
pub(crate) struct Client(BufReader<UnixStream>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status, an error or a string.
    Text(String),
    Number(i64),
    Array(Vec<Reply>),
    Nil,
}

impl Reply {
    fn is_loading(&self) -> bool {
        matches!(self, Reply::Text(text) if text.starts_with("LOADING"))
    }
}

impl Client {
    fn over(stream: UnixStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Client(BufReader::new(stream))
    }

    /// Sends a command; `None` when the connection ends before the answer.
    pub(crate) fn ask<T: AsRef<[u8]>>(&mut self, parts: &[T]) -> Option<Reply> {
        let mut command = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            command.extend(format!("${}\r\n", part.as_ref().len()).as_bytes());
            command.extend(part.as_ref());
            command.extend(b"\r\n");
        }
        self.0.get_mut().write_all(&command).ok()?;
        self.reply()
    }

    fn reply(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let line = line.strip_suffix("\r\n")?;
        let number = || line[1..].parse::<i64>().expect("a number");
        Some(match line.as_bytes()[0] {
            b'+' | b'-' => Reply::Text(line[1..].to_owned()),
            b':' => Reply::Number(number()),
            _ if number() < 0 => Reply::Nil,
            b'$' => {
                let mut bytes = vec![0; number() as usize + 2];
                self.0.read_exact(&mut bytes).ok()?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => Reply::Array((0..number()).map(|_| self.reply()).collect::<Option<_>>()?),
        })
    }
}
