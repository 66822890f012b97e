//! The line editor, with real clients at pseudo-terminals whose screens an emulator shows, and with
//! imitations of those that Debian does not have.

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use crate::harness::{Client, PATIENCE, Server, Terminal, eventually, is_missing, speaks};

/// What a client is sent first with --edit: IAC WILL ECHO, IAC WILL SGA, IAC DO NAWS.
const OFFER: &[u8] = b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f";

/// How telnet agrees, with a window of 80 columns.
const AGREED: &[u8] = b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0";

/// What every telnet client is sent then: it is to send its bytes as they are.
const BEGINNING: &[u8] = b"\xff\xfd\x00\xff\xfb\x00\xff\xfc\x00";

/// ^], at which telnet's own prompt opens.
const TELNET_PROMPT: char = '\x1d';

const ERASE: &str = "\r\0\x1b[K";

/// A guest that has the editor.
fn editing(server: &Server) -> Client {
    let mut guest = server.client();
    guest.expect_bytes(OFFER);
    let welcome = guest.line();
    guest.name =
        welcome["*** welcome, you are ".len()..].split('.').next().expect("a name").to_owned();
    guest.send(AGREED);
    guest.expect_bytes(&[ERASE.as_bytes(), BEGINNING, b"\x1b[?1l\x1b[?2004h"].concat());
    guest
}

/// Two guests, of whom the second has the editor.
fn two(server: &Server) -> [Client; 2] {
    let mut first = server.client();
    first.expect_bytes(OFFER);
    first.line();
    let second = editing(server);
    first.expect("*** guest2 joined (2 here)");
    [first, second]
}

#[test]
fn one_that_does_not_answer_the_offer_sees_nothing_else_of_it() {
    let server = Server::start("chat", &["--edit"]);
    let mut ann = server.client();
    ann.expect_bytes(
        &[OFFER, b"*** welcome, you are guest1. nobody else is here yet\r\n"].concat(),
    );
    ann.name = "guest1".to_owned();
    let mut bob = server.client();
    bob.expect_bytes(&[OFFER, b"*** welcome, you are guest2. 1 other here: guest1\r\n"].concat());
    ann.expect("*** guest2 joined (2 here)");
    speaks(&mut ann, &mut bob, "hello");
    bob.send("hi\x7fey\r\n");
    ann.expect("<guest2> hey");
}

#[test]
fn what_is_typed_is_echoed_and_said_in_the_talk_in_its_order() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut ann] = two(&server);
    ann.send("h");
    ann.expect_bytes(b"h");
    ann.send("i");
    ann.expect_bytes(b"i");
    bob.send("hello\r\n");
    ann.expect_bytes(format!("{ERASE}<guest1> hello\r\nhi").as_bytes());
    ann.send("!\r\0");
    bob.expect("<guest2> hi!");
    bob.send("welcome\r\n");
    let mut shown = String::new();
    while !shown.contains("welcome") {
        shown += &(ann.line() + "\n");
    }
    assert!(shown.ends_with("<guest2> hi!\n<guest1> welcome\n"), "{shown:?}");
}

#[test]
fn each_way_to_leave_leaves_the_terminal_as_it_was() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let mut bob = server.client();
    bob.expect_bytes(OFFER);
    bob.line();
    for keys in [&b"\x04"[..], b"\x03\x03", b"typed\x03\x04", b"\xff\xf4\xff\xf4", b"typed\xff\xec"]
    {
        let mut ann = editing(&server);
        bob.expect(format_args!("*** {} joined (2 here)", ann.name));
        ann.send(keys);
        bob.expect(format_args!("*** {} left", ann.name));
        let mut rest = Vec::new();
        ann.stream.read_to_end(&mut rest).expect("the server closes");
        let rest = String::from_utf8(rest).expect("UTF-8");
        assert!(rest.ends_with("\x1b[?2004l"), "{rest:?}");
        assert_eq!(
            rest.contains("*** ^C again to leave\r\n"),
            keys.contains(&3) || keys.contains(&0xf4)
        );
    }
    let mut ann = editing(&server);
    ann.send("never said");
    ann.expect_bytes(b"never said");
    bob.expect(format_args!("*** {} joined (2 here)", ann.name));
    ann.half_close();
    bob.expect(format_args!("*** {} left", ann.name));
}

