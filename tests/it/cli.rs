//! The programs at a shell: what they print, and the code they exit with.

use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::harness::{Client, Server, binary, in_shell};

const SERVERS: [&str; 3] = ["echo", "time", "chat"];

#[test]
fn what_is_asked_of_the_program_is_printed_on_stdout() {
    for name in SERVERS {
        for (option, begins) in [
            ("-h", format!("{name}: ")),
            ("--help", format!("{name}: ")),
            ("-V", format!("smol-{name} {}\n", env!("CARGO_PKG_VERSION"))),
            ("--version", format!("smol-{name} ")),
        ] {
            let output = run(name, &[option]);
            assert_eq!(output.status.code(), Some(0), "{name} {option}");
            assert!(text(&output.stdout).starts_with(&begins), "{name} {option}");
            assert_eq!(text(&output.stderr), "", "{name} {option}");
        }
    }
}

#[test]
fn the_help_names_every_option() {
    for name in SERVERS {
        let help = text(&run(name, &["-h"]).stdout);
        let shared =
            ["listen", "share-port", "max-clients", "max-per-ip", "stall", "dead", "log", "quiet"];
        let of_time = ["utc", "zone", "format", "every"].iter().filter(|_| name == "time");
        let of_chat = ["relay", "relay-password", "room"].iter().filter(|_| name == "chat");
        for option in shared.iter().chain(of_time).chain(of_chat) {
            assert!(help.contains(&format!("  --{option}")), "{name} --{option}");
        }
    }
}

#[test]
fn the_help_of_the_chat_says_so_where_the_relay_is_not_built() {
    for name in SERVERS {
        let help = text(&run(name, &["-h"]).stdout);
        let lacks = name == "chat" && cfg!(not(feature = "relay"));
        assert_eq!(help.contains("This program was built without relay: --relay, "), lacks);
    }
}

#[test]
fn the_help_says_where_local_time_comes_from() {
    for name in ["time", "chat"] {
        let help = text(&run(name, &["-h"]).stdout);
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let source = "TZ's zone, or else /etc/localtime's, as it is at the start";
        assert!(words.contains(source), "{help}");
    }
}

