use std::num::NonZeroU16;

use proptest::prelude::*;

use super::line::columns as columns_of;
use super::*;
use crate::text::{clean, is_shown};

/// The other side of an editor: a terminal, and one that shows the talk alone.
struct Person {
    editor: Editor,
    /// What the client shows.
    screen: Terminal,
    /// What a client shows that never types.
    talk: Terminal,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
    said: Vec<String>,
    /// ^L was pressed, and has still to clear both screens.
    clears: bool,
    left: bool,
}

const ROWS: u16 = 6;

/// A terminal, which shows whole characters: the emulator goes wrong where one comes in parts.
struct Terminal {
    emulator: vt100::Parser,
    part: Vec<u8>,
}

impl Terminal {
    fn of(columns: u16) -> Terminal {
        let emulator = vt100::Parser::new(size(ROWS), size(columns), 10_000);
        Terminal { emulator, part: Vec::new() }
    }

    fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    fn process(&mut self, bytes: &[u8]) {
        self.part.extend_from_slice(bytes);
        let whole =
            std::str::from_utf8(&self.part).map_or_else(|error| error.valid_up_to(), str::len);
        self.emulator.process(&self.part[..whole]);
        self.part.drain(..whole);
    }

    fn set_columns(&mut self, columns: u16) {
        self.emulator.set_size(size(ROWS), size(columns));
    }
}

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size")
}

impl Person {
    fn at(columns: u16) -> Person {
        let mut person = Person {
            editor: Editor::new(columns, false),
            screen: Terminal::of(columns),
            talk: Terminal::of(columns),
            waiting: Vec::new(),
            said: Vec::new(),
            clears: false,
            left: false,
        };
        person.settles();
        person
    }

    fn types(&mut self, keys: impl AsRef<[u8]>) -> &mut Person {
        for byte in keys.as_ref() {
            match self.editor.key(*byte) {
                Some(Edited::Line(line)) => self.said.push(line),
                Some(Edited::Leave) => self.left = true,
                Some(Edited::Interrupt) | None => {}
            }
        }
        self
    }

    fn reads(&mut self, line: &str) -> &mut Person {
        self.waiting.extend_from_slice(format!("{line}\r\n").as_bytes());
        self
    }

    /// An answer of telnet, which no terminal shows, stands for itself.
    fn is_answered(&mut self) {
        self.waiting.push(0);
    }

    fn clears(&mut self) {
        self.types("\x1b[201~\x0c");
        self.clears = true;
    }

    fn resizes(&mut self, columns: u16) {
        self.settles();
        for terminal in [&mut self.screen, &mut self.talk] {
            terminal.set_columns(columns);
        }
        self.editor.set_columns(columns);
    }

