//! What people write in the world's scripts comes whole, typed at a real terminal.
//!
//! The telnet of inetutils takes the bytes 0x80 to 0x9F of a character for control keys, as long as
//! nobody has asked it for BINARY.

use std::path::PathBuf;

use crate::harness::{Client, Server, Terminal, eventually, is_missing};

/// Every second byte from 0x80 to 0x9F stands in one of them.
const LINES: [&str; 14] = [
    "привет, как дела у вас? скоро буду, хорошо",
    "рстуфхцчшщъыьэюяѐёђѓєѕіїјљњћќўџ",
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÞß",
    "Śledź, żółć, Šumava, Île, Œuvre",
    "γειά σου, Σίσυφε",
    "مرحبا كيف حالك",
    "שלום לכולם",
    "日本語のテスト、ムムム",
    "你好，今天有空吗",
    "안녕하세요 본 한 공",
    "สวัสดีครับ",
    "नमस्ते दुनिया",
    "😃 😏 😚 😜 🦀",
    "a dash – and dots… and ‘quotes’",
];

/// The last byte of these, 0x9D, is telnet's escape character: its prompt takes the rest of a first
/// line.
const PROMPT: [&str; 3] = ["Н", "Ý", "”"];

const GIVES_A_HINT: &str = "*** a letter of that line was lost. In telnet: press ^], type \
                            \"set outbinary\", press Enter. Elsewhere: choose UTF-8";

/// What surely arrives of a first line: telnet takes 0x85 for a key until the server's request not
/// to has reached it.
fn without_0x85(line: &str) -> String {
    let arrives = |c: &char| *c != '\u{fffd}' && !c.to_string().as_bytes().contains(&0x85);
    line.chars().filter(arrives).collect()
}

/// The line without the characters that have the byte 0x9D.
fn without_prompt(line: &str) -> String {
    line.chars().filter(|c| !c.to_string().as_bytes().contains(&0x9d)).collect()
}

/// Says what `first` makes of each line as the first one of a session, of which at least what
/// `arrives` makes of it must come; and then the line itself, which must come whole.
#[track_caller]
fn every_script_comes_whole(
    client: &str,
    options: &[&str],
    first: fn(&str) -> String,
    arrives: fn(&str) -> String,
) {
    if is_missing(&[client]) {
        return;
    }
    let server = Server::start("chat", &["--history", "0"]);
    let port = server.address.port().to_string();
    let arguments: Vec<&str> =
        options.iter().map(|option| if *option == "PORT" { &port } else { *option }).collect();
    let mut watcher = server.guest(&mut []);
    for (number, line) in (2..).zip(LINES) {
        let name = format!("guest{number}");
        let mut terminal = Terminal::run(client, &arguments);
        terminal.shows(&format!("*** welcome, you are {name}"));
        watcher.expect(format_args!("*** {name} joined (2 here)"));
        let begin = first(line);
        terminal.types(&format!("{begin}\n"));
        let said = watcher.line();
        assert_eq!(arrives(&said), format!("<{name}> {}", arrives(&begin)), "{said}");
        // What the server asks of telnet after its first line is read before this is typed.
        watcher.send(format!("{number} times hello\r\n"));
        terminal.shows(&format!("<guest1> {number} times hello"));
        terminal.types(&format!("{line}\n"));
        watcher.expect(format_args!("<{name}> {line}"));
        drop(terminal);
        assert!(watcher.line().starts_with(&format!("*** {name} left")));
    }
}

#[test]
fn telnet_loses_two_bytes_at_most_and_none_once_it_has_shown_itself() {
    every_script_comes_whole("telnet", &["127.0.0.1", "PORT"], without_prompt, without_0x85);
}

#[test]
fn putty_telnet_loses_nothing() {
    let options = ["-telnet", "-P", "PORT", "127.0.0.1"];
    every_script_comes_whole("plink", &options, str::to_owned, str::to_owned);
}

#[test]
fn busybox_telnet_loses_nothing() {
    every_script_comes_whole(
        "busybox",
        &["telnet", "127.0.0.1", "PORT"],
        str::to_owned,
        str::to_owned,
    );
}

#[test]
fn nc_loses_nothing() {
    every_script_comes_whole("nc", &["127.0.0.1", "PORT"], str::to_owned, str::to_owned);
}

/// A chat, its first guest, and the second one at a telnet.
fn telnet(home: Option<PathBuf>) -> Option<(Server, Client, Terminal)> {
    if is_missing(&["telnet"]) {
        return None;
    }
    let server = Server::start("chat", &["--history", "0"]);
    let mut watcher = server.guest(&mut []);
    let arguments = ["127.0.0.1", &server.address.port().to_string()];
    let mut telnet = match home {
        Some(home) => Terminal::run_at_home("telnet", &arguments, &home),
        None => Terminal::run("telnet", &arguments),
    };
    telnet.shows("*** welcome, you are guest2");
    watcher.expect("*** guest2 joined (2 here)");
    Some((server, watcher, telnet))
}

