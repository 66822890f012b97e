//! What the chat promises to the people in it.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::harness::{Client, Server, eventually, speaks};

/// In which a line reaches everyone, whatever a hanging client does.
const PROMPT: Duration = Duration::from_millis(100);

#[test]
fn a_line_goes_to_all_others_and_not_back_to_its_sender() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let mut eve = server.guest(&mut [&mut ann, &mut bob]);
    ann.send("hello\r\n");
    bob.expect("<guest1> hello");
    eve.expect("<guest1> hello");
    // Had ann's own line come back, it would stand before bob's.
    speaks(&mut bob, &mut ann, "hi ann");
}

#[test]
fn the_welcome_names_up_to_ten_others_and_counts_the_rest() {
    let server = Server::start("chat", &[]);
    let mut guests = Vec::new();
    let mut comes = |welcome: &str| {
        let mut guest = server.client();
        guest.expect(welcome);
        guests.push(guest);
    };
    comes("*** welcome, you are guest1. nobody else is here yet");
    comes("*** welcome, you are guest2. 1 other here: guest1");
    comes("*** welcome, you are guest3. 2 others here: guest1, guest2");
    let mut names = "guest1, guest2".to_owned();
    for count in 3..=10 {
        names += &format!(", guest{count}");
        let me = count + 1;
        comes(&format!("*** welcome, you are guest{me}. {count} others here: {names}"));
    }
    comes(&format!("*** welcome, you are guest12. 11 others here: {names} and 1 more"));
    comes(&format!("*** welcome, you are guest13. 12 others here: {names} and 2 more"));
}

#[test]
fn the_others_read_who_comes_and_how_many_are_here() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.client();
    ann.expect("*** guest2 joined (2 here)");
    let _eve = server.client();
    ann.expect("*** guest3 joined (3 here)");
    bob.expect("*** welcome, you are guest2. 1 other here: guest1");
    bob.expect("*** guest3 joined (3 here)");
}

#[test]
fn the_others_read_who_goes_and_why() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let bob = server.guest(&mut [&mut ann]);
    let eve = server.guest(&mut [&mut ann]);
    bob.half_close();
    ann.expect("*** guest2 left");
    eve.reset();
    ann.expect("*** guest3 left (connection lost)");
}

#[test]
fn a_name_is_never_used_again() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    drop(server.guest(&mut [&mut ann]));
    ann.expect("*** guest2 left");
    assert_eq!(server.guest(&mut [&mut ann]).name, "guest3");
}

#[test]
fn every_kind_of_line_end_ends_one_line() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send(b"crlf\r\nlf\ncr\rcr nul\r\0last\r\n");
    for said in ["crlf", "lf", "cr", "cr nul", "last"] {
        bob.expect(format_args!("<guest1> {said}"));
    }
}

#[test]
fn a_line_end_cut_in_two_ends_one_line() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    for (second, next) in [(&b"\n"[..], "crlf"), (b"\0", "cr nul")] {
        ann.send("first\r");
        bob.expect("<guest1> first");
        ann.send([second, next.as_bytes(), b"\r\n"].concat());
        bob.expect(format_args!("<guest1> {next}"));
    }
}

#[test]
fn an_empty_line_reaches_nobody() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send("\r\n\n\x07\r\n");
    speaks(&mut ann, &mut bob, "something");
}

#[test]
fn a_line_in_which_nothing_can_be_seen_reaches_nobody() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send("   \r\n\u{3164}\r\n\u{200b}\u{2060}\r\n\u{2800}\r\n\u{206a}\r\n");
    speaks(&mut ann, &mut bob, "something");
}

#[test]
fn in_ascii_nothing_reaches_a_terminal_that_is_not_utf8() {
    let server = Server::start("chat", &["--ascii", "--ask-names"]);
    let (mut ann, mut bob) = (server.client(), server.client());
    for guest in [&mut ann, &mut bob] {
        guest.line();
    }
    ann.send("Zoë\r\n");
    ann.expect("*** a name is 1 to 16 of the letters A-Z a-z, digits, _ and -");
    ann.send("\r\n");
    ann.expect("*** welcome, you are guest1. nobody else is here yet");
    bob.send("\r\n");
    bob.line();
    // In ISO 8859-1 the second byte of this letter is CSI: clear the screen.
    ann.send("ě2J naïve\r\n");
    bob.expect("<guest1> ?2J na?ve");
}

#[test]
fn an_unfinished_line_at_the_end_is_delivered_before_the_leave() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send("said in leaving");
    ann.half_close();
    bob.expect("<guest1> said in leaving");
    bob.expect("*** guest1 left");
    ann.expect_eof();
}

#[test]
fn a_client_that_vanishes_in_mid_line_is_lost_and_its_half_line_unsaid() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send("half a li");
    eventually("read", || server.stats()["bytes_in"] == 9);
    ann.reset();
    bob.expect("*** guest1 left (connection lost)");
}

