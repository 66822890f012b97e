//! A flood: what its clients send, how often they come, and to which server.

use std::time::Duration;

use crate::workload::Program;

/// Bytes that a client is given to send at once.
const BLOCK: usize = 64 * 1024;

/// A crowd of clients that all do the same.
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) program: Program,
    /// Of the server.
    pub(crate) options: &'static [&'static str],
    /// What each client says: the first bytes once in a block, then a unit so many times, and an
    /// end, over and over. Nothing where the unit is empty.
    first: &'static [u8],
    unit: &'static [u8],
    times: usize,
    end: &'static [u8],
    /// Bytes of one send, at most.
    pub(crate) segment: usize,
    /// Each send ends with an urgent byte.
    pub(crate) urgent: bool,
    pub(crate) reads: bool,
    /// It takes only a few KiB that it has not read.
    pub(crate) narrow: bool,
    /// How long a client stays, since it began to connect, and how many bytes it sends, at most.
    pub(crate) stay: Duration,
    pub(crate) sends: usize,
    /// One connection in so many ends with RST; 0 is none. The others are half-closed, and end with
    /// the server's FIN.
    pub(crate) resets: usize,
    /// From one coming of a client to the next, at least.
    pub(crate) again: Duration,
}

impl Flood {
    /// What a client sends, over and over.
    pub(crate) fn block(&self) -> Vec<u8> {
        let line = [&self.unit.repeat(self.times), self.end].concat();
        let lines = (BLOCK - self.first.len()).checked_div(line.len()).unwrap_or(0);
        [self.first, &line.repeat(lines)].concat()
    }
}

/// The clients stay, read everything, and say nothing.
const QUIET: Flood = Flood {
    name: "none",
    about: "they say nothing",
    program: Program::Chat,
    options: &[],
    first: b"",
    unit: b"",
    times: 1,
    end: b"",
    segment: BLOCK,
    urgent: false,
    reads: true,
    narrow: false,
    stay: Duration::MAX,
    sends: usize::MAX,
    resets: 1,
    again: Duration::ZERO,
};

const fn say(name: &'static str, about: &'static str, unit: &'static [u8]) -> Flood {
    Flood { name, about, unit, ..QUIET }
}

const fn lines(
    name: &'static str,
    about: &'static str,
    unit: &'static [u8],
    times: usize,
) -> Flood {
    Flood { times, end: b"\n", ..say(name, about, unit) }
}

/// Clients who stay so long, of whom one in so many goes by RST; none where that is 0.
const fn visits(name: &'static str, about: &'static str, millis: u64, resets: usize) -> Flood {
    Flood { stay: Duration::from_millis(millis), resets, ..say(name, about, b"") }
}

const MEGABYTE: usize = 1_000_000;

pub(crate) const FLOODS: [Flood; 25] = [
    QUIET,
    visits("connect-rst", "they connect, reset, and come again", 0, 1),
    visits("connect-fin", "they connect, close, and come again", 0, 0),
    visits("churn", "each stays half a second and goes by RST or FIN", 500, 2),
    Flood {
        options: &["--motd", "README.md"],
        reads: false,
        narrow: true,
        ..visits("motd", "each leaves a long message of the day unread for 20 ms", 20, 1)
    },
    say("nul", "NUL bytes", b"\0"),
    say("nop", "telnet's NOP", b"\xff\xf1"),
    say("ayt", "telnet's AYT, which is answered", b"\xff\xf6"),
    say("timing", "telnet's timing marks, which are answered", b"\xff\xfd\x06"),
    Flood { first: b"\xff\xfa", ..say("suboption", "a telnet suboption without end", b"x") },
    say("erase", "what is typed and erased", b"x\x15x \x17\xc3\xa9\x7f"),
    Flood { segment: 1, ..lines("keys", "lines of a byte, each byte a segment", b"x", 1) },
    Flood { segment: 1, urgent: true, ..say("urgent", "urgent bytes", b"x") },
    lines("empty-lines", "lines of nothing", b"", 1),
    lines("short-lines", "lines of a byte", b"x", 1),
    lines("long-lines", "lines of 900 bytes", b"x", 899),
    lines("marks", "lines of combining marks", "\u{301}".as_bytes(), 498),
    lines("invalid", "lines of 999 bytes 0x80, three bytes each for the readers", b"\x80", 999),
    Flood { reads: false, ..lines("unread", "lines of 900 bytes, and none is read", b"x", 899) },
    Flood {
        sends: MEGABYTE,
        resets: 0,
        again: Duration::from_secs(20),
        ..lines("reburst", "each comes every 20 s for 1 MB of lines of 0x80", b"\x80", 999)
    },
    Flood { sends: MEGABYTE, ..lines("anew", "long lines, and comes again each MB", b"x", 899) },
    Flood { first: b"GET / HTTP/1.1\r\n", ..say("stranger", "another protocol", b"x") },
    echo("echo", "all that is taken and given"),
    Flood { reads: false, ..echo("echo-unread", "all that is taken, and nothing is read") },
    Flood { segment: 1, urgent: true, ..echo("echo-urgent", "urgent bytes") },
];

const fn echo(name: &'static str, about: &'static str) -> Flood {
    Flood { program: Program::Echo, ..say(name, about, b"x") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_made_of_whole_lines() {
        for flood in &FLOODS {
            let block = flood.block();
            assert!(block.len() <= BLOCK && block.ends_with(flood.end), "{}", flood.name);
        }
        let find = |name| FLOODS.iter().find(|flood| flood.name == name).expect("there is one");
        assert!(find("none").block().is_empty());
        assert!(find("long-lines").block().chunks(900).all(|line| line.ends_with(b"x\n")));
        assert!(find("stranger").block().starts_with(b"GET / HTTP/1.1\r\nxxx"));
    }

    #[test]
    fn each_flood_has_a_name_of_its_own() {
        for (place, flood) in FLOODS.iter().enumerate() {
            assert!(FLOODS[..place].iter().all(|other| other.name != flood.name));
            assert!(!flood.name.contains([',', ' ']), "{}", flood.name);
        }
    }
}
