//! What one says cannot harm another's terminal: known escape sequences through the chat into a
//! real terminal emulator.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::harness::{PATIENCE, Server, is_missing};

/// Sequences that did harm somewhere: they set titles, read back answers, move, erase, switch
/// modes, paste, print, or hang parsers. After xterm's ctlseqs and published advisories.
const CORPUS: [&[u8]; 52] = [
    b"\x1b]0;owned\x07",
    b"\x1b]1;owned\x07",
    b"\x1b]2;owned\x1b\\",
    b"\x1b]4;1;rgb:ff/00/00\x07",
    b"\x1b]4;1;?\x07",
    b"\x1b]8;;http://evil.example/\x07click\x1b]8;;\x07",
    b"\x1b]10;?\x07",
    b"\x1b]11;#ff0000\x07",
    b"\x1b]50;?\x07",
    b"\x1b]52;c;ZXZpbA==\x07",
    b"\x1b]52;c;?\x07",
    b"\x1b]1337;File=inline=1:AAAA\x07",
    b"\x1b]777;notify;a;b\x07",
    b"\x1b]9;notify\x07",
    b"\x1bkowned\x1b\\",
    b"\x1b[6n",
    b"\x1b[5n",
    b"\x1b[c",
    b"\x1b[>c",
    b"\x1b[>q",
    b"\x1b[=c",
    b"\x1b[18t",
    b"\x1b[21t",
    b"\x1b[20t",
    b"\x05",
    b"\x1bZ",
    b"\x1bP$qm\x1b\\",
    b"\x1bP+q544e\x1b\\",
    b"\x1bPtmux;\x1b\x1b]0;owned\x07\x1b\\",
    b"\x1bP1000p",
    b"\x1b_Gi=1,a=q;AAAA\x1b\\",
    b"\x1b^private\x1b\\",
    b"\x1bXstart of string",
    b"\x1b[2J",
    b"\x1b[3J",
    b"\x1b[H",
    b"\x1b[1A\x1b[2K<guest9> forged",
    b"\x1b[10;10H",
    b"\x1b[1;5r",
    b"\x1b[5L\x1b[5M",
    b"\x1b[S\x1b[T",
    b"a\x1b[99999b",
    b"\x1b[?1049h",
    b"\x1b[?25l\x1b[?1000h\x1b[?7l",
    b"\x1b[200~pasted\x1b[201~",
    b"\x1b[?2004h",
    b"\x1b[4h\x1b[20h",
    b"\x1bc",
    b"\x1b#8",
    b"\x1b(0lqqk\x0e",
    b"\x9b2J\x9d0;owned\x9c\x90$qm\x9c",
    b"\xc2\x9b2J\xc2\x9d0;owned\xc2\x9c\x0b\x0c\x1bD\x1bM\x1bE\x85\xc2\x85",
];

#[test]
fn no_known_escape_sequence_changes_anything_but_its_own_line() {
    if is_missing(&["tmux", "nc"]) {
        return;
    }
    let server = Server::start("chat", &[]);
    let port = server.address.port();
    let screen = Screen::run(&format!("nc 127.0.0.1 {port}"));
    screen.shows("*** welcome, you are guest1");
    let mut speaker = server.client();
    speaker.line();
    screen.shows("*** guest2 joined (2 here)");
    let mode = screen.mode();

    let mut before = screen.lines();
    for (number, sequence) in CORPUS.iter().enumerate() {
        speaker.send([sequence, &b"\r\n"[..]].concat());
        speaker.send(format!("done {number}\r\n"));
        screen.shows(&format!("<guest2> done {number}"));
        let after = screen.lines();
        let shown = sequence.escape_ascii();
        assert_eq!(after[..before.len()], before[..], "{shown} changed another line");
        for line in &after[before.len()..] {
            assert!(line.starts_with("<guest2> "), "{shown} gave {line:?}");
        }
        assert!(after.len() - before.len() <= 2, "{shown} took more than its line");
        assert_eq!(screen.mode(), mode, "{shown}");
        assert_eq!(screen.cursor(), (0, after.len().min(Screen::ROWS - 1)), "{shown}");
        before = after;
    }

    // A terminal that had answered a request would have said so in the chat first.
    screen.types("nothing to report\n");
    speaker.expect("<guest1> nothing to report");
}

