//! What happens at a limit: who comes too late reads why, and who is in notices nothing.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, ipproto};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use smol_servers::Limits;

use crate::harness::{Client, Server, in_shell, speaks};

/// Refused clients that may still be reading why, at most.
const REFUSALS: usize = 12;

/// What a server keeps for itself of a limit on memory, in KiB.
const RESERVED: usize = if cfg!(feature = "one-thread") { 4 * 1024 } else { 144 * 1024 };

#[test]
fn three_hundred_at_a_server_of_64_descriptors_leave_it_quiet_and_its_clients_at_ease() {
    let limited = r#"ulimit -n 64; exec "$0" "$@""#;
    let server = Server::start_command(&mut in_shell(limited, "chat", &[]));
    let mut inside: Vec<Client> = (0..32).map(|_| server.guest(&mut [])).collect();
    let before = server.cpu();
    let _joins = server.log_so_far();
    let mut outside: Vec<Client> = (32..300).map(|_| server.client()).collect();
    for refused in &mut outside {
        refused.expect("*** server full (32 clients), please try again later");
        refused.expect_eof();
        let (ann, bob) = inside.split_at_mut(1);
        let (ann, bob) = (&mut ann[0], &mut bob[0]);
        ann.send("all well?\r\n");
        bob.expect_said("<guest1> all well?");
        bob.send("yes\r\n");
        ann.expect_said("<guest2> yes");
    }
    let used = server.cpu() - before;
    assert!(used < Duration::from_millis(1000), "{used:?}");
    let log = server.log_so_far();
    let about_joins = |line: &&String| line.contains("joined");
    assert!(log.iter().filter(|line| !about_joins(line)).count() <= 2, "{log:?}");
    assert_eq!(server.stats()["refused"], 268);
}

#[test]
fn one_who_is_not_read_fills_no_more_of_the_kernel_than_its_receive_buffer() {
    let server = Server::start("chat", &["--rate", "1", "--burst", "1"]);
    let mut hasty = server.guest(&mut []);
    hasty.send("over its rate for an hour\r\n".repeat(3600));
    hasty.send_until_blocked(&[b'x'; 65536]);
    let unread = hasty.unread();
    assert!((1..=2 * Limits::default().receive_buffer as u64).contains(&unread), "{unread} bytes");
}

#[test]
fn a_place_that_gets_free_can_be_taken_at_once() {
    let server = Server::start("chat", &["--max-clients", "2"]);
    let mut ann = server.guest(&mut []);
    for number in 2..20 {
        let guest = server.guest(&mut [&mut ann]);
        server.client().expect("*** server full (2 clients), please try again later");
        drop(guest);
        server.logged("closed");
        ann.expect(format_args!("*** guest{number} left"));
    }
}

#[test]
fn those_who_do_not_fit_below_a_limit_on_memory_are_refused() {
    // In KiB. Of it the binary takes some, and what the server keeps for itself.
    let enough = RESERVED + 24_000;
    let limited = format!(r#"ulimit -v {enough}; exec "$0" "$@""#);
    let server = Server::start_command(&mut in_shell(&limited, "chat", &[]));
    let mut inside: Vec<Client> = Vec::new();
    let refusal = loop {
        let mut client = server.client();
        let line = client.line();
        if line.starts_with("*** server full") {
            break line;
        }
        client.send([b'x'; 999]);
        inside.push(client);
    };
    assert!(inside.len() > 100, "{refusal}");
    let (ann, bob) = inside.split_at_mut(1);
    ann[0].send("\r\n");
    bob[0].expect_said(format_args!("<guest1> {}", "x".repeat(999)));
}

#[test]
fn every_server_tells_one_who_comes_too_late_why() {
    for name in ["echo", "time", "chat"] {
        let server = Server::start(name, &["--max-clients", "1"]);
        let _first = server.client();
        let mut second = server.client();
        // Sent before the refusal is read, it must not turn the refusal into a reset.
        second.send("hello\r\n");
        second.expect("*** server full (1 client), please try again later");
        second.expect_eof();
    }
}

#[test]
fn one_who_speaks_before_the_refusal_reads_it_to_its_end() {
    let server = Server::start("chat", &["--max-clients", "1"]);
    let _first = server.guest(&mut []);
    server.hold();
    // More than have the time to read on.
    let mut crowd: Vec<Client> = (0..2 * REFUSALS).map(|_| server.client()).collect();
    for client in &mut crowd {
        client.send("hello\r\n");
    }
    server.go_on();
    for client in &mut crowd {
        client.expect("*** server full (1 client), please try again later");
        client.expect_eof();
        let error = client.socket().take_error().expect("a socket");
        assert!(error.is_none(), "{error:?}: other systems lose the line to a RST");
    }
}

#[test]
fn out_of_descriptors_a_server_refuses_at_once_idles_and_recovers() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let usual = getrlimit(Resource::Nofile);
    let none_left = Rlimit { current: Some(server.next_descriptor()), ..usual };
    prlimit(Some(server.pid()), Resource::Nofile, none_left).expect("lowering is allowed");

    let started = Instant::now();
    let mut outside: Vec<Client> = (0..20).map(|_| server.client()).collect();
    for refused in &mut outside {
        refused.expect("*** server full, please try again later");
        refused.expect_eof();
        speaks(&mut ann, &mut bob, "we are still here");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let (idle, before) = (Duration::from_secs(1), server.cpu());
    ann.expect_silence(idle);
    let used = server.cpu() - before;
    assert!(used < idle / 4, "busy for {used:?} in {idle:?}");

    prlimit(Some(server.pid()), Resource::Nofile, usual).expect("it was so before");
    let _eve = server.guest(&mut [&mut ann, &mut bob]);
    let log = server.log_so_far();
    for told_once in ["cannot take new clients", "refusing clients"] {
        assert_eq!(log.iter().filter(|line| line.contains(told_once)).count(), 1, "{log:?}");
    }
}

#[test]
fn one_address_gets_no_more_than_its_places_while_loopback_is_exempt() {
    let Some(outer) = address_beside_loopback() else {
        eprintln!("left out: this machine has no address beside loopback");
        return;
    };
    let server = Server::start("chat", &["--max-per-ip", "2"]);
    let mut locals: Vec<Client> = (0..3).map(|_| server.guest(&mut [])).collect();
    let first = server.guest_over(connect_from(outer, server.address), &mut []);
    let _second = server.guest_over(connect_from(outer, server.address), &mut []);
    let mut third = connect_from(outer, server.address);
    third.expect(format_args!("*** too many connections from {outer}"));
    third.expect_eof();
    locals.push(server.guest(&mut []));

    drop(first);
    server.logged("closed");
    let _third = server.guest_over(connect_from(outer, server.address), &mut []);
}

/// The address that datagrams would leave from; none leaves.
fn address_beside_loopback() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

fn connect_from(source: IpAddr, server: SocketAddr) -> Client {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP));
    let socket = socket.expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::new(source, 0)).expect("an address of ours");
    rustix::net::connect(&socket, &server).expect("the server accepts");
    Client::over(TcpStream::from(socket))
}
