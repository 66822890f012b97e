//! What the other servers wrote, brought into the room.

use std::convert::Infallible;
use std::time::Duration;

use futures_lite::future::yield_now;

use super::Bridge;
use crate::chat::Event as ChatEvent;
use crate::chat::presence::{Change, Telling};
use crate::client::writer::missed_notice;
use crate::driver::{elapsed, now};
use crate::moment::Moment;
use crate::relay::commands::{BATCH, Commands, Entries, beats_of, entries_of, read_entries};
use crate::relay::entry::{Entry, Event, Id};
use crate::relay::inbox::Inbox;
use crate::relay::link::{Cut, Link, expected};
use crate::relay::servers::Beat;
use crate::server::limits::BUDGET;

/// Time after which the engine has answered a read that found nothing; if it took longer, this
/// server or the engine stood still, and the log may have gone on without it.
const LATE: Duration = Duration::from_secs(1);

/// Parts of the log that are looked through for the history, at most.
const PARTS: usize = 10;

impl Bridge {
    /// The engine shows that it lets itself be read.
    pub(super) async fn ask_to_read(&self, link: &mut Link) -> Result<(), Cut> {
        let mut commands = Commands::default();
        self.keys.read(&mut commands, Id::END, false);
        link.call(&commands).await.map(drop)
    }

    /// Reads until the link breaks.
    pub(super) async fn read(&self, link: &mut Link) -> Result<Infallible, Cut> {
        self.catch_up(link).await?;
        let (engine, room) = (&self.relay.engine, self.relay.room.as_str());
        log::info!(engine:%, room; "shares its room");
        loop {
            let asked = now();
            let is_full = self.read_once(link).await?;
            if self.is_behind.take() || is_full || elapsed(asked) > LATE {
                while self.read_rest(link, false).await? {}
            }
        }
    }

    /// Reads what was written before: the history at first, and after a cut what came meanwhile.
    async fn catch_up(&self, link: &mut Link) -> Result<(), Cut> {
        if let Some(end) = self.past.get() {
            self.read_history(link, end).await?;
            self.past.set(None);
        }
        while self.read_rest(link, true).await? {}
        Ok(())
    }

    /// Waits for entries; true when there may be more already.
    async fn read_once(&self, link: &mut Link) -> Result<bool, Cut> {
        let mut commands = Commands::default();
        self.keys.read(&mut commands, self.position.get(), true);
        let replies = link.call(&commands).await?;
        let entries = expected(replies.first().and_then(read_entries))?;
        let is_full = entries.len() == BATCH;
        self.take(entries, false).await;
        Ok(is_full)
    }

    /// Reads entries that are there already, and after the last of them finds out how many lines
    /// were dropped before they could be read. True when there may be more.
    async fn read_rest(&self, link: &mut Link, only_lines: bool) -> Result<bool, Cut> {
        let mut commands = Commands::default();
        // In this order: lines that come between the two are in the second.
        self.keys.servers(&mut commands);
        self.keys.read(&mut commands, self.position.get(), false);
        let replies = link.call(&commands).await?;
        let beats = expected(replies.first().and_then(beats_of))?;
        let entries = expected(replies.get(1).and_then(read_entries))?;
        let is_full = entries.len() == BATCH;
        self.take(entries, only_lines).await;
        if !is_full {
            let lost = self.settle(&beats);
            self.tell_missed(lost);
        }
        Ok(is_full)
    }

    /// Begins to read: what stands in the log is the past, and no loss. Nothing of it is this
    /// server's own.
    pub(super) fn begin(&self, beats: &[(String, Beat)], newest: Id) {
        self.position.set(newest);
        self.past.set(Some(newest));
        self.inbox.take();
        let _before = self.settle(beats);
    }

