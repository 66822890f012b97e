//! A crowd that talks: what its members say, and which of them has heard what, and when. Knows not
//! when the load is measured.

use std::time::{Duration, Instant};

use super::pace::{Pace, Tally, Traffic, go};
use super::{Job, PATIENCE, SETTLED, join, join_by};
use crate::Result;
use crate::crowd::{Crowd, News};
use crate::ledger::Ledger;
use crate::lines::{Lines, count};
use crate::results::Outcome;
use crate::tcp;
use crate::terminal::{AGREES, ENTER, shown};

/// Time between two looks at whether the kernel still takes something for the deaf.
const FILLING: Duration = Duration::from_millis(500);

/// Width of a slot of the stalled reader's picture.
pub(super) const SLOT: Duration = Duration::from_millis(100);

pub(crate) struct Talk {
    pub(crate) crowd: Crowd,
    lines: Lines,
    pub(crate) heard: Heard,
}

/// What came of what was said.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) ledger: Ledger,
    /// By speaker and number.
    pub(crate) said: Vec<Vec<Line>>,
    pub(crate) ears: Vec<Ear>,
    pub(crate) tally: Tally,
    /// Clients are at each in turn.
    servers: usize,
    /// Speakers whose newest line everybody has, and how many lines they had said at once.
    done: Vec<(usize, u32)>,
    at_once: u32,
    /// The longest delay, in milliseconds, among the lines that were due in each slot since then.
    pub(super) slots: Option<(Instant, Vec<f64>)>,
    /// Telnet's answers stand among the lines.
    pub(crate) is_telnet: bool,
    /// Bytes of its next line that each client has typed, where they have the editor.
    typed: Option<usize>,
}

pub(crate) struct Line {
    due: Instant,
    /// Clients that have it to come.
    left: usize,
    /// A client of another server has it.
    pub(crate) crossed: bool,
}

/// What one client heard.
#[derive(Clone, Default)]
pub(crate) struct Ear {
    is_welcome: bool,
    pub(crate) is_closed: bool,
    pub(crate) lines: u64,
    /// Lines that the server says it missed, and those that did not reach the other servers.
    pub(crate) missed: u64,
    pub(crate) stayed: u64,
}

impl Talk {
    /// The first ones of the clients speak, lines of so many `bytes`.
    pub(crate) fn new(clients: usize, speakers: usize, bytes: usize) -> Result<Talk> {
        let heard = Heard {
            ledger: Ledger::new(clients, speakers, bytes),
            said: (0..speakers).map(|_| Vec::new()).collect(),
            ears: vec![Ear::default(); clients],
            ..Heard::default()
        };
        Ok(Talk { crowd: Crowd::new()?, lines: Lines::default(), heard })
    }

    /// Connects everybody at the jobs' servers in turn, and waits until all have read something and
    /// nothing has come for so long.
    pub(crate) fn join(&mut self, jobs: &[Job], quiet: Duration) -> Result<()> {
        self.heard.servers = jobs.len();
        let clients = self.heard.ears.len();
        let Talk { crowd, lines, heard, .. } = self;
        let mut take = |client: usize, news: News| heard.take(lines, client, news);
        let (times, count) = if jobs.len() == 1 { (1, clients) } else { (clients, 1) };
        for job in jobs.iter().cycle().take(times) {
            join(job, crowd, count, &mut take)?;
        }
        let deadline = Instant::now() + PATIENCE + quiet;
        let mut last = Instant::now();
        // A welcome from afar comes long after the connection stands.
        let lack = |heard: &Heard| heard.ears.iter().any(|ear| !ear.is_welcome);
        while (last.elapsed() < quiet || lack(heard)) && Instant::now() < deadline {
            crowd.pump(Instant::now() + quiet / 4, &mut |client, news| {
                last = Instant::now();
                heard.take(lines, client, news)
            })?;
        }
        let welcome = self.heard.ears.iter().filter(|ear| ear.is_welcome).count();
        if welcome < clients {
            return Err(format!("{welcome} of {clients} clients were welcomed").into());
        }
        // What others said before is the server's history.
        self.heard.ledger.begin();
        jobs.iter().try_for_each(|job| job.process().settle(SETTLED))
    }