#[test]
fn a_half_typed_line_survives_thirty_lines_and_a_resized_window() {
    if is_missing(&["tmux", "telnet"]) {
        return;
    }
    let server = Server::start("chat", &["--edit", "--history", "0"]);
    let mut bob = server.client();
    bob.expect_bytes(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f");
    let screen = Screen::run(&format!("telnet 127.0.0.1 {}", server.address.port()));
    screen.shows("*** welcome, you are guest2");
    bob.skip_to("*** guest2 joined (2 here)");
    screen.types("half a \u{1f980}");
    screen.shows("half a \u{1f980}");
    for n in 0..30 {
        if n == 15 {
            screen.resize(40);
        }
        bob.send(format!("line {n}\r\n"));
    }
    screen.shows("<guest1> line 29");
    screen.shows("half a \u{1f980}");
    let mut expected: Vec<String> = (0..30).map(|n| format!("<guest1> line {n}")).collect();
    expected.push("half a \u{1f980}".to_owned());
    let lines = screen.lines();
    assert_eq!(lines[lines.len() - expected.len()..], expected);
    assert_eq!(screen.cursor(), (9, Screen::ROWS - 1));
    screen.types(" line, in all longer than the window is");
    screen.types("\r");
    bob.expect("<guest2> half a \u{1f980} line, in all longer than the window is");
    screen.shows("<guest2> half a \u{1f980} line, in all longer");
    assert_eq!(screen.cursor(), (0, Screen::ROWS - 1));
}

/// A terminal emulator with one command in it; ended when dropped.
struct Screen {
    socket: String,
}

impl Screen {
    const ROWS: usize = 24;

    fn run(command: &str) -> Screen {
        // One that has just ended would be in the way of the next.
        static SCREENS: AtomicU32 = AtomicU32::new(0);
        let number = SCREENS.fetch_add(1, Ordering::Relaxed);
        let socket = format!("smol-servers-{}-{number}", std::process::id());
        let screen = Screen { socket };
        let rows = Screen::ROWS.to_string();
        let size = ["-x", "200", "-y", &rows];
        let session =
            [&["-f", "/dev/null", "new-session", "-d", "-n", "chat"], &size[..], &[command]]
                .concat();
        screen.tmux(&session);
        screen.tmux(&["set-option", "-g", "status", "off"]);
        screen.resize(200);
        screen
    }

    fn resize(&self, columns: usize) {
        let (columns, rows) = (columns.to_string(), Screen::ROWS.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .env("LC_ALL", "C.UTF-8")
            .args(["-u", "-L", &self.socket])
            .args(arguments)
            .output()
            .expect("tmux runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Everything ever shown, a string a line, without the empty rest of the screen.
    fn lines(&self) -> Vec<String> {
        let shown = self.tmux(&["capture-pane", "-p", "-S", "-"]);
        shown.trim_end().lines().map(str::to_owned).collect()
    }

    /// What a sequence might switch.
    fn mode(&self) -> String {
        self.tmux(&[
            "display-message",
            "-p",
            "title #{pane_title} window #{window_name} alternate #{alternate_on} \
             cursor #{cursor_flag} insert #{insert_flag} keypad #{keypad_flag} \
             mouse #{mouse_any_flag} wrap #{wrap_flag} region #{scroll_region_upper} \
             #{scroll_region_lower} dead #{pane_dead}",
        ])
    }

    fn cursor(&self) -> (usize, usize) {
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_x} #{cursor_y}"]);
        let mut numbers = cursor.split_whitespace().map(|n| n.parse().expect("a number"));
        (numbers.next().expect("a column"), numbers.next().expect("a row"))
    }

    fn types(&self, keys: &str) {
        self.tmux(&["send-keys", "-l", keys]);
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.lines().iter().any(|line| line.starts_with(text)) {
            assert!(Instant::now() < deadline, "no {text:?} in {:#?}", self.lines());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let server = ["-L", &self.socket, "kill-server"];
        let _ended_already = Command::new("tmux").args(server).output();
    }
}
