//! What people read when their server and the engine lose each other, and when they meet again.

use std::io::BufRead;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;

use super::engine::Engine;
use super::proxy::{Proxy, Way};
use super::{
    CUT_OFF, Heard, TOGETHER, alone, chat, hears, hears_all, hears_of, met, pair, past, say, unix,
};
use crate::harness::{Client, Server, eventually, speaks};

/// Two servers, and two guests on the first and one on the second.
fn three(engine: &Engine) -> ([Server; 2], [Client; 3]) {
    let servers = [chat(engine, &[]), chat(engine, &[])];
    let guests = [0, 0, 1].map(|n| servers[n].guest(&mut []));
    (servers, met(guests))
}

/// All three read that they are cut off.
#[track_caller]
fn are_cut_off([ann, carl, bob]: &mut [Client; 3]) {
    for guest in [ann, carl] {
        guest.expect(format_args!("{CUT_OFF}only the 2 here read you"));
    }
    bob.expect(format_args!("{CUT_OFF}nobody else reads you"));
}

#[test]
fn without_an_engine_at_the_start_the_chat_serves_at_once_and_is_joined_later() {
    let Some(mut engine) = Engine::absent("relay-absent", &[]) else { return };
    let servers = [(); 2].map(|()| alone(&engine, &[]));
    servers.iter().for_each(|server| drop(server.logged("cut off from the other servers")));
    let mut ann = servers[0].guest(&mut []);
    let letter = ann.name.strip_prefix("guest1").expect("a number").to_owned();
    assert!(letter.len() == 1 && letter.bytes().all(|it| it.is_ascii_lowercase()), "{}", ann.name);
    ann.expect("*** cut off from the other servers; only those here read you");
    let mut bob = servers[1].guest(&mut []);
    bob.line();
    say(&mut ann, 1..=3);
    say(&mut bob, 1..=3);
    engine.run();
    ann.expect(TOGETHER);
    bob.expect(TOGETHER);
    hears_all(&mut ann, &bob.name, 3);
    hears_all(&mut bob, &ann.name, 3);
    servers.iter().for_each(|server| drop(server.logged("shares its room")));
    let [_, _, carl] = met([ann, bob, servers[0].guest(&mut [])]);
    assert!(carl.name.ends_with(|c: char| c.is_ascii_digit()), "{}", carl.name);
}

#[test]
fn an_engine_that_is_killed_and_keeps_its_log_loses_no_line() {
    let kept = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut engine) = Engine::start("relay-kept", &kept) else { return };
    let (servers, mut guests) = three(&engine);
    let [ann, carl, bob] = &mut guests;
    speaks(ann, bob, "before");
    carl.line();
    engine.kill();
    are_cut_off(&mut guests);
    let [ann, carl, bob] = &mut guests;
    say(ann, 1..=100);
    say(bob, 1..=100);
    hears_all(carl, &ann.name, 100);
    engine.run();
    ann.expect(TOGETHER);
    carl.expect(TOGETHER);
    bob.expect(TOGETHER);
    hears_all(ann, &bob.name, 100);
    hears_all(carl, &bob.name, 100);
    hears_all(bob, &ann.name, 100);
    speaks(ann, bob, "after");
    let pasts = [0, 1].map(|n| past(&mut servers[n].guest(&mut []))[20..].to_vec());
    assert_eq!(pasts[0], pasts[1]);
}

#[test]
fn an_engine_that_is_killed_and_loses_its_log_is_told_of_once_on_each_server() {
    let Some(mut engine) = Engine::start("relay-lost", &[]) else { return };
    let (_servers, mut guests) = three(&engine);
    let [ann, carl, bob] = &mut guests;
    speaks(ann, bob, "before");
    carl.line();
    engine.kill();
    are_cut_off(&mut guests);
    let [ann, carl, bob] = &mut guests;
    say(ann, 1..=10);
    hears_all(carl, &ann.name, 10);
    engine.run();
    for guest in [&mut *carl, &mut *bob] {
        guest.expect(TOGETHER);
    }
    let lost = "*** the servers' log is lost; one that starts now begins without a past";
    carl.expect(lost);
    let mut heard = Heard::default();
    let mut told = 0;
    while told < 1 || heard.numbers.len() < 10 {
        let line = bob.line();
        told += usize::from(line == lost);
        heard.take(&ann.name, &line);
    }
    heard.accounts_for(10);
    assert_eq!(heard.missed, 0);
    speaks(carl, bob, "after");
    speaks(bob, carl, "after");
}

