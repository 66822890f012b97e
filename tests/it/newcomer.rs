//! What a newcomer meets: history, message of the day, the question for a name, time stamps.

use crate::harness::{Client, Server, speaks};

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
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    ann.send("hello\r\n");
    let line = bob.line();
    let (stamp, said) = line.split_at(6);
    assert_eq!(said, "<guest1> hello");
    let digits = stamp.replace(|c: char| c.is_ascii_digit(), "9");
    assert_eq!(digits, "99:99 ", "{line}");
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
        ("two words", "*** a name is 1 to 16 of the letters A-Z a-z, digits, _ and -"),
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
fn a_stranger_is_told_what_this_is_and_closed() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for opening in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", hello] {
        let mut stranger = server.guest(&mut [&mut ann]);
        stranger.send(opening);
        stranger.expect("*** this is a telnet chat: come with telnet, PuTTY or nc");
        stranger.expect_eof();
        ann.expect(format_args!("*** {} left (not a chat client)", stranger.name));
    }
}