#[test]
fn a_long_line_is_split_at_a_character_and_nothing_is_lost() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    for shift in 0..4 {
        let text = "x".repeat(shift) + &"🦀".repeat(600);
        ann.send(text.clone() + "\r\n");
        let mut heard = String::new();
        while heard.len() < text.len() {
            let line = bob.line();
            let part = line.strip_prefix("<guest1> ").expect("each part has its name");
            assert!(part.len() <= 1000, "{}", part.len());
            heard += part;
        }
        assert_eq!(heard, text);
    }
    speaks(&mut ann, &mut bob, "and no part is left");
}

#[test]
fn invalid_utf8_becomes_replacement_characters() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send(b"a\x80b\xc3 \xf0\x9f\xa6 end\r\n");
    bob.expect("<guest1> a\u{fffd}b\u{fffd} \u{fffd} end");
}

#[test]
fn control_characters_do_not_reach_others() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    ann.send("\x1b[2J\x1b]0;title\x07\u{9b}31m\tred\x0e\r\n");
    bob.expect("<guest1> [2J]0;title31m red");
}

#[test]
fn nothing_a_person_writes_looks_like_a_line_of_the_server() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    let fake = "*** guest2 left";
    let ends = ["\r\n", "\r", "\n", "\r\0", "\n\r", "\r\r", "\x0b", "\x0c", "\x1b", "\u{85}"];
    for end in ends {
        ann.send([fake, end].concat());
    }
    ann.send(["x".repeat(1000).as_str(), fake, "\r\nthe end\r\n"].concat());
    let mut line = String::new();
    while !line.ends_with("the end") {
        line = bob.line();
        assert!(line.starts_with("<guest1> "), "{line:?}");
    }
}

#[test]
fn one_stalled_reader_among_200_costs_nobody_a_line_or_100_ms() {
    let server = Server::start("chat", &[]);
    let stalled = server.small_client();
    let mut speaker = server.guest(&mut []);
    let mut others: Vec<Client> = (0..198).map(|_| server.guest(&mut [])).collect();
    let padding = "x".repeat(900);
    for round in 0..100 {
        let line = format!("{round} {padding}");
        let sent = Instant::now();
        speaker.send(line.clone() + "\r\n");
        for other in &mut others {
            other.expect_said(format_args!("<guest2> {line}"));
            let took = sent.elapsed();
            assert!(took < PROMPT, "line {round} took {took:?}");
        }
    }
    assert!(stalled.unsent() > 0, "it reads nothing, but the server waits for it no more");
}

#[test]
fn a_stalled_client_is_dropped_and_the_others_read_why() {
    let server = Server::start("chat", &["--stall", "1", "--dead", "3"]);
    let mut stalled = server.small_client();
    let mut speaker = server.guest(&mut []);
    let mut other = server.guest(&mut [&mut speaker]);
    for _ in 0..100 {
        speaks(&mut speaker, &mut other, &"x".repeat(900));
    }
    speaker.expect("*** guest1 left (stalled)");
    other.expect("*** guest1 left (stalled)");
    assert!(server.logged("closed").contains("name=guest1 reason=stalled"));
    stalled.expect_reset();
}

#[test]
fn one_who_fell_behind_the_log_reads_exactly_how_many_lines_it_missed() {
    const LINES: usize = 2500;
    let server = Server::start("chat", &[]);
    let mut stalled = server.guest_over(Client::connect_small(server.address), &mut []);
    let mut speaker = server.guest(&mut [&mut stalled]);
    let mut other = server.guest(&mut [&mut stalled, &mut speaker]);
    let padding = "x".repeat(900);
    for number in 0..LINES {
        speaks(&mut speaker, &mut other, &format!("{number} {padding}"));
    }
    stalled.widen();
    let mut next = 0;
    let mut missed = 0;
    while next < LINES {
        let line = stalled.line();
        if let Some(rest) = line.strip_prefix("*** you missed ") {
            assert_eq!(missed, 0, "it fell behind once");
            missed = rest.strip_suffix(" lines").and_then(|n| n.parse().ok()).expect("a count");
            next += missed;
        } else {
            assert_eq!(line, format!("<guest2> {next} {padding}"));
            next += 1;
        }
    }
    assert!(missed > 0);
    assert_eq!(server.stats()["missed"], missed as u64);
    speaks(&mut speaker, &mut stalled, "back again");
}