#[test]
fn beside_an_engine_that_hangs_people_talk_on_and_then_all_of_it_crosses() {
    let Some(engine) = Engine::start("relay-hangs", &[]) else { return };
    let (_servers, mut guests) = three(&engine);
    engine.hold();
    let [ann, carl, _] = &mut guests;
    // Long before the engine counts as gone.
    say(ann, 1..=100);
    hears_all(carl, &ann.name, 100);
    are_cut_off(&mut guests);
    let [ann, carl, bob] = &mut guests;
    say(bob, 1..=100);
    say(ann, 101..=200);
    let heard = hears(carl, &ann.name, 200);
    assert_eq!(heard.numbers, (101..=200).collect::<Vec<_>>());
    // Nor is it told again while each server tries to come back.
    carl.expect_silence(Duration::from_secs(8));
    engine.go_on();
    for guest in [&mut *ann, &mut *carl, &mut *bob] {
        guest.expect(TOGETHER);
    }
    hears_all(bob, &ann.name, 200);
    hears_all(ann, &bob.name, 100);
    speaks(ann, bob, "after");
    speaks(bob, ann, "after");
}

#[test]
fn both_sides_read_exactly_how_many_lines_did_not_cross() {
    let kept = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut engine) = Engine::start("relay-bounds", &kept) else { return };
    let (servers, mut guests) = three(&engine);
    engine.kill();
    are_cut_off(&mut guests);
    let [ann, carl, bob] = &mut guests;
    say(ann, 1..=268);
    hears_all(carl, &ann.name, 268);
    let mut dora = servers[1].client();
    dora.line();
    bob.line();
    let padding = "x".repeat(896);
    bob.send((1..=80).map(|n| format!("{n:03} {padding}\r\n")).collect::<String>());
    hears_all(&mut dora, &bob.name, 80);
    engine.run();
    for guest in [&mut *ann, &mut *carl] {
        guest.expect(TOGETHER);
        guest.expect("*** 12 lines said here did not reach the other servers");
    }
    for guest in [&mut *bob, &mut dora] {
        guest.expect(TOGETHER);
        guest.expect("*** 8 lines said here did not reach the other servers");
    }
    assert_eq!(hears_of(bob, &ann.name, 268).missed, 12);
    assert_eq!(hears_of(ann, &bob.name, 80).missed, 8);
    speaks(ann, bob, "after");
    speaks(bob, ann, "after");
}

#[test]
fn what_is_trimmed_while_a_server_stands_still_is_counted_exactly() {
    let Some(engine) = Engine::start("relay-trimmed", &[]) else { return };
    let (servers, [mut ann, mut bob]) = pair(&engine);
    let log = || engine.count(&["XLEN", "room:lobby"]);
    for (said, kept) in [(1..=100, 10), (101..=150, 0)] {
        servers[1].hold();
        let before = log();
        let last = *said.end();
        say(&mut ann, said.clone());
        eventually("written", || log() - before == said.clone().count() as i64);
        // More than may stand in the log would do the same, and takes longer.
        engine.ask(&["XTRIM", "room:lobby", "MAXLEN", &kept.to_string()]);
        servers[1].go_on();
        let mut heard = Heard::default();
        while (heard.numbers.len() as u64 + heard.missed) < said.clone().count() as u64 {
            heard.take(&ann.name, &bob.line());
        }
        assert!(heard.numbers.ends_with(&(last - kept + 1..=last).collect::<Vec<_>>()));
        assert!(heard.numbers.is_sorted() && heard.missed > 0, "{heard:?}");
    }
    speaks(&mut ann, &mut bob, "after");
}

#[test]
fn the_log_stays_bounded() {
    let Some(engine) = Engine::start("relay-log", &[]) else { return };
    let (_servers, [mut ann, mut bob]) = pair(&engine);
    let mut stranger = engine.client();
    for _ in 0..11_000 {
        stranger.ask(&["XADD", "room:lobby", "*", "no", "line"]);
    }
    speaks(&mut ann, &mut bob, "hello");
    let log = engine.count(&["XLEN", "room:lobby"]);
    assert!((10_000..=10_100).contains(&log), "{log}");
}

#[test]
fn a_server_that_begins_while_the_engine_does_not_know_another_has_missed_nothing_of_it() {
    let Some(mut engine) = Engine::start("relay-begins", &[]) else { return };
    let first = chat(&engine, &[]);
    let mut ann = first.guest(&mut []);
    say(&mut ann, 1..=100);
    let mut carl = first.client();
    carl.skip_to(format_args!("<{}> 100", ann.name));
    first.hold();
    engine.kill();
    engine.run();
    let second = chat(&engine, &[]);
    let mut bob = second.client();
    bob.line();
    first.go_on();
    ann.skip_to(TOGETHER);
    say(&mut ann, 101..=102);
    let mut read = Vec::new();
    while read.last().is_none_or(|line| *line != format!("<{}> 102", ann.name)) {
        read.push(bob.line());
    }
    // It is told as late as at the next two beats.
    bob.expect_silence(Duration::from_secs(5));
    assert!(!read.iter().any(|line| line.contains("missed")), "{read:?}");
}

