//! The load alone, on servers that it did not start.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::{changed, folder, lines, the_error};

const ECHO: &str = "examples/echo.py";
const ALL: &str = "peers/asyncio/server.py";

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Waits until the script listens; `before` stands before its address.
    fn start(script: &Path, before: &[&str]) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let mut command = Command::new("python3");
        command.arg(script).args(before).stderr(Stdio::null());
        // The example takes a port alone.
        let place =
            if before.is_empty() { address.port().to_string() } else { address.to_string() };
        let mut child = command.arg(place).spawn().expect("python3 is there");
        while TcpStream::connect(address).is_err() {
            assert!(child.try_wait().expect("a child").is_none(), "it ended");
            std::thread::yield_now();
        }
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

fn load(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.arg("load").args(arguments).output().expect("it is built")
}

/// A second of load on a script in which `from` has become `to`, which is told before all else.
#[track_caller]
fn measured(
    name: &str,
    script: &str,
    program: &str,
    from: &str,
    to: &str,
    rate: &[&str],
) -> Output {
    let folder = folder(name);
    let copy = changed(&folder, script, from, to);
    let program_too = [program];
    let before = if script == ECHO { &[] } else { &program_too[..] };
    let server = Server::start(&copy, before);
    let address = server.address.to_string();
    let mut output =
        load(&[&[program, &address, "--clients", "5", "--seconds", "1"], rate].concat());
    fs::remove_dir_all(folder).expect("it is ours");
    let begins = "5 clients join, warm up, and are measured for 1 s";
    let said = lines(&output.stderr);
    assert_eq!(said.first(), Some(&format!("{program} at {address}: {begins}")));
    output.stderr = said[1..].join("\n").into();
    output
}

#[track_caller]
fn has(output: &Output, rows: &[&str]) {
    let said = lines(&output.stdout);
    assert!(rows.iter().all(|row| said.iter().any(|line| line == row)), "{said:?}");
}

const RATE: [&str; 2] = ["--rate", "100"];

#[test]
fn what_was_sent_heard_and_lost_is_counted() {
    let whole = measured("echo", ECHO, "echo", "echo", "echo", &RATE);
    has(&whole, &["| sent | 100 |", "| heard | 100 |", "| lost | 0 |"]);
    assert_eq!((whole.status.code(), &whole.stderr[..]), (Some(0), &b""[..]));
    let whole = measured("chat", ALL, "chat", "say", "say", &RATE);
    has(&whole, &["| sent | 100 |", "| heard | 400 |", "| lost | 0 |"]);
    assert_eq!((whole.status.code(), &whole.stderr[..]), (Some(0), &b""[..]));
}

#[test]
fn a_chat_that_welcomes_late_is_waited_for() {
    let (from, to) = ("        writer.write(f\"*** w", "        await asyncio.sleep(0.2)\n");
    let whole = measured("late", ALL, "chat", from, &(to.to_owned() + from), &RATE);
    has(&whole, &["| sent | 100 |", "| heard | 400 |", "| lost | 0 |"]);
}

#[test]
fn without_a_rate_the_next_message_follows_the_answer() {
    let whole = measured("closed", ECHO, "echo", "echo", "echo", &[]);
    let said = lines(&whole.stdout).join("\n");
    assert!(said.contains("| round trips/s | ") && said.contains("| lost | 0 |"), "{said}");
    assert!(said.contains("| generator busy, of 1 | "), "{said}");
    assert!(said.contains("| p99 ms | ") && !said.contains(" µs"), "{said}");
}

#[test]
fn the_time_is_read_by_everybody() {
    let whole = measured("time", ALL, "time", "time", "time", &[]);
    has(&whole, &["| heard | 5 |", "| repeated | 0 |", "| left out | 0 |"]);
    assert_eq!(whole.status.code(), Some(0));
}

#[test]
fn an_echo_that_loses_a_message_is_told_how_many_are_not_back() {
    // A client's sixteenth message, and all behind it.
    let once = "data = b'' if data[7:8] >= b'\\x10' else data\n        writer.write(data)";
    let lost = measured("lost", ECHO, "echo", "writer.write(data)", once, &RATE);
    let (code, said) = the_error(&lost);
    assert_eq!(code, Some(1));
    assert!(said.ends_with(" messages had not come back 4 s after the last"), "{said}");
    assert!(!lines(&lost.stdout).contains(&"| lost | 0 |".to_owned()));
}

#[test]
fn a_chat_that_drops_a_line_is_told_how_often_and_the_rest_is_measured() {
    let from = r#"if text := line.rstrip(b"\r\n"):"#;
    let to = r#"if (text := line.rstrip(b"\r\n")) and b" 00000010 " not in text:"#;
    let lost = measured("drop", ALL, "chat", from, to, &RATE);
    has(&lost, &["| sent | 100 |", "| heard | 380 |", "| lost | 20 |"]);
    assert_eq!(the_error(&lost), (Some(1), "compare: lines: 20 dropped".into()));
}

#[test]
fn a_chat_that_limits_its_clients_is_told_how_and_one_that_closes_what_it_did() {
    let (from, next) = ("if text :=", "\n                if text :=");
    let to = format!("await asyncio.sleep(0.6){next}");
    let (code, said) = the_error(&measured("limits", ALL, "chat", from, &to, &RATE));
    assert_eq!(code, Some(1));
    assert!(said.starts_with("compare: fell behind: ") && said.ends_with("(ours: --rate 0)?"));
    let to = format!("if b' 00000010' in line: break{next}");
    let (code, said) = the_error(&measured("closes", ALL, "chat", from, &to, &RATE));
    assert_eq!((code, &*said), (Some(1), "compare: the server closed 5 of 5 connections"));
}

#[test]
fn a_chats_history_is_no_fault_of_it() {
    let old = r#"{name}\r\n<guest9> 00003 00000000 old\r\n""#;
    let whole = measured("history", ALL, "chat", r#"{name}\r\n""#, old, &RATE);
    has(&whole, &["| heard | 400 |", "| lost | 0 |"]);
    assert_eq!(whole.status.code(), Some(0), "{:?}", lines(&whole.stderr));
}

#[test]
fn a_wrong_target_or_load_is_told_in_one_line() {
    for (arguments, code, told) in [
        (&["chat"][..], 2, "load needs a server (echo, time or chat) and its address"),
        (&["talk", "127.0.0.1:1"], 2, "unknown server 'talk'; there are echo, time, chat"),
        (&["echo", "localhost:1"], 2, "'localhost:1' is no numeric HOST:PORT"),
        (&["time", "127.0.0.1:1", "--rate", "9"], 2, "--rate is not for the time"),
        (&["chat", "127.0.0.1:1", "--clients", "1"], 2, "in a chat --clients is 2 at least"),
        (&["echo", "127.0.0.1:1", "--seconds", "301"], 2, "--seconds is 300 at most"),
        (&["echo", "127.0.0.1:1", "--seconds", "99999999999999"], 2, "--seconds is 300 at most"),
        (&["echo", "127.0.0.1:1", "--rate", "2000000"], 2, "--rate times --seconds is 10000000"),
        (&["echo", "127.0.0.1:1", "--clients", "90000000"], 2, "the load has 90000000 clients"),
        (&["echo", "127.0.0.1:1", "--quick"], 2, "--quick is not for `compare load`"),
        (&["echo", "127.0.0.1:1"], 1, "127.0.0.1:1 takes no client: Connection refused"),
    ] {
        let (exit, said) = the_error(&load(arguments));
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.starts_with(&format!("compare: {told}")), "{said}");
    }
}
