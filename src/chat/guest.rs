//! One client in the chat: comes in, speaks, goes.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::thread::panicking;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::events::Event as ChatEvent;
use super::presence::{SUMMARY, Telling};
use super::question::Said;
use super::{BROKEN_HINT, Chat, farewell, history};
use crate::client::rate_limit::Usage;
use crate::client::reader::Reader;
use crate::client::telnet::{Event, TIMING_MARK_REPLY};
use crate::client::writer::{missed_notice, pump};
use crate::driver::Timer;
use crate::room::Member;
use crate::server::connection::Connection;
use crate::server::listener::subscriber;
use crate::server::stats::CloseReason;
use crate::text;

/// Pause of a client that speaks while it leaves half the log unread, before it is looked at
/// again.
const BACKLOG_PAUSE: Duration = Duration::from_millis(100);

/// On a line of its own, since the client's terminal stands behind what was typed before ^C.
const INTERRUPT_HINT: &[u8] = b"\r\n*** ^C again to leave\r\n";

/// Words that are commands elsewhere, with which people try to leave or to find help.
const COMMANDS: [&str; 8] = ["/quit", "/exit", "/q", "/bye", "/leave", "/help", "/who", "/nick"];

const COMMANDS_HINT: &[u8] = b"*** there are no commands here, all read what you write. To leave: \
                              ^C twice in telnet, ^C in nc, or close the window\r\n";

/// A client in the chat; dropped, it has left, and the others know.
pub(super) struct Guest {
    chat: Chat,
    connection: Connection,
    member: Member,
    name: Rc<str>,
    /// Where its name stands.
    place: usize,
    /// Why it goes, once it says so: it may panic, or be dropped by a server that goes down.
    reason: Cell<Option<CloseReason>>,
}

/// Help that a guest was given already.
#[derive(Default)]
struct Hinted {
    broken: bool,
    commands: bool,
}

impl Guest {
    /// Brings the client in.
    pub(super) fn enter(chat: Chat, connection: Connection, name: Rc<str>) -> Guest {
        connection.set_name(name.clone());
        log::info!(peer:% = connection.peer(), name = &*name; "joined");
        let here = chat.0.names.borrow().count() + 1;
        let telling = chat.0.presence.borrow_mut().join(here, Instant::now());
        announce(&chat, &connection, telling, || {
            format!("{}*** {name} joined ({here} here)", chat.stamp())
        });
        let member = chat.0.room.join();
        let place = chat.0.names.borrow_mut().enter(name.clone(), connection.clone());
        chat.0.feed.send(|| ChatEvent::Joined { name: name.to_string() });
        Guest { chat, connection, member, name, place, reason: Cell::default() }
    }

