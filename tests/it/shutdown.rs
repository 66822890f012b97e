//! How the servers end, and what they answer to signals.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{
    Client, Server, binary, eventually, in_shell, is_missing, pseudo_terminal, speaks,
};

const GOODBYE: &str = "*** the server is going down, goodbye";

#[test]
fn sigterm_with_500_stalled_clients_ends_the_chat_within_two_seconds() {
    let mut server = Server::start("chat", &[]);
    let _stalled: Vec<Client> = (0..500).map(|_| server.small_client()).collect();
    let mut speaker = server.guest(&mut []);
    speaker.send(["x".repeat(900).as_str(), "\r\n"].concat().repeat(60));
    eventually("stalled", || server.clients_behind() == 500);
    let asked = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(2200), "{took:?}");
}

#[test]
fn clients_of_chat_and_time_read_a_goodbye_and_then_the_end() {
    for name in ["chat", "time"] {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let mut server = start_at_a_terminal(name);
            let mut clients: Vec<Client> = (0..20).map(|_| server.client()).collect();
            for client in &mut clients {
                client.line();
            }
            server.signal(signal);
            for mut client in clients {
                client.skip_to(GOODBYE);
                client.expect_eof();
            }
            assert_eq!(server.exit().code(), Some(0), "{name} at {signal:?}");
        }
    }
}

#[test]
fn the_echo_server_ends_without_a_byte_of_its_own() {
    let mut server = Server::start("echo", &[]);
    let mut client = server.client();
    client.send("hello");
    client.expect_bytes(b"hello");
    server.signal(Signal::TERM);
    client.expect_eof();
    drop(client);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn what_was_said_before_the_signal_is_read_before_the_goodbye() {
    let server = Server::start("chat", &[]);
    let mut speaker = server.guest(&mut []);
    let mut slow = server.guest(&mut [&mut speaker]);
    speaker.send("line\r\n".repeat(500));
    eventually("read", || server.stats()["lines_in"] == 500);
    server.signal(Signal::TERM);
    speaker.skip_to(GOODBYE);
    for _ in 0..500 {
        slow.expect("<guest1> line");
    }
    slow.expect(GOODBYE);
    slow.expect_eof();
}

#[test]
fn nobody_can_connect_once_the_server_says_goodbye() {
    let server = Server::start("chat", &[]);
    let mut client = server.guest(&mut []);
    server.signal(Signal::TERM);
    client.expect(GOODBYE);
    let refused = TcpStream::connect(server.address).expect_err("it accepts no more");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn closing_the_terminal_ends_the_chat_with_a_goodbye() {
    if is_missing(&["setsid"]) {
        return;
    }
    let terminal = Cell::new(None);
    let mut server = Server::start_unheard(|| {
        let (master, slave) = pseudo_terminal();
        terminal.set(Some(master));
        let mut command =
            in_shell(r#"exec env --default-signal=HUP setsid -c "$0" "$@" 0<&2"#, "chat", &[]);
        command.stderr(slave);
        command
    });
    let mut client = server.guest(&mut []);
    drop(terminal.take());
    client.skip_to(GOODBYE);
    client.expect_eof();
    drop(client);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn under_nohup_closing_the_terminal_ends_nothing() {
    let mut server = Server::start_command(&mut in_shell(r#"exec nohup "$0" "$@""#, "chat", &[]));
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    server.signal(Signal::HUP);
    speaks(&mut ann, &mut bob, "still here");
    server.stats();
    server.signal(Signal::TERM);
    ann.expect(GOODBYE);
    drop((ann, bob));
    assert_eq!(server.exit().code(), Some(0));
    let log = server.log_to_its_end();
    assert_eq!(log.iter().filter(|line| line.ends_with("going down")).count(), 1, "{log:?}");
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for (first, second, code) in [
        (Signal::TERM, Signal::TERM, 143),
        (Signal::INT, Signal::INT, 130),
        (Signal::HUP, Signal::TERM, 143),
    ] {
        let (mut server, _stalled) = with_a_stalled_client();
        server.signal(first);
        server.logged("going down");
        server.signal(second);
        assert_eq!(server.exit().code(), Some(code));
    }
}

/// As bash sends it when a terminal is closed, and then the kernel; systemd may send it behind a
/// SIGTERM.
#[test]
fn a_hangup_cuts_no_shutdown_short() {
    for first in [Signal::HUP, Signal::TERM] {
        let (mut server, _stalled) = with_a_stalled_client();
        server.signal(first);
        server.logged("going down");
        server.signal(Signal::HUP);
        assert_eq!(server.exit().code(), Some(0));
    }
}

/// A chat whose polite shutdown takes its time.
fn with_a_stalled_client() -> (Server, Client) {
    let server = start_at_a_terminal("chat");
    let stalled = server.small_client();
    let mut speaker = server.guest(&mut []);
    let mut other = server.guest(&mut [&mut speaker]);
    for _ in 0..60 {
        speaks(&mut speaker, &mut other, &"x".repeat(900));
    }
    assert!(stalled.unsent() > 0);
    (server, stalled)
}

#[test]
fn sigusr1_prints_one_line_of_right_stats() {
    let server = Server::start("chat", &["--max-clients", "2"]);
    let mut ann = server.client();
    let mut read = ann.line().len() + 2;
    let mut bob = server.client();
    read += bob.line().len() + 2;
    read += ann.line().len() + 2;
    server.client().line();
    ann.send("hello\r\n");
    read += bob.line().len() + 2;
    bob.half_close();
    bob.expect_eof();
    drop(bob);
    read += ann.line().len() + 2;
    eventually("gone", || server.stats()["clients"] == 1);

    server.signal(Signal::USR1);
    let line = server.logged("stats");
    let (stats, uptime) = line.split_once(" uptime_seconds=").expect("uptime");
    assert_eq!(
        stats,
        format!(
            "chat: stats clients=1 accepted=2 lines_in=1 lines_out=3 bytes_in=7 \
             bytes_out={read} missed=0 refused=1 left=1 lost=0 stalled=0 going_down=0 wrong_protocol=0 failed=0"
        )
    );
    assert!(uptime.parse::<u64>().expect("seconds") < 60);
}

/// A server that obeys SIGHUP, also where these tests themselves run under nohup.
fn start_at_a_terminal(name: &str) -> Server {
    let mut command = Command::new("env");
    Server::start_command(command.args(["--default-signal=HUP", binary(name)]))
}