    /// One write, of which the client takes `n` bytes.
    fn writes(&mut self, n: usize) {
        let mut buffer = vec![0; 16 * 1024];
        let waiting = if self.editor.is_behind() { 0 } else { self.waiting.len().min(9000) };
        buffer[ERASE_BYTES..ERASE_BYTES + waiting].copy_from_slice(&self.waiting[..waiting]);
        let (is_behind, is_within) = (self.editor.is_behind(), self.editor.is_within);
        let frame = self.editor.frame(&mut buffer, waiting);
        let n = n.min(frame.bytes.len());
        self.screen.process(&buffer[frame.bytes.start..frame.bytes.start + n]);
        let lines = self.editor.written(frame, &buffer, n);
        if !is_within && !is_behind {
            self.clear();
        }
        self.talk.process(&self.waiting[..lines]);
        if is_within && lines == waiting && !is_behind {
            self.clear();
        }
        self.waiting.drain(..lines);
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.clears) {
            self.talk.process(b"\x1b[H\x1b[2J");
        }
    }

    /// Writes until nothing is due, and compares the screens.
    fn settles(&mut self) -> &mut Person {
        while self.editor.is_due() || !self.waiting.is_empty() {
            self.writes(usize::MAX);
        }
        self.is_right();
        self
    }

    fn columns(&self) -> u16 {
        self.screen.screen().size().1.get()
    }

    /// All rows that were ever shown.
    fn rows(terminal: &Terminal) -> Vec<String> {
        let mut screen = terminal.screen().clone();
        let columns = screen.size().1.get();
        let above = screen.scrollback_len();
        let mut rows = Vec::new();
        for row in (1..=above).rev() {
            screen.set_scrollback(row);
            rows.extend(screen.rows(0, columns).next());
        }
        screen.set_scrollback(0);
        rows.extend(screen.rows(0, columns));
        rows
    }

    /// Where the cursor is, and what stands in its row.
    fn row(terminal: &Terminal) -> (u16, String) {
        let screen = terminal.screen();
        let ((row, column), columns) = (screen.cursor_position(), screen.size().1.get());
        (column, screen.rows(0, columns).nth(row.into()).expect("a row"))
    }

    /// The talk stands on the screen as on that of a client that never types, and the line below it.
    #[track_caller]
    fn is_right(&self) {
        let (rows, mut talk) = (Person::rows(&self.screen), Person::rows(&self.talk));
        let at = |terminal: &Terminal| terminal.screen().cursor_position().0;
        assert_eq!(at(&self.screen), at(&self.talk), "{rows:?} {talk:?}");
        let last = rows.len() - usize::from(ROWS - at(&self.screen));
        talk[last] = rows[last].clone();
        assert_eq!(rows, talk);
        assert!(self.shows_line(), "{:?} of {:?}", Person::row(&self.screen), self.editor.line);
    }

    /// Whether the row shows the line from some byte on, with the cursor in its place.
    fn shows_line(&self) -> bool {
        let (line, columns, shown) = (&self.editor.line, self.columns(), Person::row(&self.screen));
        let (text, cursor, room) = (line.text(), line.cursor(), usize::from(columns) - 1);
        let mut starts = vec![0];
        while starts[starts.len() - 1] < text.len() {
            starts.push(line.end_behind(starts[starts.len() - 1]));
        }
        assert!(starts.contains(&cursor), "the cursor stands between two clusters");
        assert!(text.chars().all(is_shown));
        let widths: Vec<_> = starts[..starts.len() - 1]
            .iter()
            .map(|&at| text[at..line.end_behind(at)].chars().map(columns_of).sum::<usize>())
            .collect();
        let matches = |first: usize| {
            let mut left = room;
            let fits = |width: &&usize| left.checked_sub(**width).map(|rest| left = rest).is_some();
            let last = first + widths[first..].iter().take_while(fits).count();
            if starts[last] < cursor {
                return false;
            }
            let mut expected = Terminal::of(columns);
            expected.process(&text.as_bytes()[starts[first]..cursor]);
            let column = Person::row(&expected).0;
            expected.process(&text.as_bytes()[cursor..starts[last]]);
            (column, Person::row(&expected).1) == shown
        };
        let is_short = widths.iter().sum::<usize>() <= room;
        let before = starts.iter().filter(|&&at| at <= cursor).count();
        // What stands before the cursor is seen, too.
        let most = if is_short || room < 6 { before } else { before.max(2) - 1 };
        let firsts = if is_short { 0..1 } else { 0..most };
        firsts.into_iter().any(matches)
    }
}

#[test]
fn a_half_typed_line_survives_lines_that_come_in() {
    let mut ann = Person::at(20);
    ann.types("half a ").settles().reads("<bob> hello").settles();
    ann.types("line").settles();
    assert_eq!(Person::rows(&ann.screen)[..2], ["<bob> hello", "half a line"]);
    ann.types("\r").settles();
    assert_eq!(ann.said, ["half a line"]);
    assert_eq!(Person::rows(&ann.screen)[..2], ["<bob> hello", ""]);
}

