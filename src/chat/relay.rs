//! Joins a chat's room with those of other servers, over the log that an engine keeps.
//!
//! ```text
//! guest says a line ► own room, at once
//!                   ► outbox ► XADD ► log ► XREAD ► inbox ► room of each other server
//! ```
//!
//! One task and two connections: one that writes and asks, one that waits for what the others write.
//! No guest's task waits for either; only a newcomer who chose a name waits for the answer. What
//! people on one server say to each other never passes through the engine, so that their talk goes
//! on as ever while it is slow or gone.

mod reading;
mod writing;

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use futures_lite::future::or;

use super::Chat;
use super::elsewhere::Shared;
use super::presence::{self, Presence};
use crate::driver::{Timer, elapsed, now};
use crate::relay::Relay;
use crate::relay::commands::{Commands, Keys};
use crate::relay::entry::{Id, Origin};
use crate::relay::inbox::Inbox;
use crate::relay::link::{Cut, Link, Waits};

/// Time without an answer after which the engine counts as gone, with [`TICK`] two seconds.
const STALL: Duration = Duration::from_millis(1500);

/// How often the links are looked at, and the crowds of other servers are summed up.
const TICK: Duration = Duration::from_millis(500);

/// Pause before the first attempt to connect again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Chat {
    /// Joins the room with those of all chats that have a relay with the same engine and room, for
    /// as long as this future runs; give it to the executor that serves the chat. It needs the cargo
    /// feature `relay`.
    ///
    /// ```no_run
    /// use smol_servers::{Chat, EngineAddress, Relay};
    ///
    /// fn share(chat: &Chat, executor: &smol::LocalExecutor<'static>) -> smol::Task<()> {
    ///     let engine = EngineAddress::Tcp(([127, 0, 0, 1], 6379).into());
    ///     executor.spawn(chat.relay(Relay { engine, room: "lobby".to_owned(), password: None }))
    /// }
    /// ```
    ///
    /// It never fails. An engine that cannot be reached, refuses a command, or does not answer for
    /// 2 s is a cut: people and the log are told, the chat goes on by itself, and this tries again
    /// after a pause that grows from 0.1 to 5 s, of which up to half is taken off by chance. What
    /// people say meanwhile waits, up to 256 lines and 64 KiB of text; how many more there were is
    /// told on both sides. Begin it before the first guest comes: names that were given before may be
    /// those of others elsewhere.
    ///
    /// It ends at once if the chat has a relay already, and else when nobody but the relay has the
    /// chat any more and the engine has all that was said in it: a few milliseconds later as a rule,
    /// and not before it is back if it is gone and lines wait for it. If it is dropped before, the
    /// chat is by itself again, and lines that wait are lost, which is logged.
    ///
    /// What people say reaches all servers, each author's lines in order; what the host says, by
    /// whatever function, stays on this one. [`Chat::events`] tells of lines that were said
    /// elsewhere, but not of who comes and goes there, and [`Chat::participants`] are those here.
    pub fn relay(&self, relay: Relay) -> impl Future<Output = ()> + use<> {
        let origin = Origin(random());
        let begun = self.0.elsewhere.begin(origin);
        let bridge = begun.map(|(joint, woken)| Bridge {
            keys: Keys::new(&relay.room),
            chat: self.clone(),
            joint,
            relay,
            origin,
            woken,
            inbox: RefCell::default(),
            position: Cell::default(),
            past: Cell::default(),
            presence: RefCell::default(),
            is_behind: Cell::default(),
            is_forgotten: Cell::default(),
            has_written: Cell::default(),
            strangers: Cell::default(),
            beats: Cell::default(),
            earlier: Cell::default(),
            renewed: Cell::default(),
            unsure: Cell::default(),
            last_beat: Cell::default(),
        });
        async move {
            if let Some(bridge) = bridge {
                bridge.run().await;
            }
        }
    }
}

/// What is between the room and the log.
struct Bridge {
    chat: Chat,
    joint: Shared,
    relay: Relay,
    keys: Keys,
    /// This server, in the log.
    origin: Origin,
    /// Has a message when there is something for the engine.
    woken: Receiver<()>,
    inbox: RefCell<Inbox>,
    /// The last entry read.
    position: Cell<Id>,
    /// The last entry of the history, until that is read.
    past: Cell<Option<Id>>,
    /// Who came and went elsewhere.
    presence: RefCell<Presence>,
    /// Set when others have said lines that were not read here yet, and may be lost.
    is_behind: Cell<bool>,
    /// Set when the engine does not know this server any more, so that it has lost its log too.
    is_forgotten: Cell<bool>,
    /// Set once the engine has taken a line.
    has_written: Cell<bool>,
    /// Entries that no chat server wrote.
    strangers: Cell<u64>,
    /// How often this server has said that it is there.
    beats: Cell<u64>,
    /// Those of its lines that were in the log, or never will be, when the engine came to know it.
    earlier: Cell<u64>,
    /// Chosen names that were renewed since this began anew with the first.
    renewed: Cell<usize>,
    /// Beats left in which the engine may give a number again.
    unsure: Cell<usize>,
    /// When this server said last that it is there; `None` before it has letters.
    last_beat: Cell<Option<Instant>>,
}