#[test]
fn a_thousand_clients_all_hear_each_other_once_and_in_one_order() {
    const CLIENTS: usize = 1000;
    let server = Server::start("chat", &[]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.guest(&mut [])).collect();
    let mut judge = server.guest(&mut []);
    for client in &mut clients {
        let line = format!("I am {}\r\n", client.name);
        client.send(line);
    }
    let order: Vec<String> = (0..CLIENTS).map(|_| judge.said()).collect();
    judge.send("that was all\r\n");
    for client in &mut clients {
        let own = format!("<{0}> I am {0}", client.name);
        for line in order.iter().filter(|line| **line != own) {
            client.expect_said(line);
        }
        client.expect_said("<guest1001> that was all");
    }
    let mut names = order;
    names.sort();
    names.dedup();
    assert_eq!(names.len(), CLIENTS);
}

#[test]
fn a_reset_and_a_join_in_the_same_moment_are_survived_200_times() {
    let server = Server::start("chat", &[]);
    let mut witness = server.guest(&mut []);
    let mut victim = server.guest(&mut []);
    for _ in 0..200 {
        server.hold();
        victim.reset();
        victim = server.client();
        server.go_on();
        assert!(victim.line().starts_with("*** welcome, you are guest"));
    }
    eventually("all gone", || server.stats()["lost"] == 200);
    assert_eq!(server.stats()["clients"], 2);
    victim.name = "guest202".into();
    witness.send("still there?\r\n");
    victim.expect_said("<guest1> still there?");
    victim.send("still here\r\n");
    witness.expect_said("<guest202> still here");
}

#[test]
fn comings_and_goings_in_a_crowd_are_summed_up() {
    let server = Server::start("chat", &[]);
    let mut witness = server.guest(&mut []);
    let mut crowd: Vec<Client> = (0..299).map(|_| server.guest(&mut [])).collect();
    let mut joined = 0_usize;
    while joined < 299 {
        let line = witness.line();
        let (what, here) = line.split_once(" joined ").expect("a coming");
        // A name stands for one, where no number stands.
        joined += what.trim_start_matches("*** ").parse().unwrap_or(1);
        assert_eq!(here, format!("({} here)", joined + 1));
    }
    assert_eq!(joined, 299);

    server.hold();
    crowd.drain(..12);
    crowd.extend((0..37).map(|_| server.client()));
    server.go_on();
    witness.expect("*** 37 joined, 12 left (325 here)");
}

#[test]
fn one_who_floods_the_chat_keeps_nobody_waiting_at_the_door() {
    let server = Server::start("chat", &["--rate", "0"]);
    let flooder = server.client();
    let mut writer = flooder.socket().try_clone().expect("a socket");
    let lines = "flood\r\n".repeat(10_000);
    std::thread::spawn(move || while writer.write_all(lines.as_bytes()).is_ok() {});
    eventually("flooded", || server.stats()["lines_in"] > 10_000);
    while server.stats()["lines_in"] < 200_000 {
        let came = Instant::now();
        let _guest = server.guest(&mut []);
        let took = came.elapsed();
        assert!(took < PROMPT, "{took:?}");
    }
    flooder.socket().shutdown(Shutdown::Both).expect("connected");
}

#[test]
fn a_crowd_that_speaks_at_full_speed_is_heard_in_full_by_one_who_reads() {
    const LINES: usize = 2000;
    let server = Server::start("chat", &["--rate", "0"]);
    let mut listener = server.guest(&mut []);
    let mut speakers: Vec<Client> = (0..4).map(|_| server.guest(&mut [])).collect();
    for speaker in &mut speakers {
        let lines: String = (0..LINES).map(|n| format!("{n}\r\n")).collect();
        speaker.send(lines);
    }
    let mut heard = [0; 4];
    for _ in 0..4 * LINES {
        let line = listener.said();
        let (name, number) = line.split_once("> ").expect("a name");
        let speaker: usize = name.trim_start_matches("<guest").parse().expect("a guest");
        assert_eq!(number, heard[speaker - 2].to_string(), "of {name}");
        heard[speaker - 2] += 1;
    }
    assert_eq!(heard, [LINES; 4]);
}

/// Two guests who have read all there is to read.
fn pair(server: &Server) -> (Client, Client) {
    let mut ann = server.guest(&mut []);
    let bob = server.guest(&mut [&mut ann]);
    (ann, bob)
}

#[test]
fn one_who_looks_for_commands_is_told_once_and_alone_that_there_are_none() {
    let server = Server::start("chat", &[]);
    let (mut ann, mut bob) = pair(&server);
    let hint = "*** there are no commands here, all read what you write. To leave: \
                ^C twice in telnet, ^C in nc, or close the window";
    for line in ["/quit", " /Help me", "/who"] {
        ann.send(format!("{line}\r\n"));
        bob.expect(format_args!("<guest1> {line}"));
    }
    bob.send("hi\r\n");
    ann.expect(hint);
    ann.expect("<guest2> hi");
    for line in ["not /quit", "/quitter"] {
        bob.send(format!("{line}\r\n"));
        ann.expect(format_args!("<guest2> {line}"));
    }
    speaks(&mut ann, &mut bob, "no hint for bob");
}
