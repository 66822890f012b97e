//! The message of the day: what is taken for one, and what of it a terminal gets.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use smol_servers::{Chat, ChatConfig};

use crate::cli::{one_line, run};
use crate::harness::{Client, Executor, Server, serve_during};

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = Folder::new("motd-special");
    let (fifo, socket) = (folder.path("fifo"), folder.path("socket"));
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &fifo, FileType::Fifo, mode, 0).expect("a FIFO");
    let _listening = UnixListener::bind(&socket).expect("a socket");
    let folder = folder.0.to_str().expect("a Unicode path").to_owned();
    for file in [&fifo, &socket, &folder, "/dev/null", "/dev/zero", "/dev/stdin"] {
        let error = refused(file);
        assert!(error.ends_with("it is not a regular file; write the text into one"), "{error}");
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let folder = Folder::new("motd-no-text");
    for (bytes, said) in [
        (
            &b"be kind\nsee \x1b]0;title\x07"[..],
            "line 2, column 5: U+001B must not reach a terminal; take it out",
        ),
        (b"caf\xe9\n", "line 1, column 4: this is not UTF-8; save the file as that"),
    ] {
        let error = refused(&folder.write("motd", bytes));
        assert!(error.ends_with(&format!(" as --motd: {said}")), "{error}");
    }
    let missing = refused(&folder.path("missing"));
    assert!(missing.contains("No such file"), "{missing}");
}

#[test]
fn text_arrives_without_its_byte_order_mark_and_with_spaces_for_tabs() {
    let folder = Folder::new("motd-text");
    let file = folder.write("motd", "\u{feff}be\tkind\r\n*** žluťoučký kůň".as_bytes());
    let server = Server::start("chat", &["--motd", &file]);
    let mut ann = server.guest(&mut []);
    ann.expect("be kind");
    ann.expect("*** žluťoučký kůň");
}

#[test]
fn a_host_cannot_send_escape_sequences_in_it_either() {
    let motd = Some("\u{1b}[2Jbe\nkind\u{9b}31m".to_owned());
    let chat = Chat::new(ChatConfig { motd, ..ChatConfig::default() });
    serve_during(&Executor::default(), chat, |address, _trigger| {
        let mut ann = Client::connect(address);
        ann.expect("*** welcome, you are guest1. nobody else is here yet");
        ann.expect("[2Jbe");
        ann.expect("kind31m");
    });
}

/// What the chat says of a message of the day with which it does not start.
#[track_caller]
fn refused(file: &str) -> String {
    let output = run("chat", &["--listen", "127.0.0.1:0", "--motd", file]);
    assert_eq!(output.status.code(), Some(1), "{file}");
    let error = one_line(&output);
    assert!(error.starts_with(&format!("chat: cannot use {file} as --motd: ")), "{error}");
    error
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a temporary folder");
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a Unicode path").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}
