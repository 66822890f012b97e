//! Clients of the chat that speak, and check and time all they hear.

use std::time::{Duration, Instant};

use crate::Result;
use crate::crowd::{BATCH, Crowd};
use crate::lines::Lines;
use crate::server::{PATIENCE, Server};

/// Bytes of an ordinary line as it is sent, with its LF.
pub(crate) const LINE: usize = 56;

/// SO_RCVBUF of a client that never reads, in bytes; the kernel doubles it.
const DEAF_BUFFER: usize = 4096;

/// A second and a bit: the chat sums up who joined once a second.
const SUMMED_UP: Duration = Duration::from_millis(1200);

/// One server's clients. Each line carries its speaker and its number.
pub(crate) struct Talk {
    crowd: Crowd,
    lines: Lines,
    heard: Heard,
    /// What each speaker said: when, and how many bytes before CR LF.
    said: Vec<Vec<(Instant, usize)>>,
}

/// What came of it.
#[derive(Default)]
struct Heard {
    ears: Vec<Ear>,
    /// From send to receive, for each line and each client that heard it.
    delays: Vec<Duration>,
    /// Lines of which the server said that clients missed them.
    missed: u64,
    welcomed: usize,
    last: Option<Instant>,
}

/// What one client knows.
#[derive(Default)]
struct Ear {
    /// The name the server gave it.
    name: Vec<u8>,
    /// Number of the next line, for each speaker.
    next: Vec<u32>,
}

impl Talk {
    pub(crate) fn new() -> Result<Talk> {
        let (crowd, lines) = (Crowd::new()?, Lines::default());
        Ok(Talk { crowd, lines, heard: Heard::default(), said: Vec::new() })
    }

    /// Joins `clients` more and waits until all are welcomed and the server is at rest.
    /// With `deaf`, another client that never reads joins behind each of them.
    pub(crate) fn join(&mut self, server: &Server, clients: usize, deaf: bool) -> Result<()> {
        let mut left = clients;
        while left > 0 {
            let batch = left.min(if deaf { BATCH / 2 } else { BATCH });
            for _ in 0..batch {
                self.crowd.connect(server.address)?;
                if deaf {
                    self.crowd.connect_deaf(server.address, DEAF_BUFFER)?;
                }
            }
            left -= batch;
            let welcomed = self.heard.welcomed + batch;
            self.pump_until("welcome", |heard| heard.welcomed >= welcomed)?;
        }
        self.pump_until("rest", |heard| heard.last.is_none_or(|last| last.elapsed() > SUMMED_UP))?;
        server.settle()
    }

    /// Client `speaker` says a line of `bytes`.
    pub(crate) fn say(&mut self, speaker: usize, bytes: usize) -> Result<()> {
        if self.said.len() <= speaker {
            self.said.resize(speaker + 1, Vec::new());
        }
        let number = self.said[speaker].len();
        let mut line = format!("{speaker:05} {number:08} ");
        while line.len() < bytes - 1 {
            line.push(filler(line.len()) as char);
        }
        line.push('\n');
        self.said[speaker].push((Instant::now(), bytes - 1));
        self.crowd.send(speaker, line.as_bytes())
    }

    /// Says `count` lines, `rate` of them a second, each by the next of the first `speakers`;
    /// waits until all clients of `hearing` have all of them. Returns the delays.
    pub(crate) fn say_at_rate(
        &mut self,
        rate: u32,
        count: u32,
        speakers: usize,
        hearing: usize,
    ) -> Result<Vec<Duration>> {
        let started = Instant::now();
        let mut speaker = 0;
        for line in 0..count {
            let due = started + Duration::from_secs(1) * line / rate;
            loop {
                let wait = due.saturating_duration_since(Instant::now());
                if wait.is_zero() {
                    break;
                }
                self.pump(wait)?;
            }
            self.say(speaker, LINE)?;
            speaker = (speaker + 1) % speakers;
        }
        self.take_delays(count as usize * (hearing - 1))
    }