#[test]
fn a_program_speaks_of_itself_by_the_name_it_was_started_by() {
    let folder = std::env::temp_dir().join(format!("smol-servers-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a temporary folder");
    for name in SERVERS {
        let installed = folder.join(format!("smol-{name}"));
        std::os::unix::fs::symlink(binary(name), &installed).expect("a temporary file");
        let run = |options: &[&str]| Command::new(&installed).args(options).output();

        let help = text(&run(&["-h"]).expect("it starts").stdout);
        assert!(help.starts_with(&format!("smol-{name}: ")), "{help}");
        assert!(help.contains(&format!("\nUsage: smol-{name} [OPTIONS]\n")), "{help}");
        let (_, examples) = help.split_once("Examples:\n").expect("examples");
        let (examples, _) = examples.split_once("\n\n").expect("an end");
        for example in examples.lines() {
            assert!(example.starts_with(&format!("  smol-{name} ")), "{example}");
        }

        let error = one_line(&run(&["--lisen"]).expect("it starts"));
        let mend = format!("(smol-{name} -h shows all options)");
        assert!(error.starts_with(&format!("smol-{name}: ")) && error.ends_with(&mend), "{error}");
        let error = one_line(&run(&["--listen", "198.51.100.1:0"]).expect("it starts"));
        assert!(error.starts_with(&format!("smol-{name}: cannot listen")), "{error}");
        let version = text(&run(&["-V"]).expect("it starts").stdout);
        assert_eq!(version, format!("smol-{name} {}\n", env!("CARGO_PKG_VERSION")));

        let server = Server::start_command(&mut Command::new(&installed));
        assert!(server.logged("only this machine").starts_with(&format!("smol-{name}: ")));
    }
    std::fs::remove_dir_all(&folder).expect("the folder of this test");
}

#[test]
fn a_name_that_is_none_leaves_the_program_its_own() {
    for odd in [&b""[..], b"\x1b[2J", b"\xff\xfe", b"a\nb", &[b'x'; 10_000]] {
        let output = Command::new(binary("chat")).arg0(OsStr::from_bytes(odd)).arg("-x").output();
        let error = one_line(&output.expect("it starts"));
        assert_eq!(error, "chat: unknown option -x (chat -h shows all options)");
    }
}

#[test]
fn the_help_names_the_ends_of_every_number_and_fits_the_screen() {
    for name in SERVERS {
        let help = text(&run(name, &["-h"]).stdout);
        assert_eq!(help.lines().find(|line| line.chars().count() > 100), None);
        let (_, options) = help.split_once("Options:\n").expect("options");
        for option in options.split("\n  --") {
            let option = option.trim_start_matches("  --").replace('\n', " ");
            let mut words = option.split_whitespace();
            let (Some(option), Some("N" | "SECONDS" | "LINES")) = (words.next(), words.next())
            else {
                continue;
            };
            let words: Vec<&str> = words.collect();
            let ends =
                words.windows(3).find(|words| words[1] == "to" && number(words[0]).is_some());
            let ends = ends.unwrap_or_else(|| panic!("{name} --{option} has no ends"));
            let (min, max) = (number(ends[0]), number(ends[2]).expect("the other end"));
            for beyond in [min.and_then(|min| min.checked_sub(1)), Some(max + 1)] {
                let Some(beyond) = beyond.map(|beyond| beyond.to_string()) else { continue };
                let output = run(name, &[&format!("--{option}"), &beyond, "--listen", NOT_OURS]);
                assert_eq!(output.status.code(), Some(2), "{name} --{option} {beyond}");
                let error = one_line(&output);
                let told = error.contains(&format!("from {} to ", ends[0]));
                assert!(told || error.contains(&format!("at most {max}")), "{error}");
            }
            let most = [&format!("--{option}"), &max.to_string(), "--listen", NOT_OURS];
            let error = text(&run(name, &most).stderr);
            let listens = error.contains("it is not an address of this machine");
            assert!(listens || error.contains("give --dead too"), "{error}");
        }
    }
}

/// An address that no machine has (RFC 5737): a server that gets so far ends there.
const NOT_OURS: &str = "198.51.100.1:1";

/// A number in the help, whatever stands behind it.
fn number(word: &str) -> Option<u64> {
    word.trim_end_matches([',', ';', '.']).parse().ok()
}

#[test]
fn what_is_wrong_is_said_in_one_line_that_names_the_mend() {
    for (name, options, said) in [
        ("echo", &["--lisen", "127.0.0.1:0"][..], "unknown option --lisen"),
        ("echo", &["--listen", "localhost:8000"], "numeric address such as 0.0.0.0:8000"),
        ("chat", &["--listen", "localhost:80"], "names are not resolved, give 127.0.0.1:80 ("),
        ("chat", &["--listen", "::1:8002"], "lacks its brackets; give [::1]:8002, or [::1:8002]"),
        ("time", &["--listen", "[::1]", "--listen", "::1"], "[::1]:8001 is given twice"),
        ("echo", &["--utc"], "unknown option --utc"),
        ("chat", &["8002"], "an address goes behind --listen"),
        ("chat", &["--listen"], "--listen needs a value"),
        ("chat", &["--stall", "40"], "give --dead too"),
        ("chat", &["--max-clients", "4000000000"], "raise it with ulimit -n, or give at most"),
        #[cfg(not(feature = "relay"))]
        (
            "chat",
            &["--relay", "127.0.0.1"],
            "built without relay, and --relay needs it: cargo build",
        ),
        #[cfg(feature = "relay")]
        ("chat", &["--relay", "localhost"], "address such as 127.0.0.1:6379, or unix: and a path"),
        #[cfg(feature = "relay")]
        ("chat", &["--room", "my room"], "--room is 1 to 64 letters A-Z a-z, digits, - and _"),
        ("time", &["--every", "0"], "whole number from 1 to 86400, not '0'"),
        ("time", &["--format", "%!"], "--format takes strftime directives such as %H:%M:%S"),
        ("time", &["--format", ""], "--format takes strftime directives"),
        ("time", &["--format", "%Ey"], "%H:%M:%S: there is no directive '%E' ("),
        #[cfg(not(feature = "local-time"))]
        ("time", &["--zone", "Europe/Berlin"], "built without local-time, and --zone needs it"),
        #[cfg(feature = "local-time")]
        ("time", &["--zone", "Europe/Pargue"], "--zone takes a name of /usr/share/zoneinfo"),
        #[cfg(feature = "local-time")]
        (
            "time",
            &["--zone", "CET-1CEST,M3.5.0\n"],
            "or a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3",
        ),
        #[cfg(feature = "local-time")]
        ("time", &["--zone", ""], ", not ''"),
        ("time", &["--zone"], "--zone needs a value"),
        #[cfg(feature = "local-time")]
        ("time", &["--zone", "UTC0", "--utc"], "give it or --zone, not both"),
        #[cfg(feature = "local-time")]
        ("time", &["--utc", "--zone", "UTC0"], "give it or --zone, not both"),
    ] {
        let output = run(name, options);
        assert_eq!(output.status.code(), Some(2), "{name} {options:?}");
        let error = one_line(&output);
        assert!(error.contains(said), "{error}");
        assert!(error.starts_with(&format!("{name}: ")), "{error}");
        assert!(error.ends_with(&format!("({name} -h shows all options)")), "{error}");
    }
}

#[test]
fn a_port_in_use_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket").to_string();
    for name in SERVERS {
        let output = run(name, &["--listen", &address]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let error = one_line(&output);
        assert!(error.starts_with(&format!("{name}: cannot listen on {address}: ")), "{error}");
        assert!(error.ends_with("another program has this port, choose one with --listen"));
    }
}

#[test]
fn two_addresses_that_are_in_each_others_way_are_both_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound socket").port();
    drop(taken);
    let (one, all) = (format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"));
    let output = run("chat", &["--listen", &one, "--listen", &all]);
    assert_eq!(output.status.code(), Some(1));
    let error = one_line(&output);
    assert!(error.contains(&format!("cannot listen on {all}: ")), "{error}");
    assert!(error.ends_with(&format!("--listen {one} is given too, and one covers the other")));
}

#[test]
fn an_address_of_another_machine_is_said_in_one_line() {
    let output = run("chat", &["--listen", "198.51.100.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(one_line(&output).ends_with("it is not an address of this machine"));
}

#[test]
fn too_few_descriptors_for_one_client_are_said_in_one_line() {
    for limit in [8, 13, 14, 20, 32] {
        let line = format!(r#"ulimit -n {limit}; exec timeout 20 "$0" "$@""#);
        let listen = ["--listen", "127.0.0.1:0"];
        for name in SERVERS {
            let output = in_shell(&line, name, &listen).output().expect("a shell");
            assert_eq!(output.status.code(), Some(1), "{name} {limit}");
            let error = one_line(&output);
            let said =
                format!("the descriptor limit is {limit}, and 33 are needed to serve one client");
            assert!(error.contains(&said), "{error}");
            assert!(error.ends_with("raise it with ulimit -n"), "{error}");
        }
    }
}

#[test]
fn help_for_nobody_is_no_panic() {
    let closed = in_shell(r#"exec "$0" "$@" >&-"#, "chat", &["-h"]).output();
    let closed = closed.expect("a shell");
    assert_eq!(closed.status.code(), Some(0));
    assert_eq!(text(&closed.stderr), "");

    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    drop(reader);
    let left = Command::new(binary("chat")).arg("-h").stdout(writer).output();
    let left = left.expect("it starts");
    assert_eq!(left.status.code(), Some(1));
    assert_eq!(text(&left.stderr), "");
}

#[test]
fn it_listens_on_ipv6() {
    let mut command = Command::new(binary("chat"));
    let server = Server::start_listening(&mut command, "[::1]:0");
    assert!(server.address.is_ipv6());
    server.guest(&mut []);
}

#[test]
fn it_listens_on_every_address_it_is_given() {
    let server = Server::start("chat", &["--listen", "127.0.0.1:0"]);
    let other = server.listens();
    assert_ne!(server.address, other);
    let mut ann = server.guest(&mut []);
    server.guest_over(Client::connect(other), &mut [&mut ann]);
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() {
    let mut command = Command::new(binary("chat"));
    let mut server = Server::start_listening(&mut command, "[::]:0");
    server.address.set_ip([127, 0, 0, 1].into());
    let ann = server.guest(&mut []);
    let peer = ann.socket().local_addr().expect("connected");
    assert!(server.logged("joined").contains(&format!("peer={peer} ")));
}

#[test]
fn ipv4_and_ipv6_may_share_a_port() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("a bound socket").port();
    drop(free);
    let mut command = Command::new(binary("chat"));
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    let server = Server::start_listening(&mut command, &format!("[::]:{port}"));
    server.listens();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let stream = TcpStream::connect(&address).expect("it accepts");
        server.guest_over(Client::over(stream), &mut []);
    }
}

#[cfg(not(feature = "relay"))]
#[test]
fn without_relay_its_options_say_how_to_build_it() {
    for options in [["--relay", "127.0.0.1"], ["--room", "lobby"]] {
        let output = run("chat", &options);
        assert_eq!(output.status.code(), Some(2));
        let line = one_line(&output);
        assert!(line.contains("cargo build --features relay"), "{line}");
    }
}

/// Runs a program that ends by itself; the code is 124 should it serve instead.
pub(crate) fn run(name: &str, options: &[&str]) -> Output {
    Command::new("timeout").args(["20", binary(name)]).args(options).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What it says in one line, and says nothing else.
#[track_caller]
pub(crate) fn one_line(output: &Output) -> String {
    assert_eq!(text(&output.stdout), "");
    let stderr = text(&output.stderr);
    let line = stderr.strip_suffix('\n').expect("a line");
    assert!(!line.contains('\n'), "{stderr}");
    line.to_owned()
}
