//! What is measured: every workload with its load, its rounds and its one-line description.

use serde::{Deserialize, Serialize};

/// The servers every peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Program {
    Echo,
    Time,
    Chat,
}

impl Program {
    pub(crate) const ALL: [Program; 3] = [Program::Echo, Program::Time, Program::Chat];

    pub(crate) fn name(self) -> &'static str {
        ["echo", "time", "chat"][self as usize]
    }

    pub(crate) fn find(name: &str) -> Option<Program> {
        Program::ALL.into_iter().find(|program| program.name() == name)
    }
}

/// What the clients do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Load {
    /// Each client keeps `depth` messages under way (closed loop), or all together send `rate`
    /// a second (open loop).
    Echo { clients: usize, bytes: usize, depth: usize, rate: u32 },
    /// Everybody reads the time.
    Time { clients: usize },
    /// `speakers` of the clients say lines of `bytes`: `burst` at a time and `rate` a second
    /// (open loop), or each its next `burst` in one piece when all others have its last (closed
    /// loop, rate 0; one who speaks alone lets the room grow quiet first). So many `deaf` clients
    /// beside them never read, and have more to come than the kernel takes.
    Chat { clients: usize, speakers: usize, bytes: usize, rate: u32, burst: u32, deaf: usize },
    /// The same as an open loop whose clients all speak, each in the line editor, where so many
    /// bytes of its next line are typed already.
    Editing { clients: usize, rate: u32, typed: usize },
    /// One client sends so many keys a second, and never finishes a line.
    Keys { rate: u32, editing: bool },
    /// As an open loop with one speaker, and one client more that never reads.
    Stalled { clients: usize, bytes: usize, rate: u32 },
    /// Clients that do nothing, in four steps.
    Idle { clients: usize },
    /// Everybody connects at once, and has a first line if `greeted`, or else a message echoed.
    Burst { clients: usize, greeted: bool },
    /// Each of so many places connects, has one message echoed, closes, and begins again.
    Churn { places: usize },
    /// From spawning the process to the first byte a client reads.
    Start,
}

