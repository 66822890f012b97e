//! What this server writes and asks: lines, who is here, numbers and names of guests.

use std::mem::take;

use futures_lite::future::or;

use super::Bridge;
use crate::chat::elsewhere::{Claim, Joint};
use crate::driver::{Timer, elapsed, now};
use crate::relay::commands::{Commands, beats_of, entries_of, integer_of};
use crate::relay::entry::{Entry, Event};
use crate::relay::link::{Cut, Link, expected};
use crate::relay::resp::Reply;
use crate::relay::servers::{BEAT, Beat, EXPIRED, NAMES, SERVERS, letters};

/// Beats within which each chosen name is renewed once, at the latest.
const RENEWAL: usize = 10;

/// Beats for which no numbers are taken of an engine that has forgotten which it gave: by then the
/// other servers have come back, too, and have told it.
const UNSURE: usize = 3;

/// Chosen names that are renewed at each beat, at least.
const RENEWED: usize = 16;

impl Bridge {
    /// Writes until the link breaks, or nobody else has the chat and nothing waits.
    pub(super) async fn write(&self, link: &mut Link) -> Result<(), Cut> {
        let mut next_beat = now();
        loop {
            if now() >= next_beat || self.is_forgotten.get() {
                self.beat(link).await?;
                next_beat = now() + BEAT;
            }
            self.take_numbers(link).await?;
            self.claim_names(link).await?;
            if self.write_lines(link).await? {
                continue;
            }
            self.tell_lost();
            if self.is_over() {
                return Ok(());
            }
            let woken = async {
                let _awake = self.woken.recv().await;
            };
            or(woken, async {
                Timer::at(next_beat).await;
            })
            .await;
        }
    }

    /// Takes letters for this server: those that it has already, or else the first that are free, and
    /// tells the others how many are here. The engine shows by it that it takes what is written,
    /// before anybody is told.
    pub(super) async fn register(&self, link: &mut Link) -> Result<(), Cut> {
        let mut commands = Commands::default();
        self.keys.servers(&mut commands);
        self.keys.read_back(&mut commands, None, 1);
        let replies = link.call(&commands).await?;
        let servers = expected(replies.first().and_then(beats_of))?;
        let was_here = self.last_beat.get().is_some();
        if !was_here {
            let newest = expected(replies.get(1).and_then(entries_of))?;
            self.begin(&servers, newest.first().map(|(id, _)| *id).unwrap_or_default());
        }
        if let Some((own, _)) = servers.iter().find(|(_, beat)| beat.origin == self.origin) {
            // It may not have learned that it was given them.
            self.joint.borrow_mut().letters.clone_from(own);
        } else {
            self.is_forgotten.set(self.is_forgotten.get() || was_here);
            self.come_new();
            let former = was_here.then(|| self.letters());
            let free = (0..SERVERS).map(letters);
            let free = free.filter(|it| servers.iter().all(|(of, _)| of != it));
            self.claim_letters(link, former.into_iter().chain(free)).await?;
        }
        let mut commands = Commands::default();
        let Beat { origin, said, here, .. } = self.add_beat(&mut commands);
        let event = Event::Crowd { joined: 0, left: 0 };
        self.keys.write(&mut commands, &Entry { origin, said, here, event });
        self.keys.keep_servers(&mut commands);
        link.call(&commands).await?;
        self.last_beat.set(Some(self.last_beat.get().unwrap_or_else(now)));
        // The other servers first have it pass over those that they know of.
        if self.is_forgotten.get() { Ok(()) } else { self.take_numbers(link).await }
    }

    async fn claim_letters(
        &self,
        link: &mut Link,
        wanted: impl Iterator<Item = String>,
    ) -> Result<(), Cut> {
        for letters in wanted {
            let mut commands = Commands::default();
            let present = self.present(&self.joint.borrow(), 0);
            self.keys.claim_letters(&mut commands, &letters, &present);
            let replies = link.call(&commands).await?;
            if integer(&replies, 0)? == 1 {
                self.joint.borrow_mut().letters = letters;
                return Ok(());
            }
        }
        Err(Cut::Refused(format!("the room has {SERVERS} servers already")))
    }

