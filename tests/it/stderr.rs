//! The log on standard error: what stands in it, and that no sink can stop a server.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use jiff::Timestamp;
use rustix::fs::{CWD, FileType, Mode, OFlags, fchmod, fcntl_setfl, mknodat, open};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, Signal};
use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::harness::{
    Client, Server, binary, eventually, in_shell, is_missing, numbers, pseudo_terminal,
};

/// What a pipe holds at most, in bytes (/proc/sys/fs/pipe-max-size): to fill it takes a while.
const WIDE_PIPE: usize = 1 << 20;

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
    let (server, _terminal) = start_at_a_terminal(r#"exec "$0" "$@""#, |_| {});
    serves_on(&server);
}

#[test]
fn a_terminal_that_nobody_reads_and_that_may_not_be_opened_stops_nothing() {
    if is_missing(&["setpriv"]) {
        return;
    }
    let line = format!(r#"exec {} "$0" "$@""#, without_rights());
    let (server, terminal) = start_at_a_closed_terminal(&line);
    serves_on(&server);
    let lines = drain(&terminal);
    let [warning, listening, _only_here] = &lines[..] else { panic!("{lines:#?}") };
    assert!(
        warning.contains("warning: while clients are served nothing is logged here"),
        "{warning}"
    );
    assert!(listening.contains("listening on "), "{listening}");
}

#[test]
fn the_terminal_that_controls_a_server_is_its_log_whoever_may_open_it() {
    if is_missing(&["setsid", "setpriv"]) {
        return;
    }
    let line = format!(r#"exec setsid --ctty {} "$0" "$@" <&2"#, without_rights());
    let (server, terminal) = start_at_a_closed_terminal(&line);
    serves_on(&server);
    let mut shown = String::new();
    eventually("logging", || {
        shown += &rest(&terminal);
        server.signal(Signal::USR1);
        shown.contains("log_lines_lost=")
    });
}

#[test]
fn stty_tostop_silences_a_background_server_and_does_not_stop_it() {
    if is_missing(&["setsid", "setpriv", "stty"]) {
        return;
    }
    // The server ends with the shell, which is all that the end of the test ends.
    let job = r#"stty tostop; set -m; setpriv --pdeathsig KILL "$0" "$@" & wait"#;
    let line = format!(r#"exec setsid --ctty sh -c '{job}' "$0" "$@" <&2"#);
    let (server, terminal) = start_at_a_terminal(&line, |_| {});
    serves_on(&server);
    assert_eq!(rest(&terminal), "");
}

#[test]
fn stty_tostop_silences_no_server_in_the_foreground() {
    if is_missing(&["setsid", "stty"]) {
        return;
    }
    let line = r#"exec setsid --ctty sh -c 'stty tostop; exec "$0" "$@"' "$0" "$@" <&2"#;
    let (_server, terminal) = start_at_a_terminal(line, |_| {});
    eventually("logging", || rest(&terminal).contains("listening on "));
}

#[test]
fn a_log_file_at_its_size_limit_stops_nothing() {
    let path = std::env::temp_dir().join(format!("log-{}", std::process::id()));
    let file = File::create(&path).expect("a file");
    std::fs::remove_file(&path).expect("the file");
    let server = Server::start_unheard(|| {
        let mut command = in_shell(r#"ulimit -f 1 && exec "$0" "$@""#, "chat", &[]);
        command.stderr(file.try_clone().expect("a descriptor"));
        command
    });
    serves_on(&server);
    // One block: 512 bytes (POSIX), or 1024 (bash).
    let length = file.metadata().expect("a file").len();
    assert!([512, 1024].contains(&length), "{length} bytes");
}

#[test]
fn a_stderr_pipe_that_others_fill_stops_nothing() {
    for (_, ends, is_closed) in PIPES {
        if is_closed && is_missing(&["setpriv"]) {
            continue;
        }
        let filler = Cell::new(None);
        let (server, reader) = start_on(is_closed, || {
            let (reader, stderr) = ends();
            fcntl_setpipe_size(&stderr, WIDE_PIPE).expect("a pipe");
            // In an open file of its own, so that the server's stays one that waits.
            let path = format!("/proc/self/fd/{}", stderr.as_raw_fd());
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            filler.set(Some(open(path, flags, Mode::empty()).expect("a pipe")));
            (reader, stderr)
        });
        let mut filler = File::from(filler.take().expect("it has started"));
        for _ in 0..100 {
            beside_this_thread(server.pid());
            let crowd: Vec<_> = (0..20).map(|_| server.guest(&mut [])).collect();
            rest(&reader);
            crowd.into_iter().for_each(Client::reset);
            // There is room until the end of it, and none behind it.
            let _in_part = filler.write(&[b'x'; WIDE_PIPE]).expect("room");
            server.guest(&mut []).reset();
        }
    }
}

#[test]
fn a_full_stderr_stops_nothing_and_the_lines_lost_are_counted() {
    let socket = ("a socket", a_socket as Ends, false);
    for (kind, ends, is_closed) in PIPES.into_iter().chain([socket]) {
        if is_closed && is_missing(&["setpriv"]) {
            continue;
        }
        let (mut server, reader) = start_on(is_closed, ends);
        serves_on(&server);
        let mut lines = drain(&reader);
        server.hear(reader);
        server.signal(Signal::USR1);
        lines.extend(server.log_up_to("stats"));
        let lost = lines.iter().filter_map(|line| numbers(line).remove("log_lines_lost"));
        let lost: u64 = lost.sum();
        assert!(lost > 0, "{kind} was never full");
        let stats = numbers(lines.last().expect("the stats"));
        let ended = stats["left"] + stats["lost"];
        let listening = 2;
        let logged = lines.len() as u64 - 1;
        assert_eq!(logged + lost, listening + stats["accepted"] + ended, "{kind}");
    }
}

#[test]
fn a_quiet_server_logs_only_what_it_is_asked_for() {
    let (mut server, reader) = start_on_pipe(&["--quiet"]);
    server.hear(reader);
    drop(server.guest(&mut []));
    server.signal(Signal::USR1);
    assert_eq!(server.log_up_to("stats").len(), 1);
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

#[cfg(feature = "local-time")]
#[test]
fn a_tz_that_is_no_zone_is_warned_of_in_one_line_that_names_the_mend() {
    let typo = |_: &OwnedFd| ("TZ", "Europe/Pargue".to_owned());
    let (mut server, reader) = start_on_pipe_with(&["--timestamps"], typo);
    server.hear(reader);
    let warning = "chat: warning: showing UTC: TZ is not a name of /usr/share/zoneinfo (tzdata) such as \
                   Europe/Berlin, or a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3 TZ=Europe/Pargue";
    assert_eq!(server.logged("warning"), warning);
}

#[cfg(not(feature = "local-time"))]
#[test]
fn a_tz_that_a_program_without_local_time_does_not_show_is_warned_of() {
    let zone = |_: &OwnedFd| ("TZ", "Europe/Prague".to_owned());
    let (mut server, reader) = start_on_pipe_with(&["--timestamps"], zone);
    server.hear(reader);
    let warning = server.logged("warning");
    let said = "showing UTC: this program was built without local-time TZ=Europe/Prague";
    assert!(warning.ends_with(said), "{warning}");
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
fn the_readme_explains_every_counter() {
    let readme = include_str!("../../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    for counter in Server::start("chat", &[]).stats().keys() {
        let explained = rows.iter().any(|row| row.contains(&format!("`{counter}`")));
        assert!(explained, "{counter}");
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

/// Makes a standard error, behind the end that it is read from.
type Ends = fn() -> (OwnedFd, OwnedFd);

/// The pipes that a standard error can be, and whether the server may not open them.
const PIPES: [(&str, Ends, bool); 3] = [
    ("a pipe", a_pipe, false),
    ("a pipe of another user", a_pipe, true),
    ("a named pipe of another user", a_named_pipe, true),
];

fn a_pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

fn a_named_pipe() -> (OwnedFd, OwnedFd) {
    let path = std::env::temp_dir().join(format!("pipe-{}", std::process::id()));
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a name for a pipe");
    let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let stderr = open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    std::fs::remove_file(&path).expect("the pipe");
    let reader = reader.expect("a pipe");
    fcntl_setfl(&reader, OFlags::empty()).expect("a pipe");
    (reader, stderr.expect("a pipe"))
}

fn a_socket() -> (OwnedFd, OwnedFd) {
    let (reader, stderr) = UnixStream::pair().expect("two sockets");
    (reader.into(), stderr.into())
}

/// What a shell starts a server with that may open no more than others let it.
fn without_rights() -> &'static str {
    match rustix::process::geteuid().is_root() {
        true => "setpriv --bounding-set -dac_override,-dac_read_search",
        false => "",
    }
}

/// A chat on a standard error that, if it `is_closed`, it may not open; and the other end of it.
fn start_on(is_closed: bool, ends: impl Fn() -> (OwnedFd, OwnedFd)) -> (Server, File) {
    let reader = Cell::new(None);
    let server = Server::start_unheard(|| {
        let (end, stderr) = ends();
        reader.set(Some(File::from(end)));
        if !is_closed {
            return logging_to(stderr, &[]);
        }
        fchmod(&stderr, Mode::empty()).expect("a pipe");
        let mut command = in_shell(&format!(r#"exec {} "$0" "$@""#, without_rights()), "chat", &[]);
        command.stderr(stderr);
        command
    });
    (server, reader.take().expect("it has started"))
}

/// Lets a process run while this thread does.
fn beside_this_thread(pid: Pid) {
    let mut processors = sched_getaffinity(None).expect("Linux");
    if processors.count() > 1 {
        processors.unset(sched_getcpu());
        sched_setaffinity(Some(pid), &processors).expect("a process");
    }
}

/// A chat that the shell line starts at a terminal, and what shows that terminal.
fn start_at_a_terminal(line: &str, prepare: impl Fn(&OwnedFd)) -> (Server, File) {
    let terminal = Cell::new(None);
    let server = Server::start_unheard(|| {
        let (master, slave) = pseudo_terminal();
        prepare(&slave);
        terminal.set(Some(File::from(master)));
        let mut command = in_shell(line, "chat", &[]);
        command.stderr(slave);
        command
    });
    (server, terminal.take().expect("it has started"))
}

/// The same, where nobody may open the terminal.
fn start_at_a_closed_terminal(line: &str) -> (Server, File) {
    start_at_a_terminal(line, |slave| fchmod(slave, Mode::empty()).expect("a terminal"))
}

/// The lines that are in a pipe now.
fn drain(pipe: &File) -> Vec<String> {
    rest(pipe).lines().map(str::to_owned).collect()
}

/// What is in a pipe now.
fn rest(mut pipe: &File) -> String {
    fcntl_setfl(pipe, OFlags::NONBLOCK).expect("a pipe");
    let mut bytes = Vec::new();
    let error = pipe.read_to_end(&mut bytes).expect_err("its writer lives");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    fcntl_setfl(pipe, OFlags::empty()).expect("a pipe");
    String::from_utf8(bytes).expect("UTF-8")
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