impl Load {
    /// Those of each kind, where their number is to choose.
    fn clients(&mut self) -> Vec<&mut usize> {
        match self {
            Load::Echo { clients, .. }
            | Load::Time { clients }
            | Load::Editing { clients, .. }
            | Load::Stalled { clients, .. }
            | Load::Idle { clients }
            | Load::Burst { clients, .. }
            | Load::Churn { places: clients } => vec![clients],
            Load::Chat { clients, deaf, .. } => vec![clients, deaf],
            Load::Keys { .. } | Load::Start => Vec::new(),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Extent {
    Quick,
    #[default]
    Usual,
    Full,
    /// What ours alone is told by.
    Bench,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) program: Program,
    pub(crate) load: Load,
    /// By extent: quick, usual, full, bench. None: not part of it.
    rounds: [usize; 4],
    /// Milliseconds measured, by extent; a bench's are those of full.
    window: [u64; 3],
    /// The least extent in which its system calls are counted, in a separate run: none where the
    /// tracer, who slows the server, would change how much it does with one call.
    pub(crate) traced: Option<Extent>,
}

impl Workload {
    pub(crate) fn rounds(&self, extent: Extent) -> usize {
        self.rounds[extent as usize]
    }

    pub(crate) fn window(&self, extent: Extent) -> u64 {
        self.window[extent.min(Extent::Full) as usize]
    }

    /// Clients at most, for the descriptor limit.
    pub(crate) fn clients(mut self) -> usize {
        let deaf = usize::from(matches!(self.load, Load::Stalled { .. }));
        let clients: usize = self.load.clients().into_iter().map(|clients| *clients).sum();
        clients.max(1) + deaf
    }

    /// The same with at most so many clients.
    pub(crate) fn capped(mut self, most: usize) -> Workload {
        let kinds = if let Load::Chat { deaf: 1.., .. } = self.load { 2 } else { 1 };
        for clients in self.load.clients() {
            *clients = (most / kinds).min(*clients);
        }
        if let Load::Chat { clients, speakers, .. } = &mut self.load {
            *speakers = (*speakers).min(*clients);
        }
        self
    }

    /// What one unit of CPU is spent on.
    pub(crate) fn message(&self) -> &'static str {
        match self.load {
            Load::Echo { .. } => "round trip",
            Load::Time { .. } | Load::Chat { .. } | Load::Editing { .. } | Load::Stalled { .. } => {
                "delivery"
            }
            Load::Keys { .. } => "key",
            _ => "client",
        }
    }
}

const fn echo(clients: usize, bytes: usize, depth: usize, rate: u32) -> Load {
    Load::Echo { clients, bytes, depth, rate }
}

/// Clients of whom all speak.
pub(crate) const fn chat(clients: usize, rate: u32, burst: u32) -> Load {
    Load::Chat { clients, speakers: clients, bytes: 56, rate, burst, deaf: 0 }
}

/// One of the clients speaks.
const fn fan(clients: usize, burst: u32) -> Load {
    Load::Chat { clients, speakers: 1, bytes: 56, rate: 0, burst, deaf: 0 }
}

/// Half of a crowd: one says a line of 1,000 bytes ten times a second.
const fn half(deaf: usize) -> Load {
    Load::Chat { clients: 5000, speakers: 1, bytes: 1000, rate: 10, burst: 1, deaf }
}

/// Too short for the p99 of what comes less often than a thousand times a second.
const SHORT: [u64; 3] = [300, 350, 500];
/// Fifteen to forty lines.
const FANS: [u64; 3] = [400, 700, 1200];
const TICKS: [u64; 3] = [2200; 3];
/// Sixty of ten a second.
const LINES: [u64; 3] = [6000; 3];

const NEVER: Option<Extent> = None;
const USUAL: Option<Extent> = Some(Extent::Usual);
const FULL: Option<Extent> = Some(Extent::Full);

#[rustfmt::skip]
pub(crate) const WORKLOADS: [Workload; 28] = [
    workload("echo-1", Program::Echo, echo(1, 64, 1, 0), [0, 0, 3, 3], SHORT, FULL,
        "1 client, 64 bytes, one message under way"),
    workload("echo-50", Program::Echo, echo(50, 64, 1, 0), [3, 3, 5, 3], SHORT, USUAL,
        "50 clients, 64 bytes, one message under way each"),
    workload("echo-1000", Program::Echo, echo(1000, 64, 1, 0), [0, 0, 3, 3], SHORT, NEVER,
        "1,000 clients, 64 bytes, one message under way each"),
    workload("echo-16k", Program::Echo, echo(50, 16 * 1024, 1, 0), [0, 0, 3, 0], SHORT, NEVER,
        "50 clients, 16 KiB, one message under way each"),
    workload("echo-pipelined", Program::Echo, echo(50, 64, 16, 0), [0, 0, 3, 0], SHORT, NEVER,
        "50 clients, 64 bytes, 16 messages under way each"),
    workload("echo-open", Program::Echo, echo(50, 64, 1, 20_000), [0, 0, 3, 0], SHORT, NEVER,
        "50 clients, 64 bytes, 20,000 messages a second whatever comes back"),
    workload("chat-200", Program::Chat, chat(100, 200, 1), [0, 3, 3, 3], [500, 800, 1500], NEVER,
        "100 clients who all speak, 200 lines a second"),
    workload("chat-1000", Program::Chat, chat(100, 1000, 1), [3, 3, 5, 3], SHORT, USUAL,
        "100 clients who all speak, 1,000 lines a second"),
    workload("chat-5000", Program::Chat, chat(100, 5000, 1), [3, 3, 5, 3], SHORT, NEVER,
        "100 clients who all speak, 5,000 lines a second"),
    workload("chat-everybody", Program::Chat, chat(100, 1000, 100), [0, 0, 3, 0], SHORT, NEVER,
        "100 clients who all speak at the same moment, ten times a second"),
    workload("chat-saturate", Program::Chat, chat(100, 0, 1), [0, 0, 3, 0], SHORT, NEVER,
        "100 clients, each says its next line when all others have its last"),
    workload("chat-crowd", Program::Chat, chat(1000, 200, 1), [0, 0, 3, 3], [1000; 3], NEVER,
        "1,000 clients who all speak, 200 lines a second"),
    workload("chat-paste", Program::Chat, fan(100, 1000), [0, 0, 3, 3], [500, 1000, 1000], NEVER,
        "1 of 100 clients pastes 1,000 lines at once, and again 25 ms after everybody has the last"),
    workload("fan-100", Program::Chat, fan(100, 1), [0, 0, 3, 3], FANS, NEVER,
        "1 speaker to 100, the next line 25 ms after everybody has the last"),
    workload("fan-1000", Program::Chat, fan(1000, 1), [0, 3, 5, 3], FANS, FULL,
        "1 speaker to 1,000, the next line 25 ms after everybody has the last"),
    workload("fan-10000", Program::Chat, fan(10_000, 1), [0, 0, 3, 3], FANS, NEVER,
        "1 speaker to 10,000, the next line 25 ms after everybody has the last"),
    workload("stalled", Program::Chat, Load::Stalled { clients: 100, bytes: 1000, rate: 600 },
        [0, 1, 3, 0], LINES, NEVER,
        "100 clients, 600 lines of 1,000 bytes a second, and one client more that never reads"),
    workload("stalled-crowd", Program::Chat, half(5000), [0, 0, 0, 1], LINES, NEVER,
        "1 speaker to 5,000, ten lines of 1,000 bytes a second, beside 5,000 who never read"),
    workload("stalled-none", Program::Chat, half(0), [0, 0, 0, 1], LINES, NEVER,
        "the same without those who never read"),
    workload("time-1000", Program::Time, Load::Time { clients: 1000 }, [0, 0, 3, 0], TICKS, NEVER,
        "1,000 clients read the time"),
    workload("time-10000", Program::Time, Load::Time { clients: 10_000 }, [0, 0, 2, 1], TICKS, NEVER,
        "10,000 clients read the time"),
    workload("idle-chat", Program::Chat, Load::Idle { clients: 10_000 }, [1, 1, 3, 3], SHORT, NEVER,
        "memory of a chat client that does nothing, by regression over 0 to 10,000"),
    workload("idle-echo", Program::Echo, Load::Idle { clients: 10_000 }, [0, 0, 1, 1], SHORT, NEVER,
        "memory of an echo client that does nothing, by regression over 0 to 10,000"),
    workload("idle-time", Program::Time, Load::Idle { clients: 10_000 }, [0, 0, 1, 1], SHORT, NEVER,
        "memory of a time client, by regression over 0 to 10,000"),
    workload("burst", Program::Echo, Load::Burst { clients: 2000, greeted: false },
        [0, 0, 3, 0], SHORT, NEVER, "2,000 clients connect at once, each has one message echoed"),
    workload("burst-chat", Program::Chat, Load::Burst { clients: 5000, greeted: true },
        [0, 0, 0, 3], SHORT, NEVER, "5,000 clients connect at once, each is welcomed"),
    workload("churn", Program::Echo, Load::Churn { places: 50 }, [0, 0, 3, 0], SHORT, NEVER,
        "50 clients at a time connect, have one message echoed, and reset"),
    workload("start", Program::Chat, Load::Start, [3, 3, 5, 0], SHORT, NEVER,
        "from spawning the process to the first byte a client reads"),
];

const fn workload(
    name: &'static str,
    program: Program,
    load: Load,
    rounds: [usize; 4],
    window: [u64; 3],
    traced: Option<Extent>,
    about: &'static str,
) -> Workload {
    Workload { name, about, program, load, rounds, window, traced }
}

pub(crate) fn find(name: &str) -> Option<Workload> {
    WORKLOADS.into_iter().find(|workload| workload.name == name)
}
