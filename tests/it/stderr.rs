//! The log on standard error: what stands in it, and that no sink can stop a server.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::process::Command;

use jiff::Timestamp;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use crate::harness::{Server, binary, in_shell, numbers, pseudo_terminal};

#[test]
fn a_closed_stderr_stops_nothing() {
    serves_on(&Server::start_unheard(|| in_shell(r#"exec "$0" "$@" 2>&-"#, "chat", &[])));
}

#[test]
fn a_stderr_on_a_full_disk_stops_nothing() {
    serves_on(&Server::start_unheard(|| in_shell(r#"exec "$0" "$@" 2>/dev/full"#, "chat", &[])));
}

#[test]
fn a_stderr_pipe_whose_reader_is_gone_stops_nothing() {
    let (server, reader) = start_on_pipe(&[]);
    drop(reader);
    serves_on(&server);
}

#[test]
fn a_terminal_that_nobody_reads_stops_nothing() {
    let terminal = Cell::new(None);
    let server = Server::start_unheard(|| {
        let (master, slave) = pseudo_terminal();
        terminal.set(Some(master));
        logging_to(slave, &[])
    });
    serves_on(&server);
}

#[test]
fn a_full_stderr_pipe_stops_nothing_and_the_lines_lost_are_counted() {
    let (mut server, reader) = start_on_pipe(&[]);
    serves_on(&server);
    let mut lines = drain(&reader);
    server.hear(reader);
    server.signal(Signal::USR1);
    lines.extend(server.log_up_to("figures"));
    let lost: u64 = lines.iter().filter_map(|line| numbers(line).remove("log_lines_lost")).sum();
    assert!(lost > 0, "the pipe was never full");
    let figures = numbers(lines.last().expect("the figures"));
    let ended = figures["left"] + figures["lost"];
    let listening = 2;
    let logged = lines.len() as u64 - 1;
    assert_eq!(logged + lost, listening + figures["accepted"] + ended);
}

#[test]
fn a_quiet_server_logs_only_what_it_is_asked_for() {
    let (mut server, reader) = start_on_pipe(&["--quiet"]);
    server.hear(reader);
    drop(server.guest(&mut []));
    server.signal(Signal::USR1);
    assert_eq!(server.log_up_to("figures").len(), 1);
    server.signal(Signal::TERM);
    server.exit();
    assert_eq!(server.log_to_its_end(), [""; 0]);
}

#[test]
fn a_line_begins_with_its_time_in_utc() {
    let (_server, reader) = start_on_pipe(&[]);
    let line = first_line(reader);
    let (time, rest) = line.split_once(" chat: ").expect("a time");
    let digits = time.replace(|c: char| c.is_ascii_digit(), "9");
    assert_eq!(digits, "9999-99-99T99:99:99.999Z");
    let age = time.parse::<Timestamp>().expect("a time").duration_until(Timestamp::now());
    assert!((0..=60).contains(&age.as_secs()), "{line} is {age:?} old");
    assert!(rest.starts_with("listening on "), "{line}");
}

#[test]
fn a_journal_which_stamps_its_lines_reads_no_other_time() {
    let journal = |stderr: &OwnedFd| {
        let pipe = rustix::fs::fstat(stderr).expect("a pipe");
        ("JOURNAL_STREAM", format!("{}:{}", pipe.st_dev, pipe.st_ino))
    };
    let (_server, reader) = start_on_pipe_with(&[], journal);
    let line = first_line(reader);
    assert!(line.starts_with("chat: listening on "), "{line}");
}

#[test]
fn a_journal_that_is_not_standard_error_is_none() {
    let elsewhere = |_: &OwnedFd| ("JOURNAL_STREAM", "8:1".to_owned());
    let (_server, reader) = start_on_pipe_with(&[], elsewhere);
    let line = first_line(reader);
    assert!(line.contains("Z chat: listening on "), "{line}");
}

#[test]
fn a_tz_that_is_no_zone_is_warned_of_in_one_line_that_names_the_mend() {
    let typo = |_: &OwnedFd| ("TZ", "Europe/Pargue".to_owned());
    let (mut server, reader) = start_on_pipe_with(&["--timestamps"], typo);
    server.hear(reader);
    let warning = "chat: warning: showing UTC: TZ is not a name of /usr/share/zoneinfo (tzdata) such as \
                   Europe/Berlin, or a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3 TZ=Europe/Pargue";
    assert_eq!(server.logged("warning"), warning);
}

#[test]
fn a_server_on_loopback_says_how_to_open_the_port_it_has() {
    for (listen, everywhere) in [("127.0.0.1:0", "0.0.0.0"), ("[::1]:0", "[::]")] {
        let server = Server::start_listening(&mut Command::new(binary("chat")), listen);
        let hint = server.logged("only this machine can connect");
        let port = server.address.port();
        let mend = format!("; --listen {everywhere}:{port} opens it to the network");
        assert!(hint.ends_with(&mend), "{hint}");
    }
}

#[test]
fn one_line_tells_of_an_ended_connection() {
    let server = Server::start("chat", &[]);
    let mut ann = server.client();
    let peer = ann.socket().local_addr().expect("connected");
    let bytes_out = ann.line().len() + 2;
    assert!(server.logged("joined").ends_with(&format!("joined peer={peer} name=guest1")));
    ann.send("four");
    ann.half_close();
    ann.expect_eof();
    drop(ann);
    let closed = server.logged("closed");
    let (before, after) = closed.split_once(" seconds=").expect("how long it was here");
    assert_eq!(before, format!("chat: closed peer={peer} name=guest1 reason=left"));
    let (seconds, after) = after.split_once(' ').expect("what came through it");
    assert!(seconds.parse::<f64>().expect("a number") < 60.0);
    assert_eq!(after, format!("bytes_in=4 bytes_out={bytes_out} missed=0"));
}

#[test]
fn the_readme_explains_every_figure() {
    let readme = include_str!("../../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    for figure in Server::start("chat", &[]).figures().keys() {
        let explained = rows.iter().any(|row| row.contains(&format!("`{figure}`")));
        assert!(explained, "{figure}");
    }
}

#[test]
fn each_line_is_an_object_in_json() {
    let server = Server::start("chat", &["--log", "json"]);
    let ann = server.guest(&mut []);
    let peer = ann.socket().local_addr().expect("connected").to_string();
    ann.reset();
    let joined = object(&server.logged("joined"));
    assert_eq!(joined["peer"], peer);
    let closed = object(&server.logged("closed"));
    for (key, value) in [
        ("level", "info"),
        ("server", "chat"),
        ("message", "closed"),
        ("peer", &peer),
        ("name", "guest1"),
        ("reason", "connection lost"),
        ("bytes_in", "0"),
        ("missed", "0"),
    ] {
        assert_eq!(closed[key], value, "{key} of {closed:?}");
    }
    assert!(closed["bytes_out"].parse::<u64>().is_ok());
    assert!(closed["seconds"].parse::<f64>().is_ok());
    assert!(closed["time"].parse::<Timestamp>().is_ok());
}

/// What is in a pipe now.
fn drain(mut pipe: &File) -> Vec<String> {
    fcntl_setfl(pipe, OFlags::NONBLOCK).expect("a pipe");
    let mut bytes = Vec::new();
    let error = pipe.read_to_end(&mut bytes).expect_err("its writer lives");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    fcntl_setfl(pipe, OFlags::empty()).expect("a pipe");
    BufRead::lines(&bytes[..]).collect::<Result<_, _>>().expect("UTF-8")
}

fn first_line(log: File) -> String {
    let mut line = String::new();
    BufReader::new(log).read_line(&mut line).expect("UTF-8");
    line
}

/// Goes through more log lines than any pipe holds.
#[track_caller]
fn serves_on(server: &Server) {
    for _ in 0..1000 {
        server.guest(&mut []).reset();
    }
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut []);
    ann.send("still here\r\n");
    bob.expect_said(format_args!("<{}> still here", ann.name));
}

/// A chat, and the other end of its log.
fn start_on_pipe(options: &[&str]) -> (Server, File) {
    start_on_pipe_with(options, |_| ("UNUSED", String::new()))
}

/// The same, with a variable that may depend on the pipe.
fn start_on_pipe_with(
    options: &[&str],
    variable: impl Fn(&OwnedFd) -> (&'static str, String),
) -> (Server, File) {
    let reader = Cell::new(None);
    let server = Server::start_unheard(|| {
        let (end, stderr) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        reader.set(Some(end));
        let (name, value) = variable(&stderr);
        let mut command = logging_to(stderr, options);
        command.env(name, value);
        command
    });
    let reader = reader.take().expect("it has started");
    (server, File::from(reader))
}

fn logging_to(stderr: OwnedFd, options: &[&str]) -> Command {
    let mut command = Command::new(binary("chat"));
    command.args(options).stderr(stderr);
    command
}

/// The pairs of a JSON object of strings and numbers.
#[track_caller]
fn object(line: &str) -> BTreeMap<String, String> {
    let inner = line.strip_prefix('{').and_then(|line| line.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("no object: {line}"));
    let mut pairs = BTreeMap::new();
    while !rest.is_empty() {
        let (key, value) =
            rest.strip_prefix('"').and_then(|rest| rest.split_once("\":")).expect("a key");
        let end = match value.strip_prefix('"') {
            Some(text) => text.find('"').expect("an end") + 2,
            None => value.find(',').unwrap_or(value.len()),
        };
        pairs.insert(key.to_owned(), value[..end].trim_matches('"').to_owned());
        rest = value[end..].strip_prefix(',').unwrap_or(&value[end..]);
    }
    pairs
}
