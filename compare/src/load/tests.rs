//! A server that errs on purpose, in this process, to see that the generator finds it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustix::net::sockopt;

use crate::load::{self, Job};
use crate::results::Outcome;
use crate::workload::Load;

/// What it does to one line of many.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Drop,
    Duplicate,
    Reorder,
    Damage,
    Miss,
}

/// The line, or the byte of an echo, that it happens to: after the warm-up.
const WHICH: usize = 40;

type Guests = Arc<Mutex<Vec<TcpStream>>>;

/// Each client that connects.
fn serve(client: impl FnMut(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    // Those that it accepts have urgent bytes among the others, from the first one on.
    sockopt::set_socket_oobinline(&listener, true).expect("a socket");
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(client));
    address
}

fn chat(fault: Fault) -> SocketAddr {
    let guests = Guests::default();
    serve(move |stream| {
        (&stream).write_all(b"*** welcome, you are guest\r\n").expect("a client");
        let me = guests.lock().expect("no panic").len();
        guests.lock().expect("no panic").push(stream.try_clone().expect("a descriptor"));
        let guests = guests.clone();
        std::thread::spawn(move || relay(me, stream, &guests, fault));
    })
}

fn relay(me: usize, stream: TcpStream, guests: &Guests, fault: Fault) {
    let tell = |line: &str| {
        let guests = guests.lock().expect("no panic");
        for (_, guest) in guests.iter().enumerate().filter(|(other, _)| *other != me) {
            let mut guest = guest;
            let _gone = write!(guest, "<guest{me}> {line}\r\n");
        }
    };
    let mut held = None;
    for (number, line) in BufReader::new(stream).lines().map_while(Result::ok).enumerate() {
        let fault = if number == WHICH { fault } else { Fault::None };
        match fault {
            Fault::Drop => {}
            Fault::Duplicate => [&line, &line].iter().for_each(|line| tell(line)),
            Fault::Reorder => held = Some(line),
            Fault::Damage => tell(&line.replace('q', "Q")),
            Fault::Miss => {
                let mut guests = guests.lock().expect("no panic");
                guests[2].write_all(b"*** you missed 1 line\r\n").expect("a client");
                write!(guests[1], "<guest{me}> {line}\r\n").expect("a client");
            }
            Fault::None => {
                tell(&line);
                held.take().iter().for_each(|line| tell(line));
            }
        }
    }
}

pub(crate) fn echo(wrong: bool) -> SocketAddr {
    serve(move |mut stream| {
        std::thread::spawn(move || {
            let (mut buffer, mut sent) = ([0; 4096], 0);
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                if wrong && (sent..sent + n).contains(&(64 * WHICH)) {
                    buffer[64 * WHICH - sent] ^= 1;
                }
                sent += n;
                let _gone = stream.write_all(&buffer[..n]);
            }
        });
    })
}

fn outcome(address: SocketAddr, load: Load) -> Outcome {
    let pid = std::process::id();
    load::run(&Job { load, pid, address, window: 600, warm_up: 200, tracer: None })
}

fn fault_of(fault: Fault) -> Option<String> {
    let load = Load::Chat { clients: 3, speakers: 1, bytes: 56, rate: 100, burst: 1, deaf: 0 };
    outcome(chat(fault), load).fault
}

#[test]
fn a_faultless_chat_is_valid() {
    assert_eq!(fault_of(Fault::None), None);
}

#[test]
fn a_dropped_line_is_found() {
    assert_eq!(fault_of(Fault::Drop).as_deref(), Some("lines: 2 dropped"));
}

#[test]
fn a_duplicated_line_is_found() {
    assert_eq!(fault_of(Fault::Duplicate).as_deref(), Some("lines: 2 duplicated"));
}

#[test]
fn a_reordered_line_is_found() {
    assert_eq!(fault_of(Fault::Reorder).as_deref(), Some("lines: 2 reordered"));
}

#[test]
fn a_damaged_line_is_found() {
    let found = fault_of(Fault::Damage).expect("a fault");
    assert!(found.contains("2 damaged"), "{found}");
}

#[test]
fn lines_that_the_server_says_were_missed_are_no_valid_run() {
    let found = fault_of(Fault::Miss).expect("a fault");
    assert!(found.contains("the server says that 1 lines were missed"), "{found}");
}

#[test]
fn a_line_dropped_from_a_paste_is_found_and_one_paste_follows_the_other() {
    let load = Load::Chat { clients: 3, speakers: 1, bytes: 56, rate: 0, burst: 50, deaf: 0 };
    let whole = outcome(chat(Fault::None), load);
    assert_eq!(whole.fault, None);
    assert!(whole.metrics["messages"] > 200.0 && whole.metrics["messages"] % 100.0 == 0.0);
    assert_eq!(outcome(chat(Fault::Drop), load).fault.as_deref(), Some("lines: 2 dropped"));
}

#[test]
fn clients_who_did_not_get_the_editor_are_no_valid_run() {
    let load = Load::Editing { clients: 3, rate: 100, typed: 20 };
    let found = outcome(chat(Fault::None), load).fault.expect("a fault");
    assert!(found.contains("fell behind: "), "{found}");
    let found = outcome(chat(Fault::None), Load::Keys { rate: 1000, editing: true }).fault;
    assert_eq!(found.as_deref(), Some("the client was shown 0 bytes of what it typed"));
}

#[test]
fn an_echo_with_a_wrong_byte_is_found() {
    for load in [
        Load::Echo { clients: 2, bytes: 64, depth: 1, rate: 0 },
        Load::Echo { clients: 2, bytes: 64, depth: 16, rate: 0 },
        Load::Echo { clients: 2, bytes: 64, depth: 1, rate: 1000 },
    ] {
        assert_eq!(outcome(echo(false), load).fault, None);
        let found = outcome(echo(true), load).fault.expect("a fault");
        let place = format!("message {WHICH}, byte 0: other bytes came back than were sent");
        assert!(found.ends_with(&place), "{found}");
    }
}

#[test]
fn a_server_that_closes_is_found() {
    let load = Load::Echo { clients: 2, bytes: 64, depth: 1, rate: 0 };
    assert!(outcome(serve(drop), load).fault.is_some());
}