    /// What writes to the client: welcome, message of the day, history, then the talk. It must
    /// be made before the guest says anything.
    pub(super) fn writer(&self) -> impl Future<Output = Result<(), CloseReason>> + 'static {
        let (chat, connection) = (self.chat.clone(), self.connection.clone());
        let member = self.member.clone();
        let welcome = chat.0.names.borrow().welcome(self.place);
        let past = chat.0.room.history(chat.0.config.history);
        // In a box: it is over soon, and every client holds this future.
        let greeting = Box::pin(async move {
            connection.write_all(welcome.as_bytes()).await?;
            if let Some(motd) = &chat.0.config.motd {
                connection.write_all(motd.as_bytes()).await?;
            }
            history::tell(&chat, &connection, &past).await?;
            Ok((connection, member))
        });
        async move {
            let (connection, member) = greeting.await?;
            pump(connection, member, missed_notice).await
        }
    }

    /// Relays the client's lines until its end; `Ok` is one that left.
    pub(super) fn listen(
        &self,
        input: &mut Reader,
    ) -> impl Future<Output = Result<(), CloseReason>> {
        let (mut interrupted, mut hinted) = (false, Hinted::default());
        // A block and not an `async fn`, whose future would hold its arguments twice.
        async move {
            while let Some(event) = input.next().await? {
                match event {
                    Event::Line => {
                        interrupted = false;
                        let floor = &self.chat.0.floor;
                        if floor.is_closed(true) && floor.is_closed(input.says_much()) {
                            input.release();
                            Box::pin(floor.wait(input.says_much())).await;
                        }
                        self.say(input.line());
                        self.hint(input, &mut hinted);
                        if self.is_far_behind() {
                            Box::pin(self.catch_up(input)).await?;
                        }
                    }
                    Event::Reply(bytes) => {
                        self.answer(&bytes);
                        // Telnet throws away what it reads between its ^C and this answer.
                        if interrupted && bytes == TIMING_MARK_REPLY {
                            self.answer(INTERRUPT_HINT);
                        }
                    }
                    Event::AreYouThere => {
                        // Half a line is known of a client that sends each key at once.
                        let typed = !input.unfinished().is_empty();
                        self.answer(if typed { b"\r\n" } else { b"" });
                        self.answer(b"*** yes, still here\r\n");
                    }
                    Event::Interrupt if interrupted => return Ok(()),
                    Event::Interrupt => {
                        interrupted = true;
                        self.answer(INTERRUPT_HINT);
                    }
                    Event::Leave => return Ok(()),
                }
            }
            self.say(input.unfinished());
            Ok(())
        }
    }

    /// Says what a program said that was asked for a name.
    pub(super) fn say_at_once(&self, said: Said, input: &Reader) {
        self.say(&said.line);
        if said.and_next {
            self.say(input.line());
        }
    }

    /// Helps one whose line shows that it needs it: each help is given once, and to it alone.
    fn hint(&self, input: &Reader, hinted: &mut Hinted) {
        let line = input.line();
        if !hinted.broken && !input.is_telnet() && text::has_broken_character(line) {
            hinted.broken = true;
            self.answer(BROKEN_HINT);
        }
        let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
        let is_command =
            |word: &&[u8]| COMMANDS.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
        if !hinted.commands && first.is_some_and(|word| is_command(&word)) {
            hinted.commands = true;
            self.answer(COMMANDS_HINT);
        }
    }

    /// Has the chat remember what it used of its pace, for when it comes again.
    pub(super) fn remember(&self, usage: Usage) {
        let subscriber = subscriber(self.connection.peer().ip());
        self.chat.0.returning.borrow_mut().note(subscriber, usage, Instant::now());
    }

    /// Goes: from here on nothing new reaches the client but its farewell.
    pub(super) fn leave(self, reason: CloseReason) {
        if let Some(farewell) = farewell(reason) {
            self.answer(farewell.as_bytes());
        } else if let Some(why) = self.chat.0.removals.borrow().get(&self.place) {
            self.answer(format!("*** you were removed: {why}\r\n").as_bytes());
        }
        self.reason.set(Some(reason));
    }

    /// Publishes a line of the client, if anything of it can be shown.
    fn say(&self, line: &[u8]) {
        let mut said = self.chat.stamp();
        said.extend(["<", &self.name, "> "]);
        let prefix = said.len();
        text::clean(line, &mut said);
        if text::is_visible(&said[prefix..]) {
            if self.chat.0.config.ascii {
                said = text::to_ascii(&said);
            }
            self.connection.stats().lines_in.add(1);
            if let Some(calendar) = &self.chat.0.calendar {
                calendar.borrow_mut().said(self.chat.0.room.next(), Timestamp::now());
            }
            self.chat.0.feed.send(|| {
                let text = said[prefix..].to_owned();
                ChatEvent::Said { name: self.name.to_string(), text }
            });
            self.chat.0.floor.add(said.len());
            self.member.publish_clean(&said);
        }
    }

    /// Reads nothing of one that leaves half of the log unread: it would push out what others still
    /// have to read.
    async fn catch_up(&self, input: &mut Reader) -> Result<(), CloseReason> {
        while self.is_far_behind() {
            if self.connection.is_full() {
                input.pause(BACKLOG_PAUSE).await?;
            } else {
                // Only its own writer is late.
                input.give_way().await?;
            }
        }
        Ok(())
    }

    fn is_far_behind(&self) -> bool {
        self.member.unread() > self.chat.0.config.backlog_bytes / 2
    }

    /// One that does not even read the answers to its own requests loses them.
    fn answer(&self, bytes: &[u8]) {
        let _too_many_unread = self.member.tell(bytes);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Chat(chat) = &self.chat;
        chat.names.borrow_mut().leave(self.place);
        self.member.leave();
        let removed = chat.removals.borrow_mut().remove(&self.place);
        let dropped = if panicking() { CloseReason::Failed } else { CloseReason::GoingDown };
        let reason = self.reason.get().unwrap_or(dropped);
        chat.feed.send(|| ChatEvent::Left { name: self.name.to_string(), reason });
        if reason == CloseReason::GoingDown {
            return;
        }
        let here = chat.names.borrow().count();
        let telling = chat.presence.borrow_mut().leave(here, Instant::now());
        announce(&self.chat, &self.connection, telling, || {
            let why = match (reason, removed) {
                (CloseReason::Left, _) => String::new(),
                (CloseReason::Removed, Some(why)) => format!(" ({why})"),
                (reason, _) => format!(" ({reason})"),
            };
            format!("{}*** {} left{why}", self.chat.stamp(), self.name)
        });
    }
}

fn announce(
    chat: &Chat,
    connection: &Connection,
    telling: Telling,
    single: impl FnOnce() -> String,
) {
    match telling {
        Telling::Single => chat.0.room.publish(single()),
        Telling::Counted => {}
        Telling::Begun => {
            let chat = chat.clone();
            let summary = async move {
                Timer::after(SUMMARY).await;
                let summary = chat.0.presence.borrow_mut().summary(chat.0.names.borrow().count());
                summary.inspect(|line| chat.0.room.publish(chat.stamp() + line));
            };
            connection.spawn_detached(summary);
        }
    }
}
