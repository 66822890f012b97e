//! The examples do what they say, as real programs.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::harness::{Client, take_turn};

/// A running example, ended with the test.
struct Example {
    child: Child,
    addresses: Vec<SocketAddr>,
    /// What it prints after them.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Starts it on as many addresses as it asks for.
    fn start(name: &str, arguments: &[&str]) -> Example {
        take_turn();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--locked", "--example", name]);
        if !cfg!(feature = "one-thread") {
            cargo.args(["--no-default-features", "--features", "local-time"]);
        }
        let command = cargo.arg("--").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("cargo");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = |_| {
            let line = lines.next().expect("an address").expect("a line");
            line.strip_prefix("listening on ").expect("an address").parse().expect("an address")
        };
        let addresses = arguments.iter().map(&mut address).collect();
        Example { child, addresses, lines }
    }

    fn client(&self, number: usize) -> Client {
        Client::connect(self.addresses[number])
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn shout_answers_in_capitals() {
    let shout = Example::start("shout", &["127.0.0.1:0"]);
    let mut client = shout.client(0);
    client.send("hello\r\n");
    client.expect("HELLO");
    client.half_close();
    client.expect_eof();
}

#[test]
fn several_runs_two_chats_apart_and_a_clock_and_ends_them_together() {
    let mut several = Example::start("several", &["0", "0", "0"]);
    let time = several.client(0).line();
    assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    let (mut red, mut blue) = (several.client(1), several.client(2));
    red.expect("*** welcome, you are guest1. nobody else is here yet");
    blue.expect("*** welcome, you are guest1. nobody else is here yet");
    let mut other = several.client(1);
    other.expect("*** welcome, you are guest2. 1 other here: guest1");
    red.expect("*** guest2 joined (2 here)");
    other.send("to the red ones\r\n");
    red.expect("<guest2> to the red ones");
    drop(other);
    red.expect("*** guest2 left");
    drop(several.child.stdin.take());
    for guest in [&mut red, &mut blue] {
        guest.expect("*** the server is going down, goodbye");
        guest.expect_eof();
    }
    assert!(several.child.wait().expect("it ends").success());
    assert!(several.lines.next().is_none());
}

#[cfg(feature = "one-thread")]
#[test]
fn tokio_host_is_a_chat_and_a_tokio_program_on_one_thread_until_ctrl_c() {
    use std::net::UdpSocket;

    use rustix::process::{Pid, Signal, kill_process};

    let mut host = Example::start("tokio_host", &["127.0.0.1:0"]);
    let (mut ann, mut bob) = (host.client(0), host.client(0));
    ann.expect("*** welcome, you are guest1. nobody else is here yet");
    ann.expect("*** guest2 joined (2 here)");
    bob.expect("*** welcome, you are guest2. 1 other here: guest1");
    bob.send("hello\r\n");
    ann.expect("<guest2> hello");
    let news = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    news.send_to(b"built\n", host.addresses[0]).expect("it is on loopback");
    ann.expect("*** news: built");
    bob.expect("*** news: built");
    kill_process(Pid::from_child(&host.child), Signal::INT).expect("it runs");
    for guest in [&mut ann, &mut bob] {
        guest.expect("*** the server is going down, goodbye");
        guest.expect_eof();
    }
    assert_eq!(host.lines.next().expect("a line").expect("UTF-8"), "threads at the end: 1");
    assert!(host.child.wait().expect("it ends").success());
}