    /// Has all clients agree to the editor, and type so many bytes of their first line.
    pub(super) fn agree(&mut self, typed: usize) -> Result<()> {
        (self.heard.typed, self.heard.is_telnet) = (Some(typed), true);
        self.heard.ledger.returns = true;
        for speaker in 0..self.speakers() {
            let line = self.heard.ledger.line(speaker, 0);
            self.crowd.send(speaker, &[AGREES, &line[..typed]].concat())?;
        }
        Ok(())
    }

    /// Connects clients who never read, and talks until the kernel takes no more for any of them.
    pub(super) fn join_deaf(&mut self, job: &Job, count: usize) -> Result<()> {
        let Talk { crowd, lines, heard, .. } = self;
        let take = &mut |client: usize, news: News| heard.take(lines, client, news);
        join_by(Crowd::connect_deaf, job, crowd, count, take)?;
        let (mut before, mut held) = (Vec::new(), unsent(job)?);
        let deadline = Instant::now() + PATIENCE * 5;
        while (held != before || held.is_empty()) && Instant::now() < deadline {
            go(self, FILLING, Pace::new(0, 1))?;
            before = std::mem::replace(&mut held, unsent(job)?);
        }
        match held.len() {
            stalled if stalled == count => Ok(()),
            stalled => Err(format!("{stalled} clients are stalled, not {count}").into()),
        }
    }

    /// Resets a client's connection; it says nothing any more.
    pub(crate) fn send_away(&mut self, client: usize) {
        self.crowd.close(client);
        self.heard.ears[client].is_closed = true;
    }

    /// What is wrong with what was heard, and how soon the last ones had a line.
    pub(super) fn report(&self, outcome: &mut Outcome) {
        let heard = &self.heard;
        outcome.set("last_p50_ms", heard.tally.lasts.quantile(0.5) as f64 / 1e6);
        outcome.set("last_max_ms", heard.tally.lasts.max() as f64 / 1e6);
        let missed = heard.missed();
        let told = (missed > 0).then(|| format!("the server says that {missed} lines were missed"));
        outcome.fault = heard.ledger.faults().into_iter().chain(told).reduce(|a, b| a + "; " + &b);
        let closed = heard.closed();
        if closed > 0 && outcome.fault.is_none() {
            let all = heard.ears.len();
            outcome.fault = Some(format!("the server closed {closed} of {all} connections"));
        }
    }
}

impl Traffic for Talk {
    fn speakers(&self) -> usize {
        self.heard.said.len()
    }

    /// Unless the speaker was sent away.
    fn say(&mut self, speaker: usize, count: u32, due: Instant) -> Result<()> {
        if self.heard.ears[speaker].is_closed {
            return Ok(());
        }
        self.heard.at_once = count;
        self.heard.tally.said += u64::from(count);
        let (said, mut piece) = (&mut self.heard.said[speaker], Vec::new());
        // With the editor one's own line comes back.
        let left = self.heard.ears.len() - usize::from(self.heard.typed.is_none());
        for _ in 0..count {
            let line = self.heard.ledger.line(speaker, said.len());
            said.push(Line { due, left, crossed: false });
            match self.heard.typed {
                None => piece.extend(line),
                Some(typed) => {
                    let next = self.heard.ledger.line(speaker, said.len());
                    piece.extend([&line[typed..line.len() - 1], ENTER, &next[..typed]].concat());
                }
            }
        }
        self.crowd.send(speaker, &piece)
    }

    fn hear(&mut self, deadline: Instant) -> Result<Vec<(usize, u32)>> {
        let Talk { crowd, lines, heard, .. } = self;
        crowd.pump(deadline, &mut |client, news| heard.take(lines, client, news))?;
        Ok(std::mem::take(&mut heard.done))
    }

    fn left(&self) -> [u64; 2] {
        let left = self.heard.said.iter().flatten().map(|line| line.left as u64).sum();
        [left, self.heard.ledger.dropped()]
    }

    fn crowd(&mut self) -> &mut Crowd {
        &mut self.crowd
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.heard.tally
    }
}

impl Heard {
    /// Lines that the server says clients missed.
    pub(crate) fn missed(&self) -> u64 {
        self.ears.iter().map(|ear| ear.missed).sum()
    }

    pub(crate) fn closed(&self) -> usize {
        self.ears.iter().filter(|ear| ear.is_closed).count()
    }