    /// Says that this server is there, and learns who else is.
    async fn beat(&self, link: &mut Link) -> Result<(), Cut> {
        let read = self.position.get();
        let mut commands = Commands::default();
        self.add_beat(&mut commands);
        self.keys.servers(&mut commands);
        self.keys.read_back(&mut commands, None, 1);
        self.keys.keep_servers(&mut commands);
        self.renew_names(&mut commands);
        let replies = link.call(&commands).await?;
        let is_forgotten = self.is_forgotten.get() || integer(&replies, 0)? == 1;
        self.is_forgotten.set(is_forgotten);
        // The others forget one that was cut off for so long.
        let was_known = self.last_beat.get().is_some_and(|last| elapsed(last) < EXPIRED);
        let mut servers = expected(replies.get(1).and_then(beats_of))?;
        let newest = expected(replies.get(2).and_then(entries_of))?;
        let newest = newest.first().map(|(id, _)| *id).unwrap_or_default();
        if is_forgotten && was_known || newest < read {
            log::warn!("{} has lost its log", self.relay.engine);
            self.chat
                .say("*** the servers' log is lost; one that starts now begins without a past");
            self.position.set(newest.min(read));
        }
        let strangers = self.strangers.take();
        if strangers > 0 {
            log::warn!("skipped {strangers} entries of the log that no chat server wrote");
        }
        servers.retain(|(_, beat)| beat.origin != self.origin);
        self.is_behind.set(self.lacks_lines(&servers));
        let changes = self.joint.borrow_mut().servers.update(servers, now());
        for (letters, guests) in changes.gone {
            let here = self.chat.here();
            self.chat
                .say(&format!("*** server {letters} is gone, and {guests} with it ({here} here)"));
        }
        let mut commands = Commands::default();
        self.unsure.set(self.unsure.get().saturating_sub(1));
        if is_forgotten {
            // Once each server has done so, none is given again of those that were.
            self.unsure.set(UNSURE);
            self.come_new();
            self.add_beat(&mut commands);
            let highest = self.joint.borrow().numbers.highest();
            self.keys.guest_numbers(&mut commands, highest);
        }
        changes.expired.iter().for_each(|letters| self.keys.free_letters(&mut commands, letters));
        link.call(&commands).await?;
        self.is_forgotten.set(false);
        self.last_beat.set(Some(now()));
        Ok(())
    }

    fn lacks_lines(&self, servers: &[(String, Beat)]) -> bool {
        let inbox = self.inbox.borrow();
        servers.iter().any(|(_, beat)| inbox.lacks(beat.origin, beat.said))
    }

    /// Writes a part of what waits, oldest first; false if nothing does.
    async fn write_lines(&self, link: &mut Link) -> Result<bool, Cut> {
        let Some((commands, entries)) = self.batch() else { return Ok(false) };
        let replies = link.call(&commands).await?;
        self.joint.borrow_mut().outbox.written(entries);
        self.has_written.set(true);
        if integer(&replies, entries)? == 1 {
            self.is_forgotten.set(true);
        }
        Ok(true)
    }

    /// Tells people how much of what they said never crosses.
    pub(super) fn tell_lost(&self) {
        let lost = self.joint.borrow_mut().outbox.take_lost();
        if lost > 0 {
            let s = if lost == 1 { "" } else { "s" };
            self.chat.say(&format!("*** {lost} line{s} said here did not reach the other servers"));
        }
    }

    fn batch(&self) -> Option<(Commands, usize)> {
        let joint = &mut *self.joint.borrow_mut();
        let entries = joint.outbox.batch();
        let count = entries.len();
        if count == 0 {
            return None;
        }
        let mut commands = Commands::default();
        entries.for_each(|entry| self.keys.write(&mut commands, entry));
        // Behind the lines, so that none is counted as lost that only comes later.
        self.keys.beat(&mut commands, &joint.letters, &self.present(joint, count));
        Some((commands, count))
    }

