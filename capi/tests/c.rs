//! C programs with the library, as the C compiler of this machine makes them: the examples talk
//! with people under AddressSanitizer, with its leak detection, and UndefinedBehaviorSanitizer.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Time after which something awaited counts as missing.
const PATIENCE: Duration = Duration::from_secs(20);

const CAPI: &str = env!("CARGO_MANIFEST_DIR");

const POLL_HOST: &str = include_str!("../examples/poll_host.c");

/// What C hosts are compiled with, so that they warn of nothing on any compiler.
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99"];

const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// The folder of the library, which is built for the first test that needs it: cargo builds none
/// for the tests of a package that is not for Rust.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let test = std::env::current_exe().expect("this test");
        // The test is target/debug/deps/c-….
        let folder = test.ancestors().nth(2).expect("a folder").to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "smolchat", "--target-dir"]);
        cargo.arg(folder.parent().expect("a folder"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        succeeds(&mut cargo);
        folder
    })
}

/// Says so and returns true when one of the programs is not installed.
fn is_missing(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    let missing = programs.iter().find(|program| !is_there(program));
    missing.inspect(|program| leave_out(&format!("{program} is not installed"))).is_some()
}

/// Says so and returns true when C programs cannot be compiled with sanitizers.
fn cannot_check() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    let works = || {
        let probe = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe.c");
        fs::write(&probe, "int main(void) { return 0; }\n").expect("a file");
        let mut cc = Command::new("cc");
        cc.args(SANITIZERS).arg(&probe).arg("-o").arg(probe.with_extension(""));
        cc.output().expect("it runs").status.success()
    };
    let cannot = is_missing(&["cc"]) || !WORKS.get_or_init(works);
    if cannot {
        leave_out("C programs cannot be compiled with AddressSanitizer");
    }
    cannot
}

/// Says it to who runs the tests, and not only where one fails, as `eprintln!` does.
fn leave_out(why: &str) {
    let _nobody_reads_it = writeln!(std::io::stderr(), "left out: {why}");
}

/// What it prints.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let done = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {}\n{said}", done.status);
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// The words that pkg-config prints.
fn pkg_config(arguments: &[&str], paths: Option<&Path>) -> Option<Vec<String>> {
    let mut command = Command::new("pkg-config");
    if let Some(paths) = paths {
        command.env("PKG_CONFIG_PATH", paths);
    }
    let done = command.args(arguments).output().expect("pkg-config");
    let printed = String::from_utf8(done.stdout).expect("UTF-8");
    done.status.success().then(|| printed.split_whitespace().map(str::to_owned).collect())
}

/// Compiles a file of this folder.
#[track_caller]
fn compile(source: &str, program: &str, options: &[String]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program);
    let source = Path::new(CAPI).join(source);
    succeeds(Command::new("cc").arg(source).arg("-o").arg(&program).args(options));
    program
}

/// Compiles a file of this folder with sanitizers and the static library.
#[track_caller]
fn compile_checked(source: &str, program: &str, options: &[String]) -> PathBuf {
    let archive = library().join("libsmolchat.a").display().to_string();
    let include = format!("-I{CAPI}");
    let checked = SANITIZERS.map(str::to_owned).into_iter().chain([include, archive]);
    compile(source, program, &checked.chain(options.iter().cloned()).collect::<Vec<_>>())
}

fn strict() -> Vec<String> {
    STRICT.map(str::to_owned).to_vec()
}

/// A running host, ended with the test.
struct Host {
    child: Child,
    /// What it prints.
    lines: Receiver<String>,
    port: u16,
}