/// Everything is lost at once, again and again, while both sides speak.
#[test]
fn an_engine_that_is_emptied_under_load_repeats_nothing_and_what_is_lost_is_counted() {
    let Some(engine) = Engine::start("relay-emptied", &[]) else { return };
    let (_servers, [mut ann, mut bob]) = pair(&engine);
    let mut ears = [Heard::default(), Heard::default()];
    for round in 0..20 {
        let said = 40 * round + 1..=40 * (round + 1);
        say(&mut ann, said.clone());
        say(&mut bob, said.clone());
        engine.ask(&["FLUSHALL"]);
        let [of_bob, of_ann] = &mut ears;
        while of_ann.numbers.len() as u64 + of_ann.missed < *said.end() {
            of_ann.take(&ann.name, &bob.line());
        }
        while of_bob.numbers.len() as u64 + of_bob.missed < *said.end() {
            of_bob.take(&bob.name, &ann.line());
        }
        ears.iter().for_each(|heard| heard.accounts_for(*said.end()));
    }
    ann.send("after\r\n");
    // It is told at the next beat, and so perhaps only now.
    let mut lines = std::iter::from_fn(|| Some(bob.line()));
    let line = lines.find(|line| !line.starts_with("*** the servers' log is lost;"));
    assert_eq!(line, Some(format!("<{}> after", ann.name)));
}

/// Two servers that reach the engine through a proxy each, with a guest on each.
fn through_proxies(engine: &Engine) -> ([Proxy; 2], [Server; 2], [Client; 2]) {
    let proxies = ["one", "two"].map(|name| Proxy::start(engine.file(name), &engine.socket()));
    let servers = [0, 1].map(|n| {
        let relay = unix(proxies[n].path());
        let server = Server::start("chat", &["--rate", "0", "--relay", &relay]);
        server.logged("shares its room");
        server
    });
    let guests = [0, 1].map(|n| servers[n].guest(&mut []));
    (proxies, servers, met(guests))
}

/// Cuts that a test makes: as many as PROPTEST_CASES says, or few. With 1,200 there is one at each
/// of the first 600 bytes in each direction.
fn cuts() -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(40)
}

/// Numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

/// A guest that only listens, in a thread of its own.
struct Ears {
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

fn listen(mut guest: Client) -> Ears {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while guest.stream.read_line(&mut line).is_ok_and(|n| n > 0) {
            let _gone = sender.send(std::mem::take(&mut line).trim_end().to_owned());
        }
    });
    Ears { lines, heard: Vec::new() }
}

impl Ears {
    /// Whether it has heard this line so far.
    fn hears(&mut self, author: &str, number: u64) -> bool {
        self.heard.extend(self.lines.try_iter());
        self.heard.iter().any(|line| *line == format!("<{author}> {number}"))
    }

    fn of(&self, author: &str) -> Heard {
        let mut heard = Heard::default();
        self.heard.iter().for_each(|line| heard.take(author, line));
        heard
    }
}

#[test]
fn wherever_a_connection_is_cut_each_line_is_read_once_and_stands_once_in_the_past() {
    let Some(engine) = Engine::start("relay-cuts", &[]) else { return };
    let (proxies, servers, [mut ann, mut bob]) = through_proxies(&engine);
    let mut ears = [servers[0].client(), servers[1].client()].map(listen);
    let (mut random, mut said) = (Random(14), 0);
    for n in 0..cuts() {
        let way = if n % 2 == 0 { Way::ToEngine } else { Way::FromEngine };
        let proxy = &proxies[n / 2 % 2];
        let mut until = proxy.made() + 1;
        // 600 and this have no common divisor.
        proxy.cut(&[(way, 1 + 37 * (n / 2) % 600)]);
        // Also while it connects again.
        if n % 4 > 1 {
            proxy.cut(&[(way, 1 + random.below(300))]);
            until += 1;
        }
        while proxy.made() < until {
            said += 1;
            say(&mut ann, said..=said);
            say(&mut bob, said..=said);
            let [of_bob, of_ann] = &mut ears;
            eventually("heard", || of_ann.hears(&ann.name, said) && of_bob.hears(&bob.name, said));
        }
    }
    for (ears, author) in ears.iter().zip([&bob.name, &ann.name]) {
        assert_eq!(ears.of(author), Heard { numbers: (1..=said).collect(), missed: 0 });
    }
    let later = chat(&engine, &["--history", "1000"]);
    let past = past(&mut later.guest(&mut []));
    for author in [&ann.name, &bob.name] {
        let mut heard = Heard::default();
        past.iter().for_each(|line| heard.take(author, line));
        let first = said.saturating_sub(400) + 1;
        let stands = heard.numbers.iter().copied().filter(|it| *it >= first);
        assert!(stands.eq(first..=said), "{:?}", heard.numbers);
    }
}