#[test]
fn what_others_read_is_the_line_as_edited() {
    for (keys, said) in [
        ("helto\x7f\x08lo", "hello"),
        ("hllo\x1b[D\x02\x1b[D\x02\x1b[Ce", "hello"),
        ("ello\x01h\x05 you", "hello you"),
        ("ello\x1b[Hh\x1b[F you", "hello you"),
        ("xhello\x1b[1~\x1b[3~\x1b[4~!", "hello!"),
        ("xhello\x01\x04", "hello"),
        ("hello you\x02\x02\x02\x02\x0b", "hello"),
        ("you hello\x02\x02\x02\x02\x02\x15", "hello"),
        ("hello you  \x17me", "hello me"),
        ("hello you\x1b\x7fme", "hello me"),
        ("hlelo\x02\x02\x02\x14", "hello"),
        ("helol\x14", "hello"),
        ("two words\x1bb\x1b[1;5Dsome \x1bf\x1b[1;3C!", "some two words!"),
        ("two words\x1bOD\x1bOdsome \x1bOCtiny", "some twotiny words"),
        ("a\tb", "a b"),
        ("e\u{301}\x7fé\x1b[D\x06", "é"),
        ("\u{301}a\u{202e}b\x1b[31mc\x07", "abc"),
        ("日本\x02x", "日x本"),
        ("\x1bhi \x1b[5~\x1b[15;2~\x1bOP\x1b[[A there", "hi  there"),
        ("\x1b[200~a\x03\x15\x1b[D\x7fb\x1b[201~c", "abc"),
        ("\x1b[200~a paste that never ends\x03\x03b\x7fc", "c"),
    ] {
        for byte_by_byte in [false, true] {
            let mut ann = Person::at(80);
            for byte in keys.as_bytes() {
                ann.types([*byte]);
                if byte_by_byte {
                    ann.settles();
                }
            }
            ann.types("\r\0").settles();
            assert_eq!(ann.said, [said], "{keys:?}");
        }
    }
}

#[test]
fn every_line_end_ends_one_line() {
    assert_eq!(Person::at(80).types("a\r\nb\r\0c\nd\re\r\n\r").said, ["a", "b", "c", "d", "e", ""]);
    let pasted = "\x1b[200~one\ntwo\r\nthree\x1b[201~!";
    let mut ann = Person::at(80);
    assert_eq!(ann.types(pasted).said, ["one", "two"]);
    assert_eq!(ann.types("\r").said[2], "three!");
}

#[test]
fn what_is_typed_is_cleaned_as_any_other_line() {
    let broken =
        [&b"a\xffb"[..], b"\xe6\x97x", b"\xe6\x97\xe6\x97\xa5", b"\xf0\x80\x80", b"\xd1\xd1\x83"];
    let stacked = "z".to_owned() + &"\u{301}".repeat(12) + "y\u{301}";
    for bytes in broken.into_iter().chain([stacked.as_bytes()]) {
        let mut shown = String::new();
        clean(bytes, &mut shown);
        assert_eq!(Person::at(80).types(bytes).types("\r").said, [shown]);
    }
}

#[test]
fn leaving_takes_two_interrupts_in_a_row_or_the_end_of_input_on_an_empty_line() {
    assert!(!Person::at(80).types("\x03typed\x03\x7f\x03 \x04").left);
    assert!(Person::at(80).types("typed\x03\x03").left);
    assert!(Person::at(80).types("typed\r\x04").left);
    assert!(Person::at(80).types("never mind\x03again\r").said == ["again"]);
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let mut ann = Person::at(80);
    assert!(ann.screen.screen().bracketed_paste());
    ann.types("half").reads("<bob> hi").settles();
    ann.editor.end();
    ann.reads("*** goodbye");
    while ann.editor.is_due() {
        ann.writes(1);
    }
    assert!(!ann.screen.screen().bracketed_paste());
    assert_eq!(Person::rows(&ann.screen), Person::rows(&ann.talk));
    assert_eq!(ann.screen.screen().cursor_position(), (2, 0));
}

