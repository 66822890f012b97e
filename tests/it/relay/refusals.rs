//! Engines that do not do what they are asked, and options that cannot be.

use std::process::Command;
use std::time::Duration;

use super::engine::Engine;
use super::{CUT_OFF, TOGETHER, alone, chat, hears_all, met, say, unix};
use crate::cli::{one_line, run};
use crate::harness::{Client, Server, binary, share_turn, speaks};

#[test]
fn the_password_is_read_from_a_file_or_the_environment_and_a_wrong_one_is_named() {
    let password = "two words";
    let Some(engine) = Engine::start("relay-password", &["--requirepass", password]) else {
        return;
    };
    let relay = unix(&engine.socket());
    let with = |options: &[&str], password: Option<&str>| {
        let mut command = Command::new(binary("chat"));
        command.args(["--relay", &relay]).args(options);
        password.map(|it| command.env("RELAY_PASSWORD", it));
        Server::start_command(&mut command)
    };
    let file = engine.file("password");
    std::fs::write(&file, format!("{password}\nnot this\n")).expect("a scratch folder");
    let by_file = with(&["--relay-password", file.to_str().expect("a Unicode path")], Some("no"));
    let by_environment = with(&[], Some(password));
    let (wrong, none) = (with(&[], Some("wrong")), with(&[], None));
    by_file.logged("shares its room");
    by_environment.logged("shares its room");
    let line = wrong.logged("cut off from the other servers");
    assert!(line.contains("WRONGPASS"), "{line}");
    let line = none.logged("cut off from the other servers");
    assert!(line.contains("NOAUTH"), "{line}");
    met([by_file.guest(&mut []), by_environment.guest(&mut [])]);
    for server in [wrong, none] {
        server
            .guest(&mut [])
            .expect("*** cut off from the other servers; only those here read you");
        assert!(server.log_so_far().iter().all(|line| !line.contains("cut off")), "said once");
    }
}

#[test]
fn a_key_of_another_type_cuts_off_until_it_is_gone() {
    let Some(engine) = Engine::start("relay-key", &[]) else { return };
    engine.ask(&["SET", "room:lobby", "mine"]);
    let server = alone(&engine, &[]);
    let line = server.logged("cut off from the other servers");
    assert!(line.contains("WRONGTYPE"), "{line}");
    let mut ann = server.guest(&mut []);
    ann.line();
    let mut carl = server.guest(&mut [&mut ann]);
    carl.line();
    speaks(&mut ann, &mut carl, "hello");
    engine.ask(&["DEL", "room:lobby"]);
    ann.expect(TOGETHER);
    let other = chat(&engine, &[]);
    let [mut ann, mut bob] = met([ann, other.guest(&mut [])]);
    engine.ask(&["DEL", "room:lobby"]);
    engine.ask(&["SET", "room:lobby", "mine"]);
    is_cut_off_once(&mut ann, 2);
    engine.ask(&["DEL", "room:lobby"]);
    ann.expect(TOGETHER);
    say(&mut ann, 1..=3);
    hears_all(&mut bob, &ann.name, 3);
}

#[test]
fn an_engine_whose_memory_is_full_cuts_off_until_it_has_room() {
    let Some(engine) = Engine::start("relay-full", &[]) else { return };
    let servers = [chat(&engine, &[]), chat(&engine, &[])];
    let guests = [0, 0, 1].map(|n| servers[n].guest(&mut []));
    let [mut ann, mut carl, mut bob] = met(guests);
    engine.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let late = alone(&engine, &[]);
    assert!(late.logged("cut off from the other servers").contains("OOM"));
    is_cut_off_once(&mut carl, 2);
    say(&mut ann, 1..=3);
    hears_all(&mut carl, &ann.name, 3);
    engine.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    carl.expect(TOGETHER);
    hears_all(&mut bob, &ann.name, 3);
    late.logged("shares its room");
}

#[test]
fn an_engine_without_streams_cuts_off_as_redis_4_would() {
    let without = ["XADD", "XREAD", "XREVRANGE"].map(|name| ["--rename-command", name, ""]);
    let Some(engine) = Engine::start("relay-old", &without.concat()) else { return };
    let server = alone(&engine, &[]);
    let line = server.logged("cut off from the other servers");
    assert!(line.contains("unknown command") && line.contains("XREAD"), "{line}");
    let mut ann = server.guest(&mut []);
    ann.line();
    let mut carl = server.guest(&mut [&mut ann]);
    carl.line();
    speaks(&mut ann, &mut carl, "hello");
}