    async fn take_numbers(&self, link: &mut Link) -> Result<(), Cut> {
        let wanted = self.joint.borrow().numbers.wanted();
        let is_sure = self.unsure.get() == 0 && !self.is_forgotten.get();
        let Some(count) = wanted.filter(|_| is_sure) else { return Ok(()) };
        let mut commands = Commands::default();
        // First, to learn whether the engine has forgotten all since the last beat.
        self.add_beat(&mut commands);
        self.keys.guest_numbers(&mut commands, count);
        let replies = link.call(&commands).await?;
        if integer(&replies, 0)? == 1 {
            self.is_forgotten.set(true);
            return Ok(());
        }
        let last = u64::try_from(integer(&replies, 1)?).unwrap_or(0);
        self.joint.borrow_mut().numbers.add(last, count);
        Ok(())
    }

    /// Asks for the names that newcomers have chosen, and gives back those of guests who left.
    async fn claim_names(&self, link: &mut Link) -> Result<(), Cut> {
        let (claims, freed) = {
            let mut joint = self.joint.borrow_mut();
            (take(&mut joint.claims), take(&mut joint.freed))
        };
        if claims.is_empty() && freed.is_empty() {
            return Ok(());
        }
        let mut commands = Commands::default();
        let letters = self.letters();
        freed.iter().for_each(|name| self.keys.free_name(&mut commands, name));
        claims.iter().for_each(|it| self.keys.claim_name(&mut commands, &it.name, &letters));
        let replies = link.call(&commands).await?;
        for (Claim { name, free }, reply) in claims.into_iter().zip(&replies[freed.len()..]) {
            let is_free = *reply != Reply::Nil;
            let is_awaited = free.try_send(is_free).is_ok();
            let mut joint = self.joint.borrow_mut();
            match (is_free, is_awaited) {
                (true, true) => drop(joint.chosen.insert(name)),
                (true, false) => joint.freed.push(name),
                (false, _) => {}
            }
        }
        Ok(())
    }

    /// Renews a part of the chosen names of the guests who are here.
    fn renew_names(&self, commands: &mut Commands) {
        let joint = self.joint.borrow();
        let part = joint.chosen.len().div_ceil(RENEWAL).max(RENEWED);
        let mut first = self.renewed.get();
        if first >= joint.chosen.len() {
            first = 0;
        }
        self.renewed.set(first + part);
        let names = joint.chosen.iter().skip(first).take(part);
        names.for_each(|name| self.keys.renew_name(commands, name, &joint.letters));
    }

    fn add_beat(&self, commands: &mut Commands) -> Beat {
        let joint = self.joint.borrow();
        let beat = self.present(&joint, 0);
        self.keys.beat(commands, &joint.letters, &beat);
        beat
    }

    /// What this server says of itself once so many entries of its outbox are written.
    fn present(&self, joint: &Joint, written: usize) -> Beat {
        self.beats.set(self.beats.get() + 1);
        let here = self.chat.0.participants.borrow();
        let names = here.iter().map(|(_, guest)| guest.name().to_owned()).take(NAMES).collect();
        Beat {
            origin: self.origin,
            number: self.beats.get(),
            earlier: self.earlier.get(),
            said: joint.outbox.settled(written),
            here: here.len() as u64,
            names,
        }
    }

    /// The engine comes to know this server only now.
    fn come_new(&self) {
        self.earlier.set(self.joint.borrow().outbox.settled(0));
    }

    fn letters(&self) -> String {
        self.joint.borrow().letters.clone()
    }
}

/// The number that a command was replied to with.
fn integer(replies: &[Reply], command: usize) -> Result<i64, Cut> {
    expected(replies.get(command).and_then(integer_of))
}