    /// Whether a client does not know how many lines it did not hear. Of those who `left`, it may
    /// have missed the notices, too.
    pub(crate) fn lacks(&self, client: usize, left: u64) -> Option<String> {
        let Ear { lines, missed, .. } = self.ears[client];
        let lacks = (self.said() - self.said[client].len()) as u64 - lines;
        (!(lacks..=lacks + left).contains(&missed))
            .then(|| format!("client {client} lacks {lacks} lines, and was told {missed}"))
    }

    /// Lines, of all speakers.
    pub(crate) fn said(&self) -> usize {
        self.said.iter().map(Vec::len).sum()
    }

    fn take(&mut self, lines: &mut Lines, client: usize, news: News) -> Result<()> {
        match news {
            News::Bytes(bytes) => {
                self.ears[client].is_welcome = true;
                let now = Instant::now();
                lines.feed(client, bytes, |line| {
                    self.hear(client, if self.is_telnet { shown(line) } else { line }, now);
                    Ok(())
                })?;
            }
            News::Connected(_) => {}
            News::Closed => self.ears[client].is_closed = true,
        }
        Ok(())
    }

    fn hear(&mut self, client: usize, line: &[u8], now: Instant) {
        // Part of an answer of telnet's.
        if self.is_telnet && line.is_empty() {
            return;
        }
        // ncat's own notices: who came, who is here.
        if line.starts_with(b"*** ") || line.starts_with(b"<announce>") {
            self.tally.notices += 1;
            let ear = &mut self.ears[client];
            ear.missed += line.strip_prefix(b"*** you missed ").and_then(count).unwrap_or(0);
            if line.ends_with(b" said here did not reach the other servers") {
                ear.stayed += count(&line[4..]).unwrap_or(0);
            }
            return;
        }
        let Some((speaker, number)) = self.ledger.hear(client, line) else { return };
        let said = &mut self.said[speaker];
        let is_newest = number + 1 == said.len();
        let Some(line) = said.get_mut(number) else { return };
        self.ears[client].lines += 1;
        let delay = now.saturating_duration_since(line.due);
        let crosses = client % self.servers != speaker % self.servers;
        (if crosses { &mut self.tally.across } else { &mut self.tally.delays }).add(delay);
        line.crossed |= crosses;
        line.left -= 1;
        if line.left == 0 {
            self.tally.lasts.add(delay);
            if is_newest {
                self.done.push((speaker, self.at_once));
            }
        }
        if let Some((started, worst)) = &mut self.slots {
            let since = line.due.saturating_duration_since(*started);
            let slot = (since.as_nanos() / SLOT.as_nanos()) as usize;
            worst.resize(worst.len().max(slot + 1), 0.0);
            worst[slot] = worst[slot].max(delay.as_secs_f64() * 1e3);
        }
    }
}

/// Bytes that the kernel holds in each of the server's send queues, where it holds any.
pub(super) fn unsent(job: &Job) -> Result<Vec<u64>> {
    let queues = tcp::sockets(job.address.port())?.into_iter().map(|socket| socket.unsent);
    Ok(queues.filter(|unsent| *unsent > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_lines_is_told_from_lines() {
        let mut talk = Talk::new(2, 2, 56).expect("a crowd");
        talk.heard.servers = 2;
        let line = talk.heard.ledger.line(0, 0);
        let line = format!("<guest1> {}", String::from_utf8_lossy(&line).trim_end());
        talk.heard.said[0].push(Line { due: Instant::now(), left: 1, crossed: false });
        let stayed = "*** 3 lines said here did not reach the other servers";
        let joined = "*** guest3 joined (7 here)";
        for told in
            ["*** you missed 12 lines", "*** you missed 1 line", stayed, joined, &line, &line]
        {
            talk.heard.hear(1, told.as_bytes(), Instant::now());
        }
        let Ear { lines, missed, stayed, .. } = talk.heard.ears[1];
        assert_eq!((lines, missed, stayed), (1, 13, 3));
        assert!(talk.heard.said[0][0].crossed);
        let told = talk.heard.lacks(1, 0).expect("it was told too much");
        assert_eq!(told, "client 1 lacks 0 lines, and was told 13");
        talk.heard.ears[1].missed = 0;
        assert_eq!(talk.heard.lacks(1, 0), None);
        assert_eq!(talk.heard.lacks(0, 0), None, "one's own lines are none of those");
        assert_eq!(talk.heard.ledger.faults().as_deref(), Some("lines: 1 duplicated"));
    }
}
