//! The examples do what they say, as real programs.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::harness::{Client, take_turn};

/// A running example, ended with the test.
struct Example {
    child: Child,
    addresses: Vec<SocketAddr>,
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
        Example { child, addresses }
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
}
