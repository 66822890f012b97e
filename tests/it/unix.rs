//! The servers over unix sockets, and the files of these.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};
use rustix::process::{Signal, geteuid};

use crate::cli::{one_line, run};
use crate::harness::{Client, Folder, Server, binary, eventually, speaks};

const GOODBYE: &str = "*** the server is going down, goodbye";

/// What `--listen` gets for a socket at this path.
fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// A server that listens on this path only.
fn start(name: &str, path: &Path, options: &[&str]) -> Server {
    let mut command = Command::new(binary(name));
    let server = Server::start_as_told(command.args(["--listen", &unix(path)]).args(options));
    assert!(server.logged("listening on").ends_with(&unix(path)));
    server
}

/// What a program says that cannot listen there.
fn refused(name: &str, listen: &str, code: i32) -> String {
    let output = run(name, &["--listen", listen]);
    assert_eq!(output.status.code(), Some(code), "{listen}");
    one_line(&output)
}

#[test]
fn all_three_serve_whoever_comes_and_name_them_by_user_and_process() {
    let folder = Folder::new("all-three");
    for name in ["echo", "time", "chat"] {
        let path = folder.path(name);
        let server = start(name, &path, &[]);
        let mut client = Client::connect_unix(&path);
        client.send("hello\r\n");
        client.line();
        client.half_close();
        drop(client);
        let peer = format!("peer=uid:{},pid:{} ", geteuid().as_raw(), std::process::id());
        let line = server.logged("closed");
        assert!(line.contains(&peer), "{line}");
    }
}

#[test]
fn guests_meet_whether_they_come_over_a_unix_socket_or_tcp() {
    let folder = Folder::new("meet");
    let path = folder.path("chat.sock");
    let mut server = Server::start("chat", &["--listen", &unix(&path)]);
    server.logged("listening on unix:");
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);
    speaks(&mut ann, &mut bob, "hello");
    speaks(&mut bob, &mut ann, "hello to you");
    server.signal(Signal::TERM);
    for mut guest in [ann, bob] {
        guest.expect(GOODBYE);
        guest.expect_eof();
    }
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn what_one_wrote_who_closed_at_once_is_heard() {
    let folder = Folder::new("hasty");
    let path = folder.path("chat.sock");
    let server = start("chat", &path, &["--history", "0"]);
    let mut ann = server.guest_over(Client::connect_unix(&path), &mut []);
    server.hold();
    Client::connect_unix(&path).send("first\r\nlast");
    server.go_on();
    ann.expect_said("<guest2> first");
    ann.expect("<guest2> last");
    ann.expect("*** guest2 left");
}

#[test]
fn a_place_is_free_again_when_its_client_has_closed() {
    let folder = Folder::new("gone");
    let path = folder.path("time.sock");
    let options = ["--every", "3600", "--max-clients", "1", "--stall", "1", "--dead", "2"];
    let server = start("time", &path, &options);
    for _ in 0..2 {
        eventually("a free place", || !Client::connect_unix(&path).line().contains("full"));
    }
    server.signal(Signal::USR1);
    server.logged("stats");
}

#[test]
fn the_server_s_user_and_group_may_connect_and_nobody_else() {
    let folder = Folder::new("mode");
    let path = folder.path("chat.sock");
    let _server = start("chat", &path, &[]);
    let mode = path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn a_file_that_a_server_left_behind_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.path("chat.sock");
    let mut killed = start("chat", &path, &[]);
    killed.signal(Signal::KILL);
    killed.exit();
    assert!(path.exists());
    let server = start("chat", &path, &[]);
    server.guest_over(Client::connect_unix(&path), &mut []);
}

#[test]
fn a_socket_that_somebody_has_is_left_to_them() {
    let folder = Folder::new("busy");
    let path = folder.path("chat.sock");
    let server = start("chat", &path, &[]);
    let mut ann = server.guest_over(Client::connect_unix(&path), &mut []);
    let error = refused("time", &unix(&path), 1);
    let mend = "another program listens there; end it, or choose another path";
    assert_eq!(error, format!("time: cannot listen on {}: {mend}", unix(&path)));
    // It was not asked by a connection: nobody else has come.
    let _bob = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);

    let other = folder.path("datagram");
    let _datagram = UnixDatagram::bind(&other).expect("a new file");
    assert!(refused("time", &unix(&other), 1).ends_with(mend));
    let other = folder.path("silent");
    let _listener = UnixListener::bind(&other).expect("a new file");
    assert!(refused("time", &unix(&other), 1).ends_with(mend));
}

