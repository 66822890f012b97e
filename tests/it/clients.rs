//! The real clients people have, each at a pseudo-terminal of its own, in one chat.
//!
//! `make test` installs them where it may; a client that is missing leaves its test out and
//! `make test` says so.

use crate::harness::{Server, Terminal, is_missing};

#[test]
fn telnet_nc_and_putty_talk_to_each_other() {
    if is_missing(&["telnet", "nc", "plink"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port().to_string();
    let mut telnet = Terminal::run("telnet", &["127.0.0.1", &port]);
    telnet.shows("*** welcome, you are guest1");
    let mut nc = Terminal::run("nc", &["127.0.0.1", &port]);
    nc.shows("*** welcome, you are guest2. 1 other here: guest1");
    telnet.shows("*** guest2 joined (2 here)");
    let mut putty = Terminal::run("plink", &["-telnet", "-P", &port, "127.0.0.1"]);
    putty.shows("*** welcome, you are guest3. 2 others here: guest1, guest2");
    let mut raw = Terminal::run("plink", &["-raw", "-P", &port, "127.0.0.1"]);
    raw.shows("*** welcome, you are guest4");

    let mut terminals = [telnet, nc, putty, raw];
    for speaker in 0..terminals.len() {
        let said = format!("žluť from guest{}", speaker + 1);
        terminals[speaker].types(&format!("{said}\n"));
        for (listener, terminal) in terminals.iter_mut().enumerate() {
            if listener != speaker {
                terminal.shows(&format!("<guest{}> {said}", speaker + 1));
            }
        }
    }
}

/// What a person does with a client, and what the others then read.
struct Habits {
    /// Deletes the character before the cursor.
    erase: &'static str,
    /// What ^C is in it: a way to leave, or to give up the line.
    interrupt_leaves: bool,
    /// Keys that leave, and what the client itself shows upon them.
    leave: &'static [(&'static str, &'static str)],
}

const TELNET: Habits = Habits {
    erase: "\x7f",
    interrupt_leaves: false,
    leave: &[("\x1d", "telnet>"), ("quit\n", "")],
};

/// nc and all that read the terminal in its line mode: ^C ends them, ^D on an empty line.
const PLAIN: Habits = Habits { erase: "\x7f", interrupt_leaves: true, leave: &[("\x03", "")] };

/// A client that has the editor, as PuTTY's does.
const EDITING: Habits = Habits { erase: "\x7f", interrupt_leaves: false, leave: &[("\x04", "")] };

/// Joins, speaks, erases, presses ^C, and leaves.
#[track_caller]
fn takes_part(client: &str, options: &[&str], habits: &Habits) {
    if is_missing(&[client]) {
        return;
    }
    let server = Server::start("chat", &["--history", "0"]);
    let port = server.address.port().to_string();
    let arguments: Vec<&str> =
        options.iter().map(|option| if *option == "PORT" { &port } else { *option }).collect();
    let mut watcher = server.guest(&mut []);
    let mut terminal = Terminal::run(client, &arguments);
    terminal.shows("*** welcome, you are guest2. 1 other here: guest1");
    watcher.expect("*** guest2 joined (2 here)");

    terminal.types("příliš žluťoučký\n");
    watcher.expect("<guest2> příliš žluťoučký");
    watcher.send("hello\r\n");
    terminal.shows("<guest1> hello");
    terminal.types(&format!("helto{0}{0}lo\n", habits.erase));
    watcher.expect("<guest2> hello");

    if !habits.interrupt_leaves {
        terminal.types("\x03");
        terminal.shows("^C again to leave");
        watcher.send("still with us?\r\n");
        terminal.shows("<guest1> still with us?");
        terminal.types("yes\n");
        watcher.expect("<guest2> yes");
    }
    for (keys, shown) in habits.leave {
        terminal.types(keys);
        terminal.shows(shown);
    }
    watcher.expect("*** guest2 left");
}

#[test]
fn telnet_takes_part() {
    takes_part("telnet", &["127.0.0.1", "PORT"], &TELNET);
}

#[test]
fn interrupting_twice_in_telnet_is_leaving() {
    if is_missing(&["telnet"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port().to_string();
    let mut watcher = server.guest(&mut []);
    let mut telnet = Terminal::run("telnet", &["127.0.0.1", &port]);
    watcher.expect("*** guest2 joined (2 here)");
    telnet.shows("1 other here: guest1");
    telnet.types("\x03");
    telnet.shows("^C again to leave");
    telnet.types("\x03");
    watcher.expect("*** guest2 left");
}

#[test]
fn putty_telnet_takes_part() {
    takes_part("plink", &["-telnet", "-P", "PORT", "127.0.0.1"], &EDITING);
}

#[test]
fn putty_raw_takes_part() {
    takes_part("plink", &["-raw", "-P", "PORT", "127.0.0.1"], &PLAIN);
}

#[test]
fn nc_takes_part() {
    takes_part("nc", &["127.0.0.1", "PORT"], &PLAIN);
}

#[test]
fn ncat_takes_part() {
    let habits = Habits { leave: &[("\x04", "")], ..PLAIN };
    takes_part("ncat", &["127.0.0.1", "PORT"], &habits);
}

#[test]
fn busybox_telnet_takes_part() {
    // Its ^C opens a menu, in which e is the end.
    let habits = Habits { leave: &[("\x03", "exit telnet"), ("e\n", "")], ..PLAIN };
    takes_part("busybox", &["telnet", "127.0.0.1", "PORT"], &habits);
}

/// Its documentation: every key is a segment of its own, Enter is CR LF, erase is 08, ^C is 03.
#[test]
fn windows_telnet_as_documented_takes_part() {
    let server = Server::start("chat", &[]);
    let mut watcher = server.guest(&mut []);
    let mut windows = server.guest(&mut [&mut watcher]);
    for key in b"helto\x08\x08lo\r\n" {
        windows.send([*key]);
    }
    watcher.expect("<guest2> hello");
    for key in b"never mind\x03all of this\r\n" {
        windows.send([*key]);
    }
    watcher.expect("<guest2> all of this");
    windows.expect("");
    windows.expect("*** ^C again to leave");
    windows.send([0x04]);
    watcher.expect("*** guest2 left");
}