    /// Fills the history of the room with the last lines of the log up to `end`.
    async fn read_history(&self, link: &mut Link, mut end: Id) -> Result<(), Cut> {
        let wanted = self.chat.0.config.history;
        let mut lines = Vec::new();
        for _ in 0..PARTS {
            let mut commands = Commands::default();
            self.keys.read_back(&mut commands, Some(end), BATCH);
            let replies = link.call(&commands).await?;
            let part = expected(replies.first().and_then(entries_of))?;
            let oldest = part.last().and_then(|(id, _)| id.before());
            let entries = part.into_iter().filter_map(|(id, entry)| Some((id, entry?)));
            let said = |entry: &Entry| matches!(entry.event, Event::Said { .. });
            lines.extend(entries.filter(|(_, it)| said(it)));
            match oldest {
                Some(oldest) if lines.len() < wanted => end = oldest,
                _ => break,
            }
        }
        lines.reverse();
        // What was written twice is read once.
        let mut once = Inbox::default();
        lines.retain(|(_, entry)| once.take(entry).is_some());
        for (_, entry) in &lines {
            // Also what came between the beats and this.
            let _before = self.inbox.borrow_mut().take(entry);
        }
        self.tell_history(&lines[lines.len().saturating_sub(wanted)..]);
        Ok(())
    }

    fn tell_history(&self, lines: &[(Id, Entry)]) {
        let is_read = !lines.is_empty() && !self.chat.0.participants.borrow().is_empty();
        if is_read {
            let last = match lines.len() {
                1 => "line".to_owned(),
                count => format!("{count} lines"),
            };
            self.chat.say(&format!("*** the last {last} of the other servers:"));
        }
        for (id, entry) in lines {
            if let Event::Said { name, text } = &entry.event {
                self.publish(name, text, moment(*id));
            }
        }
        if is_read {
            self.chat.say("*** now:");
        }
    }

    /// Brings entries into the room; after a cut only the lines, since who came and went meanwhile
    /// is in the counts.
    async fn take(&self, entries: Entries, only_lines: bool) {
        for (n, (id, entry)) in entries.into_iter().enumerate() {
            // Before it counts as read: a cut may end this wait.
            self.chat.0.floor.wait(true).await;
            self.position.set(id);
            match entry {
                None => self.strangers.set(self.strangers.get() + 1),
                Some(entry) if entry.origin == self.origin => {}
                Some(entry) => self.take_entry(entry, only_lines),
            }
            if n % BUDGET == BUDGET - 1 {
                yield_now().await;
            }
        }
    }

    fn take_entry(&self, entry: Entry, only_lines: bool) {
        let Some(lost) = self.inbox.borrow_mut().take(&entry) else { return };
        self.tell_missed(lost);
        if !only_lines {
            self.joint.borrow_mut().servers.note(&entry, now());
        }
        let (change, words) = match entry.event {
            Event::Said { name, text } => return self.publish(&name, &text, Moment::now()),
            _ if only_lines => return,
            Event::Joined { name } => {
                (Change::Joined, format!("*** {name} joined ({} here)", self.chat.here()))
            }
            Event::Left { name, words } => (Change::Left, format!("*** {name} {words}")),
            Event::Crowd { joined, left } => {
                return self.presence.borrow_mut().note_crowd(joined, left);
            }
        };
        let telling = self.presence.borrow_mut().note(change, self.chat.here(), now());
        if telling == Telling::Single {
            self.chat.say(&words);
        }
    }

    /// Publishes a line that was said at another server.
    fn publish(&self, name: &str, text: &str, at: Moment) {
        let chat = &self.chat;
        let mut line = chat.stamp(at);
        line.extend(["<", name, "> ", text]);
        let line = chat.shown(line);
        if let Some(calendar) = &chat.0.calendar {
            calendar.borrow_mut().said(chat.0.room.next(), at);
        }
        chat.0.feed.send(|| ChatEvent::Said { name: name.to_owned(), text: text.to_owned() });
        chat.0.floor.add(line.len());
        chat.0.room.publish_said(&line);
    }

    /// All that the servers wrote up to these beats is read: how many lines of it are lost.
    fn settle(&self, beats: &[(String, Beat)]) -> u64 {
        let mut inbox = self.inbox.borrow_mut();
        let others = beats.iter().filter(|(_, beat)| beat.origin != self.origin);
        let lost = others.map(|(_, beat)| inbox.settle(beat.origin, beat.earlier, beat.said));
        lost.fold(0, u64::saturating_add)
    }

    fn tell_missed(&self, lines: u64) {
        if lines > 0 {
            self.chat.say(missed_notice(lines).trim_end());
        }
    }
}

/// When an entry was written, by the engine's clock.
fn moment(id: Id) -> Moment {
    let since = Duration::from_millis(id.milliseconds);
    let time = std::time::UNIX_EPOCH.checked_add(since);
    time.map_or_else(Moment::now, Moment::from)
}