impl Host {
    fn start(program: &Path) -> Host {
        let mut command = Command::new(program);
        let command = command.arg("127.0.0.1:0").stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let printed = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (sender, lines) = channel();
        thread::spawn(move || printed.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut host = Host { child, lines, port: 0 };
        let line = host.line();
        let port = line.strip_prefix("telnet localhost ").and_then(|port| port.parse().ok());
        host.port = port.unwrap_or_else(|| panic!("no port: {line}"));
        host
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    #[track_caller]
    fn expect(&self, line: &str) {
        assert_eq!(self.line(), line);
    }

    fn threads(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        tasks.count()
    }

    fn input(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().expect("it is piped").write_all(bytes).expect("it reads");
    }

    /// It ends well, and has nothing more to say; nor have the sanitizers.
    #[track_caller]
    fn expect_end(&mut self) {
        let next = || match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        };
        let rest: Vec<String> = std::iter::from_fn(next).collect();
        let status = self.child.wait().expect("it ends");
        assert!(status.success() && rest.is_empty(), "{status}\n{}", rest.join("\n"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A person in the chat.
struct Person(BufReader<TcpStream>);

impl Person {
    fn connect(port: u16) -> Person {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Person(BufReader::new(stream))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(line.as_bytes()).expect("it reads");
    }

    /// Passes over the lines before this one.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let mut line = String::new();
        while line.trim_end() != expected {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "no {expected:?}");
        }
    }
}

/// Two people talk, and the host prints it; one of them stays.
fn talk(host: &mut Host) -> Person {
    let mut ann = Person::connect(host.port);
    ann.expect("*** welcome, you are guest1. nobody else is here yet");
    host.expect("guest1: joined");
    let mut ben = Person::connect(host.port);
    host.expect("guest2: joined");
    ann.send("hello\r\n");
    ben.expect("<guest1> hello");
    host.expect("guest1: hello");
    ben.send("good day\r\n");
    ann.expect("<guest2> good day");
    host.expect("guest2: good day");
    assert_eq!(host.threads(), 1);
    ben.0.get_ref().shutdown(Shutdown::Write).expect("a socket");
    ann.expect("*** guest2 left");
    host.expect("guest2: left");
    ann
}

#[test]
fn twenty_lines_of_c_are_a_chat_on_one_thread_that_leaks_nothing() {
    let code = POLL_HOST.lines().filter(|line| !line.is_empty() && !line.starts_with("/*"));
    assert!(code.count() <= 20);
    let readme = fs::read_to_string(Path::new(CAPI).join("README.md")).expect("a file");
    assert!(readme.contains(&format!("```c\n{POLL_HOST}```\n")), "README.md shows another one");
    if cannot_check() {
        return;
    }
    let program = compile_checked("examples/poll_host.c", "poll_host", &strict());
    let mut host = Host::start(&program);
    let mut ann = talk(&mut host);
    host.input(b"\n");
    ann.expect("*** the server is going down, goodbye");
    host.expect("guest1: going down");
    host.expect_end();
}

#[test]
fn a_glib_main_loop_has_a_chat_beside_its_own_sources() {
    if cannot_check() || is_missing(&["pkg-config"]) {
        return;
    }
    let Some(glib) = pkg_config(&["--cflags", "--libs", "glib-2.0"], None) else {
        return leave_out("pkg-config knows no glib-2.0; apt install libglib2.0-dev");
    };
    let program = compile_checked("examples/glib_host.c", "glib_host", &[strict(), glib].concat());
    let mut host = Host::start(&program);
    let mut ann = talk(&mut host);
    host.input(b"*** from the host\n");
    ann.expect("*** from the host");
    drop(host.child.stdin.take());
    ann.expect("*** the server is going down, goodbye");
    host.expect("guest1: going down");
    host.expect_end();
}

#[test]
fn a_mistake_of_the_host_is_told_by_a_code_and_a_text() {
    if cannot_check() {
        return;
    }
    let warn = ["-Wall", "-Wextra", "-Werror", "-pthread"].map(str::to_owned);
    let program = compile_checked("tests/misuse.c", "misuse", &warn);
    let said = succeeds(Command::new(program).current_dir(env!("CARGO_TARGET_TMPDIR")));
    assert_eq!(said, "");
}

#[test]
fn what_is_installed_is_found_by_pkg_config_and_has_no_other_symbols() {
    if is_missing(&["cc", "pkg-config", "nm"]) {
        return;
    }
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
    let (install, libraries) = (Path::new(CAPI).join("install"), library());
    succeeds(Command::new("sh").args([&install, Path::new(""), &prefix, libraries]));
    let lib = prefix.join("lib");
    let pkg_config = |more: &[&str]| {
        let arguments = [&["--cflags", "--libs", "smolchat"], more].concat();
        pkg_config(&arguments, Some(&lib.join("pkgconfig"))).expect("it is found")
    };
    let shared = compile("examples/poll_host.c", "shared", &pkg_config(&[]));
    let fixed = ["-Wl,-Bstatic"].map(str::to_owned).to_vec();
    let fixed = [fixed, pkg_config(&["--static"]), vec!["-Wl,-Bdynamic".into()]].concat();
    let fixed = compile("examples/poll_host.c", "static", &fixed);
    // This name is for compilers only; programs look for the one with the version.
    fs::remove_file(lib.join("libsmolchat.so")).expect("a link");
    for program in [shared, fixed] {
        let mut host = Command::new(program);
        let done = host.arg("nowhere").env("LD_LIBRARY_PATH", &lib).output().expect("it runs");
        assert_eq!(done.status.code(), Some(1));
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.starts_with("'nowhere' is no address; give IP:PORT"), "{said}");
    }
    let shared = libraries.join("libsmolchat.so");
    let symbols = succeeds(Command::new("nm").args(["-D", "--defined-only"]).arg(shared));
    let mut symbols: Vec<&str> = symbols.lines().filter_map(|it| it.split(' ').nth(2)).collect();
    symbols.sort_unstable();
    let header = include_str!("../smolchat.h").split("\nint smolchat_").skip(1);
    let declared = header.filter_map(|it| it.split('(').next());
    let mut declared: Vec<String> = declared.map(|it| format!("smolchat_{it}")).collect();
    declared.push("smolchat_error".into());
    declared.sort_unstable();
    assert_eq!(symbols, declared);
}