#[test]
fn wherever_a_server_is_cut_when_it_begins_it_repeats_nothing_to_its_own_guests() {
    let Some(engine) = Engine::start("relay-begun", &[]) else { return };
    for bytes in (100..=3000).step_by(100) {
        let path = engine.file(&format!("proxy-{bytes}"));
        let server = Server::start("chat", &["--relay", &unix(&path)]);
        server.logged("cut off from the other servers");
        let [mut ann, mut carl] = [(); 2].map(|()| server.guest(&mut []));
        let once = format!("<{}> once {bytes}", ann.name);
        ann.send(format!("once {bytes}\r\n"));
        carl.skip_to(&once);
        let proxy = Proxy::start(path, &engine.socket());
        proxy.cut(&[(Way::FromEngine, bytes)]);
        server.logged("shares its room");
        ann.send(format!("again {bytes}\r\n"));
        let mut read = Vec::new();
        while read.last().is_none_or(|line| *line != format!("<{}> again {bytes}", ann.name)) {
            read.push(carl.line());
        }
        assert!(!read.contains(&once), "cut behind {bytes} bytes: {read:?}");
    }
}

#[test]
fn whatever_breaks_under_load_each_line_is_read_once_or_counted_as_missed() {
    let Some(mut engine) = Engine::start("relay-load", &[]) else { return };
    let ([proxy, _], servers, [mut ann, mut bob]) = through_proxies(&engine);
    // They show that all of it was said.
    let mut beside = [0, 1].map(|n| servers[n].client());
    let (mut random, rounds, lines) = (Random(41), 12, 300);
    for round in 0..rounds {
        let said = lines * round + 1..=lines * (round + 1);
        say(&mut ann, said.clone());
        say(&mut bob, said.clone());
        match round % 3 {
            0 => proxy.cut(&[(Way::FromEngine, 1 + random.below(20_000))]),
            1 => drop(engine.ask(&["FLUSHALL"])),
            _ => {
                engine.kill();
                engine.run();
            }
        }
        for (listener, speaker) in beside.iter_mut().zip([&ann, &bob]) {
            listener.skip_to(format_args!("<{}> {}", speaker.name, said.end()));
        }
    }
    let total = rounds * lines;
    let missed = hears_of(&mut ann, &bob.name, total).missed;
    let missed = missed + hears_of(&mut bob, &ann.name, total).missed;
    assert!(missed > 0, "nothing broke");
}

#[test]
fn at_whatever_byte_a_reply_is_split_and_however_late_it_comes_nothing_is_lost() {
    let Some(engine) = Engine::start("relay-slow", &[]) else { return };
    let (proxies, _servers, [mut ann, mut bob]) = through_proxies(&engine);
    let mut last = 0;
    for (bytes, pause) in [(1, Duration::from_micros(10)), (1000, Duration::from_millis(50))] {
        proxies.iter().for_each(|proxy| proxy.slow_down(bytes, pause));
        let said = last + 1..=last + 30;
        last += 30;
        say(&mut ann, said.clone());
        say(&mut bob, said.clone());
        let expected = Heard { numbers: said.collect(), missed: 0 };
        assert_eq!(hears(&mut ann, &bob.name, last), expected);
        assert_eq!(hears(&mut bob, &ann.name, last), expected);
    }
}

#[test]
fn a_server_that_is_asked_to_end_first_passes_on_what_was_said_and_who_left() {
    let Some(engine) = Engine::start("relay-ends", &[]) else { return };
    let [mut first, second] = [chat(&engine, &[]), chat(&engine, &[])];
    let descriptor = first.next_descriptor();
    let guests = [&first, &first, &second].map(|server| server.guest(&mut []));
    let [mut ann, mut carl, mut bob] = met(guests);
    engine.hold();
    say(&mut ann, 1..=100);
    hears_all(&mut carl, &ann.name, 100);
    let author = std::mem::take(&mut ann.name);
    first.signal(Signal::TERM);
    carl.expect("*** the server is going down, goodbye");
    drop((ann, carl));
    eventually("alone", || first.next_descriptor() < descriptor);
    engine.go_on();
    hears_all(&mut bob, &author, 100);
    bob.expect("*** 2 left (1 here)");
    assert_eq!(first.exit().code(), Some(0));
}
