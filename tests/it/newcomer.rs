//! What a newcomer meets: history, message of the day, the question for a name, time stamps.
use crate::harness::{Client, Server, eventually, speaks};

/// The lines up to and including this one.
#[track_caller]
fn lines_to(client: &mut Client, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        lines.push(client.line());
    }
    lines
}

#[test]
fn a_newcomer_reads_the_last_twenty_lines_that_people_said() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    for n in 1..=30 {
        speaks(&mut ann, &mut bob, &format!("line {n}"));
    }
    let mut newcomer = server.guest(&mut [&mut ann, &mut bob]);
    let mut expected = vec!["*** the last 20 lines:".to_owned()];
    expected.extend((11..=30).map(|n| format!("<guest1> line {n}")));
    expected.push("*** now:".to_owned());
    assert_eq!(lines_to(&mut newcomer, "*** now:"), expected);
    speaks(&mut ann, &mut newcomer, "now");
}

#[test]
fn without_history_a_newcomer_reads_only_what_comes() {
    let server = Server::start("chat", &["--history", "0"]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    speaks(&mut ann, &mut bob, "before");
    let mut newcomer = server.guest(&mut [&mut ann, &mut bob]);
    speaks(&mut ann, &mut newcomer, "after");
}

#[test]
fn a_large_message_of_the_day_arrives_whole_and_counts_against_nobody() {
    let path = std::env::temp_dir().join(format!("motd-{}", std::process::id()));
    let text = "be kind\n".repeat(8 * 1024);
    std::fs::write(&path, &text).expect("a temporary file");
    let motd = path.to_str().expect("a Unicode path");
    let server = Server::start("chat", &["--motd", motd, "--stall", "5", "--dead", "9"]);
    std::fs::remove_file(&path).expect("it is read once at the start");
    let mut ann = server.guest(&mut []);
    for _ in 0..8 * 1024 {
        ann.expect("be kind");
    }
    let mut bob = server.client();
    ann.expect("*** guest2 joined (2 here)");
    bob.send("hello\r\n");
    ann.expect("<guest2> hello");
}

#[test]
fn stamped_lines_begin_with_hours_and_minutes() {
    let server = Server::start("chat", &["--timestamps"]);
    let (mut ann, mut bob) = (server.client(), server.client());
    bob.line();
    ann.send("hello\r\n");
    let line = bob.line();
    let (stamp, said) = line.split_at(6);
    assert_eq!(said, "<guest1> hello");
    let digits = stamp.replace(|c: char| c.is_ascii_digit(), "9");
    assert_eq!(digits, "99:99 ", "{line}");
}

#[test]
fn comings_and_goings_are_stamped_like_lines() {
    let server = Server::start("chat", &["--timestamps"]);
    let mut ann = server.guest(&mut []);
    drop(server.guest(&mut []));
    for what in ["guest2 joined (2 here)", "guest2 left"] {
        let line = ann.line();
        let (stamp, told) = line.split_at(6);
        assert_eq!(told, format!("*** {what}"));
        assert_eq!(stamp.replace(|c: char| c.is_ascii_digit(), "9"), "99:99 ", "{line}");
    }
}

#[test]
fn a_program_that_is_asked_for_a_name_is_a_guest_and_says_what_it_said() {
    let server = Server::start("chat", &["--ask-names"]);
    let mut ann = server.client();
    ann.line();
    ann.send("Ann\r\n");
    ann.expect("*** welcome, you are Ann. nobody else is here yet");
    for (number, words) in (2..).zip([&b"hi\n"[..], b"hi", b"hi\r\n", b"hi\nthere\n", b"hi\nthere"])
    {
        let mut program = server.client();
        program.line();
        program.send(words);
        program.half_close();
        ann.expect(format_args!("*** guest{number} joined (2 here)"));
        for word in String::from_utf8_lossy(words).lines() {
            ann.expect(format_args!("<guest{number}> {word}"));
        }
        ann.expect(format_args!("*** guest{number} left"));
    }
}

#[test]
fn a_name_may_be_of_any_script_and_one_that_looks_like_another_is_taken() {
    let server = Server::start("chat", &["--ask-names"]);
    let mut ann = server.client();
    ann.line();
    ann.send("Jürgen\r\n");
    ann.expect("*** welcome, you are Jürgen. nobody else is here yet");
    let mut bob = server.client();
    bob.line();
    for (name, sentence) in [
        ("jÜRGEN", "*** that name is taken"),
        ("Jürgеn", "*** a name is of one script; do not mix alphabets that look alike"),
        ("guestl", "*** names like guest3 are given by the server"),
    ] {
        bob.send(format!("{name}\r\n"));
        bob.expect(sentence);
    }
    bob.send("мария\r\n");
    bob.expect("*** welcome, you are мария. 1 other here: Jürgen");
    ann.expect("*** мария joined (2 here)");
}

#[test]
fn a_newcomer_too_slow_for_the_history_reads_how_much_of_it_is_lost() {
    let path = std::env::temp_dir().join(format!("long-motd-{}", std::process::id()));
    std::fs::write(&path, "be kind\n".repeat(8 * 1024)).expect("a temporary file");
    let motd = path.to_str().expect("a Unicode path");
    let server = Server::start("chat", &["--motd", motd, "--rate", "0"]);
    std::fs::remove_file(&path).expect("it is read once at the start");
    let (mut ann, mut bob) = (server.guest(&mut []), server.client());
    ann.skip_to("*** guest2 joined (2 here)");
    (0..8 * 1024 + 1).for_each(|_| drop(bob.line()));
    let padding = "x".repeat(900);
    for n in 0..20 {
        speaks(&mut ann, &mut bob, &format!("{n} {padding}"));
    }
    let mut slow = Client::connect_small(server.address);
    slow.line();
    bob.expect("*** guest3 joined (3 here)");
    eventually("stalled", || slow.unsent() > 0);
    for n in 20..2000 {
        speaks(&mut ann, &mut bob, &format!("{n} {padding}"));
    }
    slow.widen();
    let history = (0..8 * 1024).map(|_| slow.line()).find(|line| line != "be kind");
    assert_eq!(history, None);
    slow.expect("*** the last 20 lines:");
    slow.expect("*** you missed 20 lines");
    slow.expect("*** now:");
}

#[test]
fn one_who_is_asked_gets_the_name_it_chose() {
    let server = Server::start("chat", &["--ask-names"]);
    let mut ann = server.client();
    ann.expect("*** what name shall the others read? Enter keeps guest1");
    ann.send("Ann\r\n");
    ann.expect("*** welcome, you are Ann. nobody else is here yet");
    let mut bob = server.client();
    bob.expect("*** what name shall the others read? Enter keeps guest2");
    for (name, sentence) in [
        ("two words", "*** a name is 1 to 16 letters and digits of any script, _ and -"),
        ("ANN", "*** that name is taken"),
        ("guest7", "*** names like guest3 are given by the server"),
    ] {
        bob.send(format!("{name}\r\n"));
        bob.expect(sentence);
    }
    bob.send("\r\nhello\r\n");
    bob.expect("*** welcome, you are guest2. 1 other here: Ann");
    ann.expect("*** guest2 joined (2 here)");
    ann.expect("<guest2> hello");
}

#[test]
fn one_who_is_asked_and_leaves_was_never_here() {
    let server = Server::start("chat", &["--ask-names"]);
    let mut ann = server.client();
    ann.line();
    ann.send("Ann\r\n");
    ann.expect("*** welcome, you are Ann. nobody else is here yet");
    let mut shy = server.client();
    shy.line();
    shy.half_close();
    shy.expect_eof();
    let mut bob = server.client();
    bob.line();
    bob.send("Bob\r\n");
    bob.expect("*** welcome, you are Bob. 1 other here: Ann");
    ann.expect("*** Bob joined (2 here)");
}

#[test]
fn another_protocol_is_told_what_this_is_and_closed() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for opening in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", hello] {
        let mut browser = server.guest(&mut [&mut ann]);
        browser.send(opening);
        browser.expect("*** this is a telnet chat: come with telnet, PuTTY or nc");
        browser.expect_eof();
        ann.expect(format_args!("*** {} left (not a chat client)", browser.name));
    }
}
