//! The recipes that have other threads, processes, signals or TCP sockets, which no clock can pause.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{asyncio, end_of, expected, is_like, program, start, stderr, stdout};

/// All of them; each has a test here, and "http" has a file of its own.
#[cfg(feature = "paused-clock")]
pub(super) const RECIPES: [&str; 13] = [
    "http",
    "streams",
    "sockets",
    "protocol",
    "processes",
    "pool_map",
    "run_in_executor",
    "shared_value",
    "shared_lock",
    "thread_pool",
    "subprocess",
    "shell",
    "sigint",
];

#[test]
fn recipes_on_sockets_threads_and_processes_print_what_the_course_prints() {
    for name in [
        "streams",
        "sockets",
        "protocol",
        "processes",
        "pool_map",
        "shared_value",
        "shared_lock",
        "subprocess",
    ] {
        let output = asyncio(&[name]);
        let (printed, expected) = (stdout(&output), expected(name));
        assert!(is_like(&printed, &expected), "{name}: {printed:?}, not {expected:?}");
        assert!(output.status.success(), "{name}: {}", stderr(&output));
    }
}

#[cfg(feature = "paused-clock")]
#[test]
fn recipes_that_wait_for_more_than_the_clock_refuse_the_paused_one() {
    for name in RECIPES {
        let output = asyncio(&["--paused", name]);
        let says = format!(
            "asyncio: {name} waits for what no clock can pause; start it without --paused\n"
        );
        assert_eq!((output.status.code(), &*stderr(&output)), (Some(2), &*says));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn run_in_executor_prints_each_count_when_it_is_done() {
    // With more threads the shortest counts overtake each other.
    let mut command = Command::new(program());
    let child = start(command.arg("run_in_executor").env("BLOCKING_MAX_THREADS", "1"));
    assert_eq!(stdout(&end_of(child)), expected("run_in_executor"));
}

#[test]
fn thread_pool_reports_until_all_requests_are_answered() {
    let printed = stdout(&asyncio(&["thread_pool"]));
    let lines: Vec<&str> = printed.lines().collect();
    let expected = expected("thread_pool");
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!((lines.first(), lines.last()), (expected.first(), expected.last()));
    // One more for each half second that it takes.
    let is_report = |line: &&str| line.starts_with("Завершено запросов: ");
    assert!(lines[..lines.len() - 1].iter().all(is_report), "{printed}");
}

#[test]
fn shell_says_what_it_reads_until_quit_or_the_end() {
    for input in ["a\nquit\nb\n", "a\n"] {
        let mut shell = start(Command::new(program()).arg("shell").stdin(Stdio::piped()));
        let mut stdin = shell.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("a pipe has room");
        drop(stdin);
        let output = end_of(shell);
        assert_eq!(stdout(&output), expected("shell"));
        assert!(output.status.success());
    }
}

#[test]
fn sigint_cancels_the_tasks_and_ends_with_1() {
    let mut child = start(Command::new(program()).arg("sigint"));
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut printed = String::new();
    lines.read_line(&mut printed).expect("UTF-8");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let output = end_of(child);
    lines.read_to_string(&mut printed).expect("UTF-8");
    assert_eq!(printed, expected("sigint"));
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(1), "CancelledError\n"));
}
