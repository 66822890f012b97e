//! A server of one's own: what is wrong with it is told in one line, before anything is built.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::{changed, folder, the_error};

const ECHO: [&str; 2] = ["examples/echo.py", "{port}"];
const ALL: [&str; 2] = ["peers/asyncio/server.py", "{program} 127.0.0.1:{port}"];

/// Where the tests of this process begin: another range for each, and for other processes.
static TEST: AtomicU16 = AtomicU16::new(0);

/// Asks for `own` in a comparison.
fn asked(folder: &Path, only: &str, own: &str) -> Output {
    let test = TEST.fetch_add(1, Ordering::Relaxed);
    let port = 21_000 + (std::process::id() as u16 % 50) * 200 + test * 10;
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(["run", "--no-build", "--quick", "--only", only, "--own", own, "--peers", "ours"]);
    command.args(["--port", &port.to_string(), "--out"]).arg(folder.join("out"));
    // Where no run of somebody else's lies.
    command.env("CARGO_TARGET_DIR", folder).current_dir(folder);
    command.output().expect("it is built")
}

/// The one line that is told of a script in which `from` has become `to`; nothing of it runs on.
#[track_caller]
fn told_of(name: &str, [script, arguments]: [&str; 2], only: &str, from: &str, to: &str) -> String {
    let folder = folder(name);
    let broken = changed(&folder, script, from, to);
    let output = asked(&folder, only, &format!("python3 {} {arguments}", broken.display()));
    let (code, told) = the_error(&output);
    assert_eq!(code, Some(1), "{told}");
    assert!(!folder.join("out").exists(), "a folder is left");
    // Killed is not ended yet.
    let asked = Instant::now();
    while runs(&broken) {
        assert!(asked.elapsed() < Duration::from_secs(5), "it runs on");
        std::thread::yield_now();
    }
    fs::remove_dir_all(folder).expect("it is ours");
    told.strip_prefix("compare: own, ").expect("of one's own").to_owned()
}

/// Whether a process has this file among its arguments.
fn runs(file: &Path) -> bool {
    let processes = fs::read_dir("/proc").expect("it is mounted").flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(&*file.to_string_lossy()))
}

#[test]
fn an_echo_that_drops_bytes_is_told_how_many_came_back() {
    let drops = "writer.write(data[:-1] if len(data) > 1 else data)";
    let told = told_of("drops", ECHO, "echo-50", "writer.write(data)", drops);
    assert_eq!(told, "echo: of 7001 bytes, 7000 came back within 2.5 s");
}

#[test]
fn an_echo_that_loses_what_came_before_the_fin_is_told_so() {
    let drops = "await asyncio.sleep(0.02)\n        if not reader._eof: writer.write(data)";
    let told = told_of("tail", ECHO, "echo-50", "writer.write(data)", drops);
    assert_eq!(told, "echo: of 1986 bytes, with a FIN behind them, 0 came back within 2.5 s");
}

#[test]
fn an_echo_of_other_bytes_is_told_the_first() {
    let to = r#"writer.write(data.replace(b"\x01", b"\x02"))"#;
    let told = told_of("damage", ECHO, "echo-50", "writer.write(data)", to);
    assert_eq!(told, "echo: byte 1 came back as another than was sent");
}

#[test]
fn an_echo_that_answers_late_is_told_how_late() {
    let late = "await asyncio.sleep(0.2)\n        writer.write(data)";
    let told = told_of("late", ECHO, "echo-50", "writer.write(data)", late);
    assert!(told.starts_with("echo: answers come late: after 2"), "{told}");
    assert!(told.ends_with(" ms at least, where 100 ms are due"), "{told}");
}

#[test]
fn an_echo_that_ignores_fin_is_told_so() {
    let told = told_of("fin", ECHO, "echo-50", "writer.close()", "await asyncio.sleep(60)");
    assert_eq!(told, "echo: a client's FIN is ignored: the connection is still open after 2.5 s");
}

#[test]
fn an_echo_for_one_client_at_a_time_is_told_so() {
    let from = "async def echo(reader, writer):\n";
    let to = format!("lock = asyncio.Lock()\n{from}  async with lock:\n");
    let told = told_of("single", ECHO, "echo-50", from, &to);
    assert_eq!(told, "echo: a second client gets nothing while a first one is connected");
}

#[test]
fn a_server_of_several_processes_is_not_measured() {
    let from = "    await server.serve";
    let to = "    import os\n    os.fork()\n    await server.serve";
    let told = told_of("forks", ECHO, "echo-50", from, to);
    assert!(told.starts_with("echo: it is 2 processes, and only the CPU of the first"), "{told}");
}

#[test]
fn a_chat_is_told_what_it_does_otherwise() {
    for (name, from, to, told) in [
        (
            "back",
            "if writer is not speaker:",
            "if True:",
            r#"chat: a guest heard "<guest6> to the others\r\n", its own line perhaps"#,
        ),
        ("names", r#"f"guest{self.guests}""#, r#""guest1""#, "chat: two guests have one name"),
        (
            "lf",
            r#"b"<%s> %s\r\n""#,
            r#"b"<%s> %s\n""#,
            r#"chat: "<guest2> hello\n" was heard, "<guest2> hello\r\n" was said"#,
        ),
        (
            "empty",
            r#"if text := line.rstrip(b"\r\n"):"#,
            r#"if (text := line.rstrip(b"\r\n")) is not None:"#,
            r#"chat: "<guest2> \r\n" was heard, "<guest2> after empty ones\r\n" was said"#,
        ),
        (
            "stays",
            "            writer.close()",
            "            await asyncio.sleep(60)",
            "chat: a client's FIN is ignored: the connection is still open after 2.5 s",
        ),
    ] {
        assert_eq!(told_of(name, ALL, "chat-200", from, to), told);
    }
}

#[test]
fn a_time_in_other_lines_is_told_so() {
    let told = told_of("clock", ALL, "time-1000", r#"SZ\r\n""#, r#"SZ\n""#);
    assert_eq!(told, "time: a line does not end in CR LF");
}

#[test]
fn a_server_that_ends_is_told_what_it_said_last() {
    let from = "asyncio.run(";
    let told = told_of("early", ECHO, "echo-50", from, "sys.exit('no licence')\nasyncio.run(");
    assert_eq!(told, "echo: it ended before it listened: no licence");
    let told =
        told_of("asked", ECHO, "echo-50", "    while", "    import os\n    os._exit(7)\n    while");
    assert_eq!(told, "echo: it ended when it was asked: it ended without a word");
    let (from, daemon) =
        ("    await server.serve", "    import os\n    if os.fork(): os._exit(0)\n");
    let told = told_of("daemon", ECHO, "echo-50", from, &(daemon.to_owned() + from));
    assert!(told.ends_with(": it ended by itself: a server must stay in the foreground"), "{told}");
}

#[test]
fn a_command_that_cannot_be_started_or_never_listens_is_told_so_and_one_without_port_is_wrong() {
    let folder = folder("start");
    for (own, code, said) in [
        (
            "./nobody {port}",
            1,
            "own, echo: './nobody' cannot be started: No such file or directory",
        ),
        ("sleep 60 {port}", 1, "own, echo: it does not listen on port "),
        ("python3 echo.py", 2, "--own 'python3 echo.py' says nowhere on which port it listens"),
    ] {
        let told = the_error(&asked(&folder, "echo-50", own));
        assert_eq!(told.0, Some(code), "{}", told.1);
        assert!(told.1.starts_with(&format!("compare: {said}")), "{}", told.1);
    }
    fs::remove_dir_all(folder).expect("it is ours");
}