#[test]
fn the_last_fifty_lines_come_back() {
    let mut ann = Person::at(80);
    for n in 0..60 {
        ann.types(format!("line {n}\r"));
    }
    ann.types("half\x1b[A").settles();
    assert_eq!(ann.editor.line.text(), "line 59");
    ann.types("\x1b[A".repeat(70)).settles();
    assert_eq!(ann.editor.line.text(), "line 10");
    ann.types("\x1b[B\x1b[B").settles();
    assert_eq!(ann.editor.line.text(), "line 12");
    ann.types("\x1b[B".repeat(70)).settles();
    assert_eq!(ann.editor.line.text(), "half");
    ann.types("\x15\x1b[A again\r");
    assert_eq!(ann.said[60], "line 59 again");
}

#[test]
fn lines_to_come_back_are_bounded_and_freed_once_their_person_rests() {
    let mut ann = Person::at(80);
    for n in 0..1000 {
        ann.types(format!("{n:900}\r"));
    }
    ann.types("\x1b[A".repeat(70));
    assert_eq!(ann.editor.line.text().trim(), "996");
    for _ in 0..3 {
        assert!(ann.editor.rest(), "not while one of them is in the row");
    }
    ann.types("\x03x");
    assert!(ann.editor.rest(), "a key was pressed");
    assert!(!ann.editor.rest());
    assert_eq!(ann.types("\x1b[A").editor.line.text(), "x");
    // One that is erased again is in the row no more; one put aside is kept.
    for (typed, is_kept) in [("", false), ("half", true)] {
        let mut bob = Person::at(80);
        bob.types("said\r").types(typed).types("\x1b[A\x15");
        bob.editor.rest();
        assert_eq!(bob.editor.rest(), is_kept);
    }
}

#[test]
fn an_idle_editor_holds_two_hundred_bytes() {
    assert!(size_of::<Editor>() <= 200, "{}", size_of::<Editor>());
    let mut ann = Person::at(80);
    ann.types("typed").settles().types("\x15").settles().types("\x03").settles();
    let Editor { line, recall, unsent, .. } = &mut ann.editor;
    assert_eq!((line.take().capacity(), recall.is_none(), unsent.capacity()), (0, true, 0));
}

#[test]
fn a_line_longer_than_any_is_split_and_loses_nothing() {
    let mut ann = Person::at(80);
    let long = "0123456789".repeat(250) + "é";
    ann.types(&long).settles().types("\r");
    assert_eq!(ann.said.concat(), long);
    assert!(ann.said.iter().all(|line| line.len() <= LINE_BYTES));
    let mut bob = Person::at(80);
    bob.types("b".repeat(999)).types("\x01\x1b[C").types("é\r").settles();
    assert_eq!(bob.said, ["b".to_owned(), "é".to_owned() + &"b".repeat(998)]);
    let mut carl = Person::at(80);
    carl.types("c".repeat(1000)).types("\x01\x1b[C").types("🦀\r").settles();
    assert_eq!(carl.said, ["c".repeat(1000)], "there is no room for it");
}

#[test]
fn where_only_ascii_is_shown_nothing_else_is_echoed() {
    let mut editor = Editor::new(80, true);
    "ě2J e\u{301}\x02日".bytes().for_each(|byte| assert!(editor.key(byte).is_none()));
    let drawn = editor.framed(b"");
    assert!(drawn.is_ascii());
    assert!(drawn.ends_with(b"?2J ?\x1b7e\x1b[K\x1b8"), "{}", drawn.escape_ascii());
}

#[test]
fn a_window_of_any_size_is_possible() {
    for columns in [1, 2, 3, 79, 80, 1000, 65535] {
        let mut editor = Editor::new(columns, false);
        "wide 日本語 ".repeat(50).bytes().for_each(|byte| drop(editor.key(byte)));
        for key in ["\x01", "\x05", "\x1bb", "x"] {
            key.bytes().for_each(|byte| drop(editor.key(byte)));
            assert!(editor.framed(b"").len() <= ROW_BYTES);
        }
    }
    assert_eq!(Editor::new(0, false).row.room(), 79);
}