#[test]
fn telnet_still_erases_interrupts_and_leaves_once_it_sends_bytes_as_typed() {
    let Some((_server, mut watcher, mut telnet)) = telnet(None) else { return };
    telnet.types("буду\n");
    watcher.expect("<guest2> буду");
    watcher.send("good\r\n");
    telnet.shows("<guest1> good");
    telnet.types("уху\x7f\x7fж\n");
    watcher.expect("<guest2> уж");
    telnet.types("never said\x03");
    telnet.shows("*** ^C again to leave");
    telnet.types("уху\n");
    watcher.expect("<guest2> уху");
    telnet.types("\x03");
    telnet.shows("*** ^C again to leave");
    telnet.types("\x03");
    watcher.expect("*** guest2 left");
}

#[test]
fn a_letter_that_opens_the_prompt_of_telnet_throws_nobody_out() {
    for letter in PROMPT {
        let Some((_server, mut watcher, mut telnet)) = telnet(None) else { return };
        telnet.types(&format!("{letter}\n"));
        telnet.shows("telnet>");
        telnet.types("\n");
        watcher.send("where are you?\r\n");
        telnet.shows("<guest1> where are you?");
        telnet.types("буду\n");
        let said = watcher.line();
        assert!(said.ends_with("буду"), "{letter}: {said}");
        watcher.send("good\r\n");
        telnet.shows("<guest1> good");
        telnet.types(&format!("{letter}!\n"));
        watcher.expect(format_args!("<guest2> {letter}!"));
    }
}

#[test]
fn one_who_lost_a_letter_in_telnet_is_told_once_how_to_keep_them() {
    let Some((_server, mut watcher, mut telnet)) = telnet(None) else { return };
    telnet.types("хорошо\n");
    watcher.expect("<guest2> \u{fffd}орошо");
    telnet.shows(GIVES_A_HINT);
    telnet.types("\x1d");
    telnet.shows("telnet>");
    telnet.types("set outbinary\n");
    watcher.send("try again\r\n");
    telnet.shows("<guest1> try again");
    telnet.types("хорошо, Нет\n");
    watcher.expect("<guest2> хорошо, Нет");
}

#[test]
fn telnet_shows_again_what_is_typed_after_it_took_letters_for_its_echo_key() {
    let Some((_server, mut watcher, mut telnet)) = telnet(None) else { return };
    // An odd number of them turns the echo off, which takes effect with another.
    for line in ["хорошо", "хорошо", "хорошо"] {
        telnet.types(&format!("{line}\n"));
        assert!(watcher.line().ends_with("орошо"));
    }
    assert!(!telnet.echoes(), "telnet has changed: nothing is to be set right");
    telnet.types("буду\n");
    watcher.expect("<guest2> буду");
    watcher.send("good\r\n");
    telnet.shows("<guest1> good");
    eventually("echoing", || telnet.echoes());
}

#[test]
fn one_who_cannot_type_its_name_in_telnet_is_told_why() {
    let server = Server::start("chat", &["--ask-names"]);
    let mut ann = server.client();
    ann.line();
    ann.send("Asa\r\n");
    ann.expect("*** welcome, you are Asa. nobody else is here yet");
    let mut bob = server.client();
    bob.line();
    bob.send(b"\xc3sa\r\n");
    bob.expect(GIVES_A_HINT);
    bob.send("Åsa\r\n");
    bob.expect("*** welcome, you are Åsa. 1 other here: Asa");
}

#[test]
fn one_line_in_telnetrc_keeps_every_letter_from_the_first_on() {
    let home = std::env::temp_dir().join(format!("home-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a temporary folder");
    std::fs::write(home.join(".telnetrc"), "DEFAULT set outbinary\n").expect("a temporary file");
    let session = telnet(Some(home.clone()));
    std::fs::remove_dir_all(&home).expect("a temporary folder");
    let Some((_server, mut watcher, mut telnet)) = session else { return };
    for line in LINES.iter().chain(&PROMPT) {
        telnet.types(&format!("{line}\n"));
        watcher.expect(format_args!("<guest2> {line}"));
    }
}

#[test]
fn a_raw_client_that_does_not_write_utf8_is_told_once_and_sent_no_telnet() {
    let server = Server::start("chat", &["--history", "0"]);
    let mut watcher = server.guest(&mut []);
    let mut latin1 = server.guest(&mut [&mut watcher]);
    for _ in 0..2 {
        latin1.send(b"caf\xe9 noir\r\n");
        watcher.expect("<guest2> caf\u{fffd} noir");
    }
    watcher.send("comment?\r\n");
    latin1.expect(GIVES_A_HINT);
    latin1.expect("<guest1> comment?");
}
