//! The programs under a service manager: sockets that it passes, and what it is told.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::cli::one_line;
use crate::harness::{Client, Folder, PATIENCE, Server, binary, eventually, in_shell, is_missing};

/// Starts `"$0" "$@"` as a service manager does, with standard input as the first socket.
const PASSING_ONE: &str =
    r#"LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=chat.socket exec "$0" "$@" 3<&0 0</dev/null"#;

/// A command that gets this socket passed, from a shell line such as [`PASSING_ONE`].
fn passing(line: &str, name: &str, options: &[&str], socket: impl Into<OwnedFd>) -> Command {
    let mut command = in_shell(line, name, options);
    command.stdin(Stdio::from(socket.into()));
    command
}

fn tcp() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    (listener, address)
}

#[test]
fn a_socket_that_is_passed_is_served_by_all_three() {
    for name in ["echo", "time", "chat"] {
        let (listener, address) = tcp();
        let server = Server::start_as_told(&mut passing(PASSING_ONE, name, &[], listener));
        let said = server.logged("listening on");
        assert!(said.ends_with(&format!(": listening on {address}, passed as chat.socket")));
        let mut client = Client::connect(address);
        client.send("hello\r\n");
        client.line();
    }
}

#[test]
fn restarts_with_a_passed_socket_refuse_nobody() {
    const RESTARTS: usize = 20;
    const HALF: usize = 25;
    let (listener, address) = tcp();
    let start = || {
        let listener = listener.try_clone().expect("a descriptor");
        let server = Server::start_as_told(&mut passing(PASSING_ONE, "time", &[], listener));
        server.logged("listening on");
        server
    };
    let mut server = start();
    for _ in 0..RESTARTS {
        // Whether they meet the old server, none or the new one, is theirs.
        let visit = move || Client::connect(address).line();
        let racing: Vec<_> = (0..HALF).map(|_| std::thread::spawn(visit)).collect();
        server.signal(Signal::TERM);
        assert_eq!(server.exit().code(), Some(0));
        let waiting: Vec<_> = (0..HALF).map(|_| Client::connect(address)).collect();
        server = start();
        for mut client in waiting {
            let time = client.line();
            assert!(time.starts_with("20"), "{time}");
        }
        for client in racing {
            client.join().expect("a line");
        }
    }
}

#[test]
fn unix_sockets_and_several_may_be_passed_and_their_files_stay() {
    let folder = Folder::new("passed");
    let path = folder.path("chat.sock");
    let (listener, address) = tcp();
    let unix = UnixListener::bind(&path).expect("a new file");
    let line = r#"LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&0"#;
    let mut command = passing(line, "chat", &[], listener);
    let mut server = Server::start_as_told(command.stdout(OwnedFd::from(unix)));
    assert!(server.logged("listening on").contains(&address.to_string()));
    let said = server.logged("listening on");
    assert!(said.ends_with(&format!("on unix:{}, passed as b", path.display())));
    let mut ann = server.guest_over(Client::connect(address), &mut []);
    let bob = server.guest_over(Client::connect_unix(&path), &mut [&mut ann]);
    drop(bob);
    server.signal(Signal::TERM);
    ann.skip_to("*** the server is going down, goodbye");
    drop(ann);
    assert_eq!(server.exit().code(), Some(0));
    assert!(path.exists(), "it is the manager's");
}

#[test]
fn under_systemd_socket_activate_the_first_client_is_served() {
    if is_missing(&["systemd-socket-activate"]) {
        return;
    }
    let folder = Folder::new("activate");
    let path = folder.path("chat.sock");
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&path).arg(binary("chat"));
    let _server = Server::start_as_told(&mut command);
    let mut first = None;
    eventually("listening", || {
        first = UnixStream::connect(&path).ok();
        first.is_some()
    });
    let mut first = Client::over_unix(first.expect("a connection"));
    first.expect("*** welcome, you are guest1. nobody else is here yet");
}