#[test]
fn what_is_in_the_way_of_a_socket_file_is_said_in_one_line() {
    let folder = Folder::new("in-the-way");
    let file = folder.path("file");
    std::fs::write(&file, "mine").expect("a new file");
    let long = folder.path(&"x".repeat(108));
    for (path, said, code) in [
        (file.clone(), "this file is no socket; move it away, or choose another path", 1),
        (folder.path("no/chat.sock"), "/no; make it first", 1),
        (folder.path("file/chat.sock"), "Not a directory", 1),
        (long, "a socket's path has room for about 100; give a shorter one", 2),
        (PathBuf::new(), "takes the path of a file, such as unix:/run/chat.sock, not ''", 2),
    ] {
        let error = refused("chat", &unix(&path), code);
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
    let path = folder.path("chat.sock");
    let twice = run("chat", &["--listen", &unix(&path), "--listen", &unix(&path)]);
    assert!(one_line(&twice).contains("is given twice; leave one out"));
    let error = one_line(&without_rights(&folder, &folder.path("chat.sock")));
    assert!(error.contains("no right to make a file in "), "{error}");
}

/// What a chat of somebody says who may not write into the folder, not even as root.
fn without_rights(folder: &Folder, path: &Path) -> Output {
    const NOBODY: u32 = 65_534;
    let copy = folder.path("chat");
    std::fs::copy(binary("chat"), &copy).expect("room for a copy that everybody may run");
    std::fs::set_permissions(folder.path(""), Permissions::from_mode(0o555)).expect("ours");
    let mut command = Command::new("timeout");
    command.arg("20").arg(&copy).args(["--listen", &unix(path)]);
    if geteuid().is_root() {
        command.uid(NOBODY);
    }
    let output = command.output().expect("it starts");
    std::fs::set_permissions(folder.path(""), Permissions::from_mode(0o755)).expect("ours");
    output
}

#[test]
fn nothing_stays_of_a_server_that_cannot_listen_everywhere() {
    let folder = Folder::new("half");
    let (first, second) = (folder.path("first"), folder.path("no/second"));
    let output = run("chat", &["--listen", &unix(&first), "--listen", &unix(&second)]);
    assert_eq!(output.status.code(), Some(1));
    one_line(&output);
    assert!(!first.exists());
}

#[test]
fn the_file_is_gone_when_the_goodbye_is_read() {
    let folder = Folder::new("gone");
    let path = folder.path("chat.sock");
    let mut server = start("chat", &path, &[]);
    let mut guest = server.guest_over(Client::connect_unix(&path), &mut []);
    server.signal(Signal::TERM);
    guest.expect(GOODBYE);
    assert!(!path.exists());
    drop(guest);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn the_file_of_another_server_stays() {
    let folder = Folder::new("others");
    let path = folder.path("chat.sock");
    let mut first = start("chat", &path, &[]);
    std::fs::remove_file(&path).expect("the first one's");
    let second = start("chat", &path, &[]);
    first.signal(Signal::TERM);
    assert_eq!(first.exit().code(), Some(0));
    second.guest_over(Client::connect_unix(&path), &mut []);
}

#[test]
fn the_limit_on_clients_holds_and_the_one_on_addresses_does_not_count() {
    let folder = Folder::new("limits");
    let path = folder.path("chat.sock");
    let _server = start("chat", &path, &["--max-clients", "2", "--max-per-ip", "1"]);
    let _inside: Vec<Client> = (0..2)
        .map(|_| {
            let mut client = Client::connect_unix(&path);
            assert!(client.line().starts_with("*** welcome"));
            client
        })
        .collect();
    let mut third = Client::connect_unix(&path);
    third.send("hello\r\n");
    third.expect("*** server full (2 clients), please try again later");
    third.expect_eof();
}

#[test]
fn one_user_who_comes_again_gets_no_new_burst() {
    let folder = Folder::new("burst");
    let path = folder.path("chat.sock");
    let server = start("chat", &path, &["--rate", "1", "--burst", "5"]);
    let mut ann = server.guest_over(Client::connect_unix(&path), &mut []);
    let mut hasty = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);
    hasty.send("line\r\n".repeat(4));
    hasty.half_close();
    ann.skip_to("*** guest2 left");
    let mut again = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);
    let asked = Instant::now();
    again.send("line\r\n".repeat(4));
    for _ in 0..4 {
        ann.expect_said("<guest3> line");
    }
    let took = asked.elapsed();
    assert!(took.as_secs() >= 1, "{took:?}");
}

#[test]
fn one_who_takes_nothing_is_dropped_after_the_stall_limit() {
    let folder = Folder::new("stall");
    let path = folder.path("chat.sock");
    let server = start("chat", &path, &["--stall", "1"]);
    let mut ann = server.guest_over(Client::connect_unix(&path), &mut []);
    let _stuck = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);
    // More than the buffer for a client holds, but less than the one that Linux starts with.
    ann.send(["x".repeat(900).as_str(), "\r\n"].concat().repeat(100));
    assert!(server.logged("closed").contains("name=guest2 reason=stalled"));
    ann.expect("*** guest2 left (stalled)");
}

/// Of a byte out of line, the events would not end.
#[test]
fn an_urgent_byte_is_one_of_the_others() {
    let folder = Folder::new("urgent");
    let path = folder.path("echo.sock");
    let server = start("echo", &path, &[]);
    let mut client = Client::connect_unix(&path);
    for _ in 0..3 {
        if send(client.socket(), b"!", SendFlags::OOB).is_err() {
            eprintln!("left out: this kernel has no urgent bytes over unix sockets");
            return;
        }
        client.expect_bytes(b"!");
        client.send("hello");
        client.expect_bytes(b"hello");
    }
    let before = server.cpu();
    client.expect_silence(Duration::from_millis(500));
    let used = server.cpu() - before;
    assert!(used < Duration::from_millis(100), "{used:?}");
    drop(client);
    eventually("closed", || server.log_so_far().iter().any(|line| line.contains("reason=left")));
}