#[test]
fn a_thousand_changes_of_the_window_are_one_redraw() {
    let mut ann = Person::at(80);
    ann.types("half a line").settles();
    (0..1000).for_each(|n| ann.editor.set_columns(40 + n % 2));
    assert!(ann.editor.framed(b"").len() < 40);
    assert!(!ann.editor.is_due());
}

#[derive(Clone, Debug)]
enum Step {
    Types(Vec<u8>),
    Reads(String),
    Resizes(u16),
    Clears,
    Answer,
    Writes(usize),
    Settles,
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "a",
        "b ",
        "hello",
        "é",
        "e\u{301}",
        "日",
        "\u{ac00}",
        "🦀",
        "❤\u{fe0f}",
        "\u{301}",
        "\x7f",
        "\x08",
        "\x1b[3~",
        "\x1b[D",
        "\x1b[C",
        "\x1b[A",
        "\x1b[B",
        "\x1b[H",
        "\x1b[F",
        "\x01",
        "\x02",
        "\x05",
        "\x06",
        "\x0b",
        "\x15",
        "\x17",
        "\x14",
        "\x1bb",
        "\x1bf",
        "\x1b[1;5C",
        "\x1b[1;5D",
        "\x03",
        "\x04",
        "\r",
        "\r\0",
        "\r\n",
        "\x1b[200~",
        "\x1b[201~",
        "\x1b",
        "[",
        "\u{202e}",
        "\t",
        "\u{200d}",
        "a longer run of text, to be scrolled ",
    ];
    let not_clear = any::<u8>().prop_filter("^L is a step of its own", |byte| *byte != 0x0c);
    let piece = prop_oneof![
        12 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => not_clear.prop_map(|byte| vec![byte]),
        1 => any::<char>().prop_filter("nor is it here", |c| *c != '\x0c').prop_map(|c| c.to_string().into_bytes()),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = String> {
    let text = prop::collection::vec(prop::sample::select(vec!["x", "日", "é ", "word "]), 0..30);
    text.prop_map(|words| "<bob> ".to_owned() + &words.concat())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => keys().prop_map(Step::Types),
        3 => line().prop_map(Step::Reads),
        1 => (1..30u16).prop_map(Step::Resizes),
        1 => Just(Step::Clears),
        1 => Just(Step::Answer),
        3 => (0..40usize).prop_map(Step::Writes),
        3 => Just(Step::Settles),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(5_000)))]

    #[test]
    fn a_terminal_shows_the_talk_and_the_line(columns in 1..30u16, steps in prop::collection::vec(step(), 0..25)) {
        let mut person = Person::at(columns);
        for step in steps {
            match step {
                Step::Types(keys) => drop(person.types(keys)),
                Step::Reads(line) => drop(person.reads(&line)),
                Step::Resizes(columns) => person.resizes(columns),
                Step::Clears => person.clears(),
                Step::Answer => person.is_answered(),
                Step::Writes(n) => person.writes(n),
                Step::Settles => drop(person.settles()),
            }
        }
        person.settles();
        for said in &person.said {
            let mut again = String::new();
            clean(said.as_bytes(), &mut again);
            assert_eq!(*said, again, "what is said is clean already");
            assert!(said.len() <= LINE_BYTES);
        }
    }

    #[test]
    fn keys_come_to_the_same_at_any_split(keys in prop::collection::vec(keys(), 0..20)) {
        let keys = keys.concat();
        let mut whole = Person::at(20);
        whole.types(&keys).settles();
        let mut split = Person::at(20);
        for byte in keys {
            split.types([byte]).settles();
        }
        assert_eq!((&whole.said, whole.left), (&split.said, split.left));
        assert_eq!(whole.editor.line.text(), split.editor.line.text());
    }
}