impl Bridge {
    async fn run(&self) {
        let (mut pause, mut told) = (FIRST_PAUSE, String::new());
        loop {
            let waits = [Waits::default(), Waits::default()];
            let begun = now();
            let ended = or(self.session(&waits), async { Err(self.watch(&waits).await) }).await;
            let Err(cut) = ended else { return };
            let was_together = self.cut_off();
            // Not where it takes what is tried at first and refuses something later, over and over.
            if self.has_written.take() || was_together && elapsed(begun) > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let why = cut.to_string();
            if was_together || why != told {
                log::warn!("cut off from the other servers by {}: {why}", self.relay.engine);
                told = why;
            }
            // Half of it by chance, so that not all servers come back at once.
            let by_chance = random() as u32 as f32 / u32::MAX as f32;
            let over = Timer::after(pause.mul_f32(0.5 + by_chance / 2.0));
            or(self.until_done(), async move {
                over.await;
            })
            .await;
            if self.is_done() {
                return;
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Connects, and relays until it is cut off, or the chat is over and all of it written.
    async fn session(&self, waits: &[Waits; 2]) -> Result<(), Cut> {
        let mut writer = self.open(&waits[0]).await?;
        let mut reader = self.open(&waits[1]).await?;
        self.ask_to_read(&mut reader).await?;
        self.register(&mut writer).await?;
        self.come_together();
        or(self.write(&mut writer), async { self.read(&mut reader).await.map(drop) }).await
    }

    async fn open(&self, waits: &Waits) -> Result<Link, Cut> {
        let mut link = Link::open(&self.relay.engine, waits.clone())?;
        let mut commands = Commands::default();
        match &self.relay.password {
            Some(password) => commands.add(&[b"AUTH", password.as_bytes()]),
            None => commands.add(&[b"PING"]),
        }
        link.call(&commands).await?;
        Ok(link)
    }

    /// Notices an engine that does not answer, and tells of crowds elsewhere.
    async fn watch(&self, waits: &[Waits; 2]) -> Cut {
        let mut told = now();
        loop {
            Timer::after(TICK).await;
            let is_late = |since: Instant| elapsed(since) > STALL;
            if waits.iter().any(|link| link.get().is_some_and(is_late)) {
                return Cut::Stalled;
            }
            if elapsed(told) >= presence::SUMMARY {
                told = now();
                let unsaid = self.presence.borrow_mut().take_unsaid();
                let summary = presence::summary(unsaid, self.chat.here());
                summary.inspect(|line| self.chat.say(line));
            }
        }
    }

    /// Whether nobody but this relay has the chat any more.
    fn is_over(&self) -> bool {
        Rc::strong_count(&self.chat.0) == 1
    }

    /// Whether it is over, and nothing waits to be written.
    fn is_done(&self) -> bool {
        self.is_over() && self.joint.borrow().outbox.lines() == 0
    }

    async fn until_done(&self) {
        while !self.is_done() && self.woken.recv().await.is_ok() {}
    }

    /// Tells people that they are among themselves; true if they were not before.
    fn cut_off(&self) -> bool {
        let mut joint = self.joint.borrow_mut();
        joint.servers.clear();
        joint.outbox.forget_presence();
        // Who waits for an answer enters under a name that is free for certain; a name that is no
        // longer renewed is free by itself.
        joint.claims.clear();
        joint.freed.clear();
        let before = joint.is_together.replace(false);
        drop(joint);
        if before != Some(false) {
            let here = self.chat.0.participants.borrow().len();
            let who = match here {
                0 | 1 => "nobody else reads you".to_owned(),
                here => format!("only the {here} here read you"),
            };
            self.chat.say(&format!("*** cut off from the other servers; {who}"));
        }
        before == Some(true)
    }

    fn come_together(&self) {
        let before = self.joint.borrow_mut().is_together.replace(true);
        if before == Some(false) {
            self.chat.say("*** together with the other servers again");
        }
        self.tell_lost();
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // Besides this one, only the relay may have it.
        if Rc::strong_count(&self.0) == 2 {
            self.0.elsewhere.wake();
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let lost = self.joint.borrow().outbox.lines();
        if lost > 0 {
            log::warn!("ends before {} has {lost} lines that were said here", self.relay.engine);
        }
        self.chat.0.elsewhere.end();
    }
}

/// A number that no other server has, nor this one in another run.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
