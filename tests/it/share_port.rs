//! Several servers on one port.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Command;

use crate::cli::{one_line, run};
use crate::harness::{Server, binary, in_shell};

#[test]
fn two_servers_that_share_a_port_both_get_clients() {
    const CLIENTS: u64 = 64;
    for name in ["echo", "time", "chat"] {
        let first = Server::start(name, &["--share-port"]);
        let second = beside(&first, name);
        assert_eq!(first.address, second.address);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = first.client();
                client.send("hello\r\n");
                client.line();
                client
            })
            .collect();
        let [one, other] = [&first, &second].map(|server| server.stats()["clients"]);
        assert_eq!(one + other, CLIENTS, "{name}");
        assert!(one > 0 && other > 0, "{name}: {one} and {other}");
        drop(clients);
    }
}

#[test]
fn what_is_left_of_two_that_share_a_port_gets_all_clients() {
    let first = Server::start("echo", &["--share-port"]);
    let second = beside(&first, "echo");
    drop(first);
    for _ in 0..16 {
        let mut client = second.client();
        client.send("hello\r\n");
        assert_eq!(client.line(), "hello");
    }
}

#[test]
fn a_port_is_shared_only_if_both_ask_for_it() {
    for (options, mend) in [
        (&["--share-port"][..], "another program has this port, choose one with --listen"),
        (&[], "start both with --share-port, as the same user"),
    ] {
        let first = Server::start("chat", options);
        let address = first.address.to_string();
        let other = if options.is_empty() { &["--share-port"][..] } else { &[] };
        let output = run("chat", &[&["--listen", &address], other].concat());
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        let error = one_line(&output);
        assert!(error.starts_with(&format!("chat: cannot listen on {address}: ")), "{error}");
        assert!(error.ends_with(mend), "{error}");
    }
}

#[test]
fn what_has_no_port_of_its_own_cannot_share_it() {
    let output = run("chat", &["--share-port", "--listen", "unix:/nonexistent/chat.sock"]);
    assert_eq!(output.status.code(), Some(2));
    let error = one_line(&output);
    assert!(error.contains("a unix socket has none; leave it out ("), "{error}");

    let passing = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0"#;
    let passed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut command = in_shell(passing, "chat", &["--share-port"]);
    let output = command.stdin(OwnedFd::from(passed)).output().expect("a shell");
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("give ReusePort=yes in the socket unit ("));
}

fn beside(first: &Server, name: &str) -> Server {
    let mut command = Command::new(binary(name));
    Server::start_listening(command.arg("--share-port"), &first.address.to_string())
}