    /// Waits for so many deliveries since the last call, and returns how long each took.
    pub(crate) fn take_delays(&mut self, expected: usize) -> Result<Vec<Duration>> {
        let done = |heard: &Heard| heard.delays.len() + heard.missed as usize >= expected;
        self.pump_until("line", done)?;
        if self.heard.delays.len() + self.heard.missed as usize > expected {
            return Err("more lines came than were said".into());
        }
        Ok(std::mem::take(&mut self.heard.delays))
    }

    /// Lines missed since the last call, by all clients together.
    pub(crate) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.heard.missed)
    }

    fn pump(&mut self, timeout: Duration) -> Result<()> {
        let Talk { crowd, lines, heard, said } = self;
        crowd.pump(timeout, |client, bytes| {
            let now = Instant::now();
            heard.last = Some(now);
            lines.feed(client, bytes, |line| {
                heard.hear(client, line, said, now).map_err(|error| {
                    let line = String::from_utf8_lossy(line);
                    format!("client {client}: {error}: {line:?}").into()
                })
            })
        })
    }

    fn pump_until(&mut self, what: &str, done: impl Fn(&Heard) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.heard) {
            self.pump(Duration::from_millis(10))?;
            if Instant::now() > deadline {
                let Heard { delays, missed, welcomed, .. } = &self.heard;
                let (heard, clients) = (delays.len(), self.crowd.len());
                return Err(format!(
                    "no {what} after {PATIENCE:?}: {clients} clients, {welcomed} welcomed, \
                     {heard} lines heard, {missed} missed"
                )
                .into());
            }
        }
        Ok(())
    }
}

impl Heard {
    fn hear(
        &mut self,
        client: usize,
        line: &[u8],
        said: &[Vec<(Instant, usize)>],
        now: Instant,
    ) -> Result<()> {
        if self.ears.len() <= client {
            self.ears.resize_with(client + 1, Ear::default);
        }
        if let Some(notice) = line.strip_prefix(b"*** ") {
            return self.notice(client, notice);
        }
        let open = line.iter().position(|&byte| byte == b'>').ok_or("not a line of ours")?;
        let (name, text) = (&line[..open], line.get(open + 2..).unwrap_or_default());
        let (speaker, number) = (digits(text.get(..5))?, digits(text.get(6..14))?);
        let ears = &mut self.ears;
        let author = ears.get(speaker).ok_or("nobody said that")?;
        if name.strip_prefix(b"<") != Some(&author.name[..]) {
            return Err("said under another name".into());
        }
        let spoken = said.get(speaker).and_then(|said| said.get(number));
        let &(at, bytes) = spoken.ok_or("nobody said that")?;
        let fill = text.iter().enumerate().skip(15);
        if text.len() != bytes || !fill.fold(true, |same, (i, &byte)| same & (byte == filler(i))) {
            return Err("garbled".into());
        }
        let next = &mut ears[client].next;
        if next.len() <= speaker {
            next.resize(speaker + 1, 0);
        }
        let expected = std::mem::replace(&mut next[speaker], number as u32 + 1) as usize;
        if client == speaker || number < expected || (number > expected && self.missed == 0) {
            return Err(format!("out of order, {expected} comes next").into());
        }
        self.delays.push(now - at);
        Ok(())
    }

    fn notice(&mut self, client: usize, notice: &[u8]) -> Result<()> {
        if let Some(welcome) = notice.strip_prefix(b"welcome, you are ") {
            let end = welcome.iter().position(|&byte| byte == b'.').ok_or("no name")?;
            self.ears[client].name = welcome[..end].to_vec();
            self.welcomed += 1;
        } else if let Some(missed) = notice.strip_prefix(b"you missed ") {
            let end = missed.iter().position(|&byte| byte == b' ').ok_or("no count")?;
            self.missed += digits(missed.get(..end))? as u64;
        } else if !notice.ends_with(b" here)") {
            return Err("an unknown notice".into());
        }
        Ok(())
    }
}

/// What stands at byte `i` of a line, behind its numbers.
fn filler(i: usize) -> u8 {
    b'a' + (i % 26) as u8
}

fn digits(text: Option<&[u8]>) -> Result<usize> {
    let text = std::str::from_utf8(text.unwrap_or_default())?;
    Ok(text.parse().map_err(|_| "not a line of ours")?)
}