#[test]
fn a_name_is_typed_in_the_editor_too() {
    let server = Server::start("chat", &["--edit", "--ask-names"]);
    let mut ann = server.client();
    ann.expect_bytes(OFFER);
    ann.expect("*** what name shall the others read? Enter keeps guest1");
    ann.send(AGREED);
    ann.expect_bytes(&[BEGINNING, b"\x1b[?1l\x1b[?2004h\r\0\x1b[K"].concat());
    ann.send("am\x7fnn!");
    ann.expect_bytes(b"ann!");
    ann.send("\r\0");
    let refused = ann.line();
    assert!(refused.starts_with(&format!("{ERASE}*** ")), "{refused:?}");
    ann.send("ann");
    ann.expect_bytes(b"ann");
    // What is typed ahead is no answer.
    ann.send("\r\0hel");
    ann.expect_bytes(b"\r\0hel\x1b[K");
    let welcome = "*** welcome, you are ann. nobody else is here yet";
    ann.expect_bytes(format!("{ERASE}{welcome}\r\nhel").as_bytes());
    ann.send("lo");
    ann.expect_bytes(b"lo");
    ann.send("\r\0");
    ann.expect_bytes(format!("{ERASE}<ann> hello\r\n").as_bytes());
    // The name is no line to say again: up brings back what was said.
    ann.send("\x1b[A\x1b[A\r\0");
    while !ann.line().ends_with("<ann> hello") {}
}

#[test]
fn the_answer_to_a_line_stands_below_it() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut ann] = two(&server);
    ann.send("/quit\r\0");
    bob.expect("<guest2> /quit");
    let mut read = ann.line();
    assert!(read.ends_with("<guest2> /quit"), "{read:?}");
    ann.expect(
        "*** there are no commands here, all read what you write. To leave: ^C twice in telnet, ^C \
         in nc, or close the window",
    );
    ann.send(b"hello\r\0\xff\xf6\x03");
    read = ann.line();
    assert!(read.ends_with("<guest2> hello"), "{read:?}");
    ann.expect("*** yes, still here");
    ann.expect("*** ^C again to leave");
}

#[test]
fn clearing_the_screen_leaves_the_line_in_its_first_row() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut ann] = two(&server);
    bob.send("above\r\n");
    ann.expect("<guest1> above");
    ann.send("typed");
    ann.expect_bytes(b"typed");
    ann.send("\x0c");
    ann.expect_bytes(b"\x1b[H\x1b[2Jtyped");
    ann.send("!\r\0");
    bob.expect("<guest2> typed!");
}

/// The answers to the offer, in every order and half of them: IAC DO ECHO is what gives a client the
/// editor, IAC DONT of either takes all of the offer back.
#[test]
fn whoever_answers_half_of_the_offer_can_talk() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let mut bob = server.client();
    bob.expect_bytes(OFFER);
    bob.line();
    let (echo, key_by_key) = (b"\xff\xfd\x01", b"\xff\xfd\x03");
    let (no_echo, line_by_line, no_window) = (b"\xff\xfe\x01", b"\xff\xfe\x03", b"\xff\xfc\x1f");
    let answers: [&[&[u8]]; 9] = [
        &[],
        &[echo],
        &[key_by_key],
        &[key_by_key, echo],
        &[no_window, echo, key_by_key],
        &[no_echo],
        &[line_by_line, echo],
        &[echo, line_by_line],
        &[echo, no_echo, echo, no_echo],
    ];
    for answer in answers {
        let mut ann = server.client();
        ann.expect_bytes(OFFER);
        let welcome = ann.line();
        let joined = bob.line();
        let name = joined.split(' ').nth(1).expect("a name").to_owned();
        assert!(welcome.contains(&name));
        ann.send(answer.concat());
        ann.send("helto\x7f\x08lo\r\n");
        bob.expect(format_args!("<{name}> hello"));
        bob.send("hi\r\n");
        let mut read = Vec::new();
        while !read.ends_with(b"<guest1> hi\r\n") {
            assert!(ann.stream.read_until(b'\n', &mut read).expect("in time") > 0);
        }
        drop(ann);
        bob.expect(format_args!("*** {name} left"));
    }
}

#[test]
fn a_client_that_ends_the_editor_goes_on_with_its_line() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut ann] = two(&server);
    ann.send(b"half a \xff\xfe\x01line\r\n");
    bob.expect("<guest2> half a line");
}

#[test]
fn a_client_with_the_editor_is_answered_as_often_as_any_other() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut ann] = two(&server);
    for _ in 0..100 {
        ann.send(b"\xff\xf6x\r\0");
        bob.expect("<guest2> x");
        let mut read = ann.line();
        while !read.contains("yes, still here") {
            read = ann.line();
        }
    }
}

