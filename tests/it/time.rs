//! What the time server promises: the time to everyone, once a second, never a stale one.

#[cfg(feature = "local-time")]
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use smol_servers::{Clock, TimeZone};

use crate::harness::{Client, Executor, Server, binary, eventually, serve_during};

/// Lines of nearly the most there may be, so that what the kernel holds for a client is a few.
const LONG: usize = 3900;

#[test]
fn the_first_line_comes_at_once() {
    let server = Server::start("time", &["--every", "86400"]);
    let asked = Instant::now();
    server.client().line();
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[cfg(feature = "local-time")]
#[test]
fn the_line_is_rfc_3339_with_the_local_offset() {
    let mut command = Command::new(binary("time"));
    let server = Server::start_command(command.env("TZ", "IST-5:30"));
    let line = server.client().line();
    assert!(line.ends_with("+05:30"), "{line}");
    assert_shows_now(&line, "0000-00-00T00:00:00+00:00");
}

#[cfg(feature = "local-time")]
#[test]
fn any_zone_is_taken_by_name_or_rule_from_the_option_or_tz() {
    for (rule, offset) in [("CET-1CEST,J1/0,J365/23", "+02:00"), ("<+0330>-3:30", "+03:30")] {
        let by_option = Server::start("time", &["--zone", rule]);
        assert!(by_option.client().line().ends_with(offset), "{rule}");
        let by_tz = Server::start_command(Command::new(binary("time")).env("TZ", rule));
        assert!(by_tz.client().line().ends_with(offset), "{rule}");
    }
    // Its rule left out, as POSIX allows; one or two hours as the season is.
    let by_tz = Server::start_command(Command::new(binary("time")).env("TZ", "XYZ-1XYS"));
    let line = by_tz.client().line();
    assert!(line.ends_with("+01:00") || line.ends_with("+02:00"), "{line}");
    if Path::new("/usr/share/zoneinfo/Asia/Kolkata").exists() {
        let by_name = Server::start("time", &["--zone", "asia/Kolkata"]);
        assert!(by_name.client().line().ends_with("+05:30"));
    } else {
        eprintln!("left out: tzdata is not installed");
    }
}

#[cfg(feature = "local-time")]
#[test]
fn the_option_is_stronger_than_tz() {
    let mut command = Command::new(binary("time"));
    let server = Server::start_command(command.args(["--zone", "IST-5:30"]).env("TZ", "UTC0"));
    assert!(server.client().line().ends_with("+05:30"));
}

#[cfg(not(feature = "local-time"))]
#[test]
fn a_program_without_local_time_shows_utc_whatever_tz_says() {
    let server = Server::start_command(Command::new(binary("time")).env("TZ", "IST-5:30"));
    assert_shows_now(&server.client().line(), "0000-00-00T00:00:00Z");
}

#[test]
fn utc_ends_in_z() {
    let server = Server::start("time", &["--utc"]);
    assert_shows_now(&server.client().line(), "0000-00-00T00:00:00Z");
}

#[test]
fn the_line_is_as_format_says() {
    let server = Server::start("time", &["--utc", "--format", "it is %A, %s"]);
    let line = server.client().line();
    let (day, seconds) = line.split_once(", ").expect("a comma");
    let day = day.strip_prefix("it is ").expect("what was asked for");
    let seconds = seconds.parse().expect("seconds since the epoch");
    let shown = Timestamp::from_second(seconds).expect("a time");
    assert_eq!(shown.strftime("%A").to_string(), day);
    assert!(shown.duration_until(Timestamp::now()).as_secs() <= 1);
}

#[cfg(feature = "local-time")]
#[test]
fn every_other_second_is_an_even_one_of_the_local_clock() {
    let options = ["--zone", "XXX-0:00:01", "--format", "%s %S", "--every", "2"];
    let server = Server::start("time", &options);
    let mut client = server.client();
    let _the_moment_of_connecting = client.line();
    for _ in 0..2 {
        let line = client.line();
        let (epoch, local) = line.split_once(' ').expect("two numbers");
        let is_even = |number: &str| number.parse::<u64>().expect("a number") % 2 == 0;
        assert!(!is_even(epoch) && is_even(local), "{line}");
    }
}

#[test]
fn five_hundred_read_each_second_at_its_time_while_one_is_stuck() {
    let format = format!("%s {}", "x".repeat(LONG));
    let server = Server::start("time", &["--format", &format]);
    let stuck = server.small_client();
    let mut clients: Vec<Client> = (0..500).map(|_| server.client()).collect();
    let (latest, earlier) = clients.split_last_mut().expect("500");
    let _the_moment_of_connecting = latest.line();
    let mut last = latest.seconds();
    for client in earlier {
        while client.seconds() < last {}
    }
    let mut unsent = 0;
    let mut rounds_stuck = 0;
    while rounds_stuck < 3 {
        let second = clients[0].seconds();
        let came = Instant::now();
        for client in &mut clients[1..] {
            assert_eq!(client.seconds(), second);
        }
        let took = came.elapsed();
        assert!(took < Duration::from_millis(300), "the last of all read it {took:?} later");
        assert_eq!(second, last + 1);
        last = second;
        rounds_stuck = if stuck.unsent() == unsent { rounds_stuck + 1 } else { 0 };
        unsent = stuck.unsent();
    }
    assert!(unsent > 0);
}

/// In process, where a tick may be shorter than a second.
#[test]
fn one_who_was_stuck_and_reads_on_skips_to_the_current_time() {
    let tick = Duration::from_millis(20);
    let format = format!("%s.%3N {}", "x".repeat(LONG));
    let clock = Clock::new(TimeZone::UTC, Some(&format), tick).expect("a format");
    serve_during(&Executor::default(), clock, move |address, _trigger| {
        let mut witness = Client::connect(address);
        let mut stuck = Client::connect_small(address);
        let mut unsent = 0;
        while unsent == 0 || unsent != stuck.unsent() {
            unsent = stuck.unsent();
            (0..20).for_each(|_| drop(witness.line()));
        }
        (0..50).for_each(|_| drop(witness.line()));
        stuck.widen();
        let mut old = 0;
        while stuck.age() > Duration::from_millis(500) {
            old += 1;
        }
        assert!((1..30).contains(&old), "{old} old lines, where the kernel holds a few");
        for _ in 0..10 {
            let age = stuck.age();
            assert!(age < Duration::from_millis(500), "a line {age:?} old");
        }
    });
}

#[test]
fn a_fin_does_not_stop_the_ticks() {
    let server = Server::start("time", &["--format", "%s"]);
    let mut client = server.client();
    client.half_close();
    let _the_moment_of_connecting = client.line();
    let second = client.seconds();
    assert_eq!(client.seconds(), second + 1);
}

#[test]
fn one_who_vanishes_after_its_fin_is_noticed() {
    let server = Server::start("time", &[]);
    let client = server.client();
    client.half_close();
    eventually("said goodbye", || server.stats()["bytes_out"] > 0);
    client.reset();
    assert!(server.logged("closed").contains("reason=\"connection lost\""));
}

#[test]
fn each_way_to_leave_is_understood_and_all_else_is_ignored() {
    let server = Server::start("time", &["--every", "86400"]);
    for goodbye in [&b"\xff\xf4"[..], b"\xff\xec", b"\x04", b"\x03"] {
        let mut client = server.client();
        client.line();
        client.send(b"what time is it?\r\n\xff\xf6\xff\xfa\x18\xff\xf0");
        client.send(b"\xff\xfd\x06");
        client.expect_bytes(b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00\xff\xfb\x06");
        client.send(goodbye);
        client.expect_eof();
    }
}

impl Client {
    /// The next line's first word, as seconds since the epoch.
    #[track_caller]
    fn seconds(&mut self) -> u64 {
        let line = self.line();
        line.split(' ').next().and_then(|word| word.parse().ok()).expect("seconds")
    }

    /// How long ago the next line was current.
    #[track_caller]
    fn age(&mut self) -> Duration {
        let line = self.line();
        let shown: f64 = line.split(' ').next().and_then(|word| word.parse().ok()).expect("a time");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a later time");
        now.saturating_sub(Duration::from_secs_f64(shown))
    }
}

/// `form` is the line with a zero for each digit.
#[track_caller]
fn assert_shows_now(line: &str, form: &str) {
    let zeros: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(zeros, form);
    let shown: Timestamp = line.parse().expect("RFC 3339");
    let age = shown.duration_until(Timestamp::now());
    assert!((0..=1).contains(&age.as_secs()), "{line} is {age:?} old");
}