#[test]
fn the_rights_that_the_readme_names_are_enough() {
    let Some(engine) = Engine::start("relay-rights", &[]) else { return };
    let readme = include_str!("../../../README.md");
    let rights = readme.lines().find_map(|line| line.strip_prefix("user default "));
    let rights: Vec<&str> = rights.expect("a line of an ACL file").split(' ').collect();
    let mut owner = engine.client();
    owner.ask(&["ACL", "SETUSER", "owner", "on", "nopass", "~*", "&*", "+@all"]);
    owner.ask(&[&["ACL", "SETUSER", "default"], &rights[..]].concat()).expect("it is set");
    let servers = [(); 2].map(|()| {
        let mut command = Command::new(binary("chat"));
        command.args(["--ask-names", "--relay", &unix(&engine.socket())]);
        command.env("RELAY_PASSWORD", "correct-horse");
        let server = Server::start_command(&mut command);
        server.logged("shares its room");
        server
    });
    let enters = |server: &Server, name: &str| {
        let mut client = server.client();
        client.line();
        client.send(format!("{name}\r\n"));
        assert!(client.line().starts_with(&format!("*** welcome, you are {name}.")));
        client
    };
    let mut ann = enters(&servers[0], "Ann");
    let mut bob = enters(&servers[1], "Bob");
    ann.skip_to("*** Bob joined (2 here)");
    for said in ["hello", "is anybody there?"] {
        bob.send(format!("{said}\r\n"));
        ann.expect(format_args!("<Bob> {said}"));
    }
    bob.half_close();
    ann.expect("*** Bob left");
    // Two beats, with all that they renew.
    ann.expect_silence(Duration::from_secs(5));
}

#[test]
fn an_engine_that_takes_all_but_lines_cuts_off_and_is_not_told_of_again() {
    let Some(engine) = Engine::start("relay-partly", &[]) else { return };
    let (servers, [mut ann, _bob]) = super::pair(&engine);
    let _carl = servers[0].guest(&mut [&mut ann]);
    engine.ask(&["ACL", "SETUSER", "default", "-xadd"]);
    ann.send("hello\r\n");
    ann.expect(format_args!("{CUT_OFF}only the 2 here read you"));
    ann.expect_silence(Duration::from_secs(3));
    engine.ask(&["ACL", "SETUSER", "default", "-xread", "+xadd"]);
    ann.expect_silence(Duration::from_secs(3));
    engine.ask(&["ACL", "SETUSER", "default", "+xread"]);
    ann.expect(TOGETHER);
}

/// The guest reads that it is cut off with so many others, and nothing else in a time in which the
/// server tries often to come together.
#[track_caller]
fn is_cut_off_once(guest: &mut Client, here: usize) {
    guest.expect(format_args!("{CUT_OFF}only the {here} here read you"));
    guest.expect_silence(Duration::from_secs(1));
}

#[test]
fn what_is_no_engine_is_named_so_and_the_chat_goes_on_by_itself() {
    share_turn();
    for (other, why) in [("echo", ""), ("time", "not a reply"), ("chat", "not a reply")] {
        let other = Server::start(other, &[]);
        let server = Server::start("chat", &["--relay", &other.address.to_string()]);
        let line = server.logged("cut off from the other servers");
        assert!(line.contains(why), "{line}");
        let mut ann = server.guest(&mut []);
        ann.line();
        let mut bob = server.guest(&mut [&mut ann]);
        bob.line();
        speaks(&mut ann, &mut bob, "hello");
    }
}

#[test]
fn an_option_that_cannot_be_is_refused_in_one_line() {
    for (options, said) in [
        (&["--relay", "localhost"][..], "names are not resolved"),
        (&["--relay", ""], "--relay takes a numeric address such as 127.0.0.1:6379"),
        (&["--relay", "unix:engine"], "unix: and a path from /"),
        (&["--relay", "127.0.0.1", "--room", ""], "--room is 1 to 64 letters"),
        (&["--relay", "127.0.0.1", "--room", "a b"], "--room is 1 to 64 letters"),
        (&["--room", "lobby"], "--room needs --relay; give it too"),
        (&["--relay-password", "/dev/null"], "--relay-password needs --relay; give it too"),
    ] {
        let output = run("chat", options);
        let line = one_line(&output);
        assert!(line.contains(said), "{options:?}: {line}");
        assert_eq!(output.status.code(), Some(2), "{options:?}: {line}");
    }
    let output = run("chat", &["--relay", "127.0.0.1", "--relay-password", "/no/such/file"]);
    assert!(one_line(&output).contains("cannot use /no/such/file as --relay-password"));
    assert_eq!(output.status.code(), Some(1));
}