#[test]
fn a_window_that_lies_about_its_size_is_answered_no_more_than_any_flood() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let mut ann = editing(&server);
    let mut bob = editing(&server);
    ann.send("typed ".repeat(100));
    for columns in [0u16, 1, 2, 65535, 255] {
        let [high, low] = columns.to_be_bytes();
        let size =
            [high, low, 0, 24].map(|byte| if byte == 255 { vec![255, 255] } else { vec![byte] });
        ann.send([&b"\xff\xfa\x1f"[..], &size.concat(), b"\xff\xf0"].concat());
    }
    let change = |columns: u8| [0xff, 0xfa, 31, 0, columns, 0, 24, 0xff, 0xf0];
    let before = server.stats()["bytes_out"];
    let sent: Vec<u8> = (0..20_000u32).flat_map(|n| change(1 + (n % 200) as u8)).collect();
    let bytes = sent.len() as u64;
    let (mut writer, mut reader) = (copy(&ann), copy(&ann));
    let flood = std::thread::spawn(move || writer.write_all(&sent));
    bob.send("meanwhile\r\0");
    while !bob.line().contains("<guest2> meanwhile") {}
    std::thread::spawn(move || while reader.read(&mut [0; 1 << 16]).is_ok_and(|n| n > 0) {});
    eventually("read", || server.stats()["bytes_in"] > bytes);
    flood.join().expect("no panic").expect("the server reads");
    let written = server.stats()["bytes_out"] - before;
    assert!(written < 2 * bytes, "{written} bytes for {bytes}");
}

#[test]
fn a_flood_of_keys_costs_others_nothing() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let mut ann = editing(&server);
    let mut bob = editing(&server);
    // The dearest keys there are, never finishing a line.
    let keys = b"x".repeat(990).into_iter().chain(b"\x1bb\x05".repeat(400_000));
    let keys: Vec<u8> = keys.collect();
    let flood: Vec<Client> = (0..10).map(|_| editing(&server)).collect();
    for eve in &flood {
        let (mut writer, mut reader) = (copy(eve), copy(eve));
        let keys = keys.clone();
        std::thread::spawn(move || writer.write_all(&keys));
        std::thread::spawn(move || while reader.read(&mut [0; 1 << 16]).is_ok_and(|n| n > 0) {});
    }
    let mut waits = Vec::new();
    for n in 0..50 {
        let sent = Instant::now();
        ann.send(format!("{n}\r\0"));
        let said = format!("<{}> {n}", ann.name);
        while !bob.line().ends_with(&said) {}
        waits.push(sent.elapsed());
    }
    // The slowest tenth is left out: on a busy machine one of them may have waited for a core.
    waits.sort();
    assert!(waits[45] < Duration::from_millis(100), "{:?}", &waits[45..]);
    for eve in &flood {
        eve.socket().shutdown(Shutdown::Both).expect("connected");
    }
}

fn copy(client: &Client) -> TcpStream {
    client.socket().try_clone().expect("a socket")
}

/// A terminal with a real client in it, and what it shows.
struct Window {
    terminal: Terminal,
    screen: vt100::Parser,
}

const ROWS: u16 = 30;

impl Window {
    fn run(client: &str, arguments: &[&str]) -> Window {
        let screen = vt100::Parser::new(size(ROWS), size(80), 0);
        Window { terminal: Terminal::run_sized(client, arguments, ROWS, 80), screen }
    }

    fn types(&mut self, keys: &str) {
        self.terminal.types(keys);
    }

    fn resizes(&mut self, columns: u16) {
        self.screen.set_size(size(ROWS), size(columns));
        self.terminal.resize(ROWS, columns);
    }

    /// All rows, without the empty ones at the end.
    fn rows(&self) -> Vec<String> {
        let columns = self.screen.screen().size().1.get();
        let mut rows: Vec<String> =
            self.screen.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// Waits until the screen ends in these rows.
    #[track_caller]
    fn shows(&mut self, rows: &[String]) {
        self.waits_for(&format!("{rows:?}"), |window| window.rows().ends_with(rows));
    }

    #[track_caller]
    fn waits_for(&mut self, what: &str, is_so: impl Fn(&Window) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            let bytes = self.terminal.reads(deadline);
            assert!(!bytes.is_empty(), "no {what} in {:#?}", self.rows());
            self.screen.process(&bytes);
        }
    }

    /// Waits until the client has ended: the cursor is at the start of a row, and the terminal as it
    /// was, but for the mark of pastes where the client `is_cut` without a word.
    #[track_caller]
    fn ends(&mut self, is_cut: bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let bytes = self.terminal.reads(deadline);
            if bytes.is_empty() {
                break;
            }
            self.screen.process(&bytes);
        }
        self.terminal.ends();
        assert_eq!(self.cursor(), (0, String::new()), "{:#?}", self.rows());
        assert_eq!(self.screen.screen().bracketed_paste(), is_cut);
    }

    /// Where the cursor is: its column, and what stands in its row.
    fn cursor(&self) -> (u16, String) {
        let (row, column) = self.screen.screen().cursor_position();
        (column, self.rows().get(usize::from(row)).cloned().unwrap_or_default())
    }
}

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size")
}