/// What a chat says of a socket that is passed with these variables, and its exit code.
fn refused(socket: impl Into<OwnedFd>, variables: &str, options: &[&str]) -> (String, Option<i32>) {
    let line = format!(r#"{variables} exec "$0" "$@" 3<&0"#);
    let mut command = Command::new("timeout");
    command.args(["20", "sh", "-c", &line, binary("chat")]).args(options);
    let output = command.stdin(Stdio::from(socket.into())).output().expect("it starts");
    (one_line(&output), output.status.code())
}

#[test]
fn what_is_no_listening_stream_socket_is_said_in_one_line() {
    let folder = Folder::new("unfit");
    let file = std::fs::File::create(folder.path("file")).expect("a new file");
    let datagram = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let connected = UnixStream::pair().expect("two sockets").0;
    for socket in [OwnedFd::from(file), datagram.into(), connected.into()] {
        let (error, code) = refused(socket, "LISTEN_PID=$$ LISTEN_FDS=1", &[]);
        assert_eq!(code, Some(1));
        assert_eq!(
            error,
            "chat: cannot listen on descriptor 3 of LISTEN_FDS: it is no stream socket that \
             listens; with systemd, give ListenStream= and Accept=no"
        );
    }
}

#[test]
fn variables_that_cannot_be_are_said_in_one_line() {
    for (variables, options, said, code) in [
        ("LISTEN_PID=$$ LISTEN_FDS=2", &[][..], "descriptor 4 of LISTEN_FDS: it is not open", 1),
        ("LISTEN_PID=$$ LISTEN_FDS=16", &[], "descriptor 4 of LISTEN_FDS: it is not open", 1),
        ("LISTEN_PID=1 LISTEN_FDS=1", &[], "passes sockets to process 1, and this is ", 1),
        ("LISTEN_PID=$$ LISTEN_FDS=x", &[], "LISTEN_FDS is a number from 0 to 16, not 'x'", 1),
        ("LISTEN_PID=$$ LISTEN_FDS=999999999", &[], "from 0 to 16, not '999999999'", 1),
        (
            "LISTEN_PID=$$ LISTEN_FDS=1",
            &["--listen", "127.0.0.1:0"],
            "--listen is given, and LISTEN_FDS passes sockets too; leave one out (",
            2,
        ),
    ] {
        let (error, exit) = refused(tcp().0, variables, options);
        assert_eq!(exit, Some(code), "{variables}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn sockets_of_another_process_are_no_matter_to_one_that_is_told_where_to_listen() {
    let mut command = Command::new(binary("chat"));
    let server = Server::start_command(command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1"));
    server.guest(&mut []);
}

/// What the programs tell comes here.
fn manager(path: &Path) -> UnixDatagram {
    let manager = UnixDatagram::bind(path).expect("a new file");
    manager.set_read_timeout(Some(PATIENCE)).expect("a socket");
    manager
}

#[track_caller]
fn told(manager: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let n = manager.recv(&mut message).expect("a message");
    String::from_utf8(message[..n].to_vec()).expect("UTF-8")
}

#[test]
fn a_manager_hears_when_it_is_ready_how_it_is_and_that_it_stops() {
    let folder = Folder::new("notify");
    let manager = manager(&folder.path("notify"));
    for name in ["echo", "time", "chat"] {
        let path = folder.path(name);
        let mut command = Command::new(binary(name));
        command.arg("--listen").arg(format!("unix:{}", path.display()));
        command.env("NOTIFY_SOCKET", folder.path("notify")).env("WATCHDOG_USEC", "200000");
        let mut server = Server::start_as_told(&mut command);
        let none = "STATUS=clients now: 0; since the start 0 accepted, 0 refused";
        assert_eq!(told(&manager), format!("READY=1\n{none}"));
        let mut client = Client::connect_unix(&path);
        client.send("\r\n");
        client.line();
        let one = "STATUS=clients now: 1; since the start 1 accepted, 0 refused";
        while told(&manager) != format!("WATCHDOG=1\n{one}") {}
        assert_eq!(told(&manager), format!("WATCHDOG=1\n{one}"));
        drop(client);
        server.signal(Signal::TERM);
        while told(&manager) != "STOPPING=1" {}
        assert_eq!(server.exit().code(), Some(0));
        manager.set_nonblocking(true).expect("a socket");
        while manager.recv(&mut [0; 4096]).is_ok() {}
        manager.set_nonblocking(false).expect("a socket");
    }
}

#[test]
fn a_server_that_cannot_listen_is_not_ready() {
    let folder = Folder::new("unready");
    let manager = manager(&folder.path("notify"));
    let (_taken, address) = tcp();
    let mut command = Command::new(binary("chat"));
    command.args(["--listen", &address.to_string()]);
    let output = command.env("NOTIFY_SOCKET", folder.path("notify")).output();
    assert_eq!(output.expect("it starts").status.code(), Some(1));
    manager.set_nonblocking(true).expect("a socket");
    assert!(manager.recv(&mut [0; 4096]).is_err());
}

#[test]
fn a_manager_that_is_gone_harms_nobody() {
    let folder = Folder::new("deaf");
    drop(manager(&folder.path("gone")));
    for socket in ["gone", "none"].map(|file| folder.path(file)) {
        let mut command = Command::new(binary("chat"));
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "20000");
        let mut server = Server::start_as_told(command.args(["--listen", "127.0.0.1:0"]));
        let warning = server.logged("NOTIFY_SOCKET is ");
        assert!(warning.contains(": no service manager hears"), "{warning}");
        server.address = server.listens();
        drop(server.guest(&mut []));
        server.signal(Signal::TERM);
        assert_eq!(server.exit().code(), Some(0));
        let log = server.log_to_its_end();
        let warnings = log.iter().filter(|line| line.contains("warning: "));
        assert_eq!(warnings.count(), 0, "{log:?}");
    }
    let path = folder.path("notify");
    let manager = manager(&path);
    let mut command = Command::new(binary("chat"));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let server = Server::start_command(&mut command);
    assert!(told(&manager).starts_with("READY=1"));
    drop(manager);
    server.guest(&mut []);
}
