//! The recipes of the example `asyncio` print what the programs of the course print, and take the
//! same time.

mod bits;
mod http;
mod real_time;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::PATIENCE;

const README: &str = include_str!("../../examples/asyncio/README.md");

/// What each recipe takes, in milliseconds by the paused clock.
#[cfg(feature = "paused-clock")]
const RECIPES: [(&str, u64); 52] = [
    ("start", 0),
    ("result", 0),
    ("chain", 0),
    ("by_hand", 0),
    ("run", 2_000),
    ("create_task", 0),
    ("ensure_future", 0),
    ("hello", 7_000),
    ("switch", 0),
    ("two_tasks", 4_000),
    ("done", 3_000),
    ("call_soon", 0),
    ("call_later", 200),
    ("call_at", 200),
    ("future", 0),
    ("await_future", 0),
    ("done_callback", 0),
    ("cancel", 0),
    ("cancel_sleeping", 0),
    ("cancelled", 1_000),
    ("wait_for", 1_000),
    ("shield", 3_000),
    ("gather", 2_000),
    ("gather_order", 4_000),
    ("return_exceptions", 4_000),
    ("wait", 200),
    ("wait_timeout", 100),
    ("first_completed", 200),
    ("first_exception", 200),
    ("as_completed", 500),
    ("lock", 100),
    ("critical_section", 4_000),
    ("event", 100),
    ("condition", 300),
    ("gate", 5_500),
    ("work_on_event", 6_000),
    ("semaphore", 4_000),
    ("queue", 90),
    ("workers", 3_760),
    ("priority_queue", 0),
    ("lifo_queue", 0),
    ("fib", 0),
    ("grep", 0),
    ("fetch_status", 1_000),
    ("fetch_as_completed", 10_000),
    ("fetch_all", 1_000),
    ("fetch_exception", 1_000),
    ("fetch_first", 3_000),
    ("hung_clients", 15_000),
    ("pool", 0),
    ("cursor", 0),
    ("app", 0),
];

/// What one of them says on standard error, where the course logs.
#[cfg(feature = "paused-clock")]
const LOGGED: (&str, &str) =
    ("fetch_exception", "При выполнении запроса возникло исключение: not HTTP: python://bad\n");

#[cfg(feature = "paused-clock")]
#[test]
fn each_recipe_prints_what_the_course_prints() {
    let differs = |name: &&str| !is_like(&stdout(&asyncio(&["--paused", name])), &expected(name));
    let different: Vec<&str> = RECIPES.iter().map(|(name, _)| *name).filter(differs).collect();
    assert!(different.is_empty(), "see examples/asyncio/expected: {different:?}");
}

#[cfg(feature = "paused-clock")]
#[test]
fn each_recipe_takes_exactly_its_time() {
    let took = |(name, millis)| {
        let logged = if name == LOGGED.0 { LOGGED.1 } else { "" };
        let expected = format!("{logged}took {}.{:03} s\n", millis / 1000, millis % 1000);
        (name, stderr(&asyncio(&["--paused", name])), expected)
    };
    let differs = |(_, took, expected): &(&str, String, String)| took != expected;
    let different: Vec<_> = RECIPES.into_iter().map(took).filter(differs).collect();
    assert!(different.is_empty(), "{different:#?}");
}

#[cfg(feature = "paused-clock")]
#[test]
fn each_recipe_of_the_list_is_tested_here() {
    let tested = RECIPES.iter().map(|(name, _)| *name).chain(real_time::RECIPES);
    assert_eq!(listed(), tested.map(str::to_owned).collect());
}