/// A person at this client is good to chat in a window, which is left by these keys.
#[track_caller]
fn is_good_to_chat_in(options: &[&str], client: &str, arguments: &[&str], leave: &str) {
    if is_missing(&[client]) {
        return;
    }
    let server = Server::start("chat", &[options, &["--history", "0"]].concat());
    let port = server.address.port().to_string();
    let arguments = arguments.iter().map(|it| if *it == "PORT" { &port } else { *it });
    let mut bob = server.client();
    if !options.is_empty() {
        bob.expect_bytes(OFFER);
    }
    bob.expect("*** welcome, you are guest1. nobody else is here yet");
    let mut window = Window::run(client, &arguments.collect::<Vec<_>>());
    window.shows(&["*** welcome, you are guest2. 1 other here: guest1".to_owned()]);
    bob.expect("*** guest2 joined (2 here)");
    eventually("editing", || !window.terminal.echoes());

    half_a_line_survives(&mut window, &mut bob);
    what_was_said_comes_back(&mut window);
    window.types(leave);
    bob.expect("*** guest2 left");
    window.ends(leave.starts_with(TELNET_PROMPT));
}

/// Half a line is typed, ten lines come in, the window gets smaller, and the rest is typed.
#[track_caller]
fn half_a_line_survives(window: &mut Window, bob: &mut Client) {
    window.types("half a žluť");
    let mut rows = vec!["half a žluť".to_owned()];
    window.shows(&rows);
    for n in 0..10 {
        bob.send(format!("line {n}\r\n"));
        rows.insert(n, format!("<guest1> line {n}"));
    }
    window.shows(&rows);
    window.resizes(30);
    window.types("oučký\x1b[D\x1b[D\x1b[Dx\x7f");
    rows[10] = "half a žluťoučký".to_owned();
    window.shows(&rows);
    window.waits_for("cursor within the line", |window| window.cursor() == (13, rows[10].clone()));
    window.types("\x05 уху that is longer than the window\r");
    bob.expect("<guest2> half a žluťoučký уху that is longer than the window");
    rows[10] = "<guest2> half a žluťoučký уху".to_owned();
    rows.push("that is longer than the window".to_owned());
    window.shows(&rows);
    window.resizes(80);
}

/// A line that is not said is dropped, and the one said last can be said again.
#[track_caller]
fn what_was_said_comes_back(window: &mut Window) {
    window.types("never said\x03");
    let mut rows = vec!["*** ^C again to leave".to_owned()];
    window.shows(&rows);
    window.types("\x1b[A");
    rows.push("half a žluťoučký уху that is longer than the window".to_owned());
    window.shows(&rows);
    window.types("\x15");
    rows.pop();
    window.shows(&rows);
}

#[test]
fn telnet_is_good_to_chat_in() {
    for leave in ["\x04", "\x03\x03", "\x1dquit\n"] {
        is_good_to_chat_in(&["--edit"], "telnet", &["127.0.0.1", "PORT"], leave);
    }
}

#[test]
fn putty_is_good_to_chat_in_without_an_option() {
    for options in [&[][..], &["--edit"]] {
        for leave in ["\x04", "\x03\x03"] {
            is_good_to_chat_in(options, "plink", &["-telnet", "-P", "PORT", "127.0.0.1"], leave);
        }
    }
}

/// Its documentation: every key is a segment of its own, Enter is CR LF, erase is 08.
#[test]
fn windows_telnet_as_documented_is_good_to_chat_in() {
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let [mut bob, mut windows] = two(&server);
    let mut screen = vt100::Parser::new(size(ROWS), size(80), 0);
    for key in b"helto\x08\x08" {
        windows.send([*key]);
    }
    bob.send("meanwhile\r\n");
    for key in [&b"l"[..], b"o", b"\x1b[D", b"\x1b[D", b"\x1b[D", b"\x1b[D", b"\x08", b"J", b"\r\n"]
    {
        windows.send(key);
    }
    bob.expect("<guest2> Jello");
    for key in [&b"t"[..], b"o", b"\x03", b"\x04"] {
        windows.send(key);
    }
    bob.expect("*** guest2 left");
    let mut shown = Vec::new();
    windows.stream.read_to_end(&mut shown).expect("the server closes");
    screen.process(&shown);
    let talk = ["<guest1> meanwhile", "<guest2> Jello", "*** ^C again to leave", ""];
    let rows: Vec<String> = screen.screen().rows(0, 80).take(4).collect();
    assert_eq!(rows, talk);
}

#[test]
fn busybox_telnet_is_good_to_chat_in() {
    is_good_to_chat_in(&["--edit"], "busybox", &["telnet", "127.0.0.1", "PORT"], "\x04");
}