#[cfg(not(feature = "paused-clock"))]
#[test]
fn paused_clock_that_was_not_built_in_is_named() {
    let output = asyncio(&["--paused", "gather"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "asyncio: --paused is a feature: \
         cargo run --features paused-clock --example asyncio -- --paused NAME\n"
    );
}

#[test]
fn recipe_waits_for_real_without_the_paused_clock() {
    let output = asyncio(&["lock"]);
    assert!(is_like(&stdout(&output), &expected("lock")));
    let took = stderr(&output);
    let seconds = took.strip_prefix("took ").and_then(|took| took.strip_suffix(" s\n"));
    assert!(seconds.expect("a time").parse::<f64>().expect("seconds") >= 0.1, "{took}");
}

#[test]
fn wrong_name_is_told_where_the_right_ones_are() {
    for (arguments, message) in [
        (
            &["gater"] as &[&str],
            "there is no recipe \"gater\"; without a name, cargo run --example asyncio lists them",
        ),
        (&["gather", "wait"], "one recipe at a time: cargo run --example asyncio -- NAME"),
        (&["http", "127.0.0.1:0", "127.0.0.1:0"], "http takes one address at most"),
    ] {
        let output = asyncio(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output), format!("asyncio: {message}\n"));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn reader_that_closes_the_pipe_ends_the_program_quietly() {
    for arguments in [&["cancel"] as &[&str], &[]] {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(program());
        command.args(arguments).stdout(writer).stderr(Stdio::piped());
        let output = end_of(command.spawn().expect("it runs"));
        let pipe = Some(Signal::PIPE.as_raw());
        assert_eq!((output.status.signal(), &*stderr(&output)), (pipe, ""), "{arguments:?}");
    }
}

#[test]
fn table_names_each_recipe_and_no_other() {
    let rows = README.lines().filter(|line| line.starts_with('|'));
    let third = rows.filter_map(|row| row.split(" | ").nth(2));
    let named = third.flat_map(|column| column.split('`').skip(1).step_by(2));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    assert_eq!(named, listed());
}

#[test]
fn what_the_table_links_to_is_there() {
    let targets = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<&str> = targets.filter(|target| !target.starts_with("https:")).collect();
    assert!(files.contains(&"bits/wait.rs"), "{files:?}");
    for file in files {
        assert!(root().join("examples/asyncio").join(file).exists(), "{file}");
    }
}

#[test]
fn each_recipe_has_its_output_stored_and_no_other_is() {
    let files = std::fs::read_dir(root().join("examples/asyncio/expected")).expect("a folder");
    let names = files.map(|file| file.expect("a file").path().with_extension(""));
    let names = names.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    assert_eq!(names.collect::<BTreeSet<String>>(), listed());
}

/// The names that the program lists.
fn listed() -> BTreeSet<String> {
    let list = stdout(&asyncio(&[]));
    let recipes = list.lines().filter_map(|line| line.strip_prefix("  "));
    recipes.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Whether the lines are those expected; a `*` in one stands for anything.
fn is_like(printed: &str, expected: &str) -> bool {
    let is_like = |(line, expected): (&str, &str)| match expected.split_once('*') {
        Some((start, end)) => line.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => line == expected,
    };
    printed.lines().count() == expected.lines().count()
        && printed.lines().zip(expected.lines()).all(is_like)
}

fn expected(name: &str) -> String {
    let file = root().join(format!("examples/asyncio/expected/{name}.txt"));
    std::fs::read_to_string(file).expect("an expected output")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the example to its end.
fn asyncio(arguments: &[&str]) -> Output {
    end_of(start(Command::new(program()).args(arguments)))
}

/// The example, built once, with the features of these tests.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--example", "asyncio"]);
        cargo.args(["--message-format", "json"]);
        if !cfg!(feature = "one-thread") {
            cargo.args(["--no-default-features", "--features", "local-time"]);
        }
        if cfg!(feature = "paused-clock") {
            cargo.args(["--features", "paused-clock"]);
        }
        if cfg!(feature = "relay") {
            cargo.args(["--features", "relay"]);
        }
        let output = cargo.output().expect("cargo");
        let messages = stdout(&output);
        let program =
            messages.split("\"executable\":\"").nth(1).and_then(|it| it.split('"').next());
        program.unwrap_or_else(|| panic!("not built: {}", stderr(&output))).into()
    })
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// What a started program has printed when it ends; one that does not end fails the test.
#[track_caller]
fn end_of(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ended_now = kill_process(pid, Signal::KILL);
        panic!("it does not end");
    };
    output.expect("its output")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
