//! One person in the chat: comes in, speaks, goes.

use std::future::Future;
use std::thread::panicking;
use std::time::Duration;

use futures_lite::future::yield_now;

use super::events::Event as ChatEvent;
use super::presence::{self, Change, SUMMARY, Telling};
use super::{BROKEN_HINT, Chat, Participant, farewell, history, names, rest};
use crate::client::GOODBYE;
use crate::client::reader::Reader;
use crate::client::telnet::{Event, TIMING_MARK_REPLY};
use crate::client::writer::{missed_notice, pump_to};
use crate::driver::{Timer, now};
use crate::moment::Moment;
use crate::room::Member;
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;
use crate::text;

/// Pause of a guest that speaks while it leaves half the backlog unread, before that is looked at
/// again.
const BACKLOG_PAUSE: Duration = Duration::from_millis(100);

/// On a line of its own, since the client's terminal stands behind what was typed before ^C.
const INTERRUPT_HINT: &str = "\r\n*** ^C again to leave\r\n";

/// Words that are commands elsewhere, with which people try to leave or to find help.
const COMMANDS: [&str; 8] = ["/quit", "/exit", "/q", "/bye", "/leave", "/help", "/who", "/nick"];

const COMMANDS_HINT: &[u8] = b"*** there are no commands here, all read what you write. To leave: \
                              ^C twice in telnet, ^C in nc, or close the window\r\n";

/// A client in the chat; dropped, it has left, and the others know.
pub(super) struct Guest {
    chat: Chat,
    member: Member,
    input: Reader,
    /// Its key among the chat's participants.
    place: usize,
    /// Why it goes, once it says so; it may also panic, or be dropped by a server that goes down.
    reason: Option<CloseReason>,
}

/// Hints that a guest was given already.
#[derive(Default)]
struct Hinted {
    broken: bool,
    commands: bool,
}

impl Guest {
    /// Brings the client in.
    pub(super) fn enter(chat: Chat, input: Reader, name: String) -> Guest {
        let connection = input.connection().clone();
        connection.set_name(name);
        let (peer, name) = (connection.peer(), connection.name());
        log::info!(peer:%, name; "joined");
        let terminal = input.terminal().clone();
        terminal.forget();
        let participant = Participant { connection: connection.clone(), terminal };
        let place = chat.0.participants.borrow_mut().insert(participant);
        announce(&chat, &connection, Change::Joined, "joined");
        let member = chat.0.room.join();
        chat.0.feed.send(|| ChatEvent::Joined { name: name.to_owned() });
        Guest { chat, member, input, place, reason: None }
    }

    /// What writes to the client: welcome, message of the day, history, then the talk. It must be
    /// made before the guest says anything, so that the history ends where the talk begins.
    pub(super) fn writer(&self) -> impl Future<Output = Result<(), CloseReason>> + 'static {
        let (chat, connection) = (self.chat.clone(), self.connection().clone());
        let (member, welcome) = (self.member.clone(), self.welcome());
        let terminal = self.input.terminal().clone();
        let past = chat.0.room.history(chat.0.config.history);
        // In a box, see client.rs.
        let greeting = Box::pin(async move {
            // The row in which it typed its name.
            let welcome = [terminal.erase(), welcome.as_bytes()].concat();
            connection.write_all(&welcome).await?;
            if let Some(motd) = &chat.0.config.motd {
                connection.write_all(motd.as_bytes()).await?;
            }
            history::tell(&chat, &connection, &past).await?;
            Ok((connection, member, terminal))
        });
        async move {
            let (connection, member, terminal) = greeting.await?;
            pump_to(terminal.clone(), connection.clone(), member, missed_notice).await?;
            let end = terminal.end();
            Box::pin(connection.write_all(&end)).await?;
            if connection.close_reason() == Some(CloseReason::GoingDown) {
                // Told, it would overtake the lines that wait for the end of a pause.
                Box::pin(connection.write_all(GOODBYE.as_bytes())).await?;
            }
            Ok(())
        }
    }

    fn welcome(&self) -> String {
        let Chat(chat) = &self.chat;
        let here = chat.participants.borrow();
        let (connection, own) = (self.connection(), here.len() - 1);
        let others = here.iter().filter(|(_, it)| it.connection != *connection);
        let elsewhere = chat.elsewhere.names();
        let names = others.map(|(_, other)| other.name());
        let names = names.chain(elsewhere.iter().map(String::as_str));
        let mut welcome = names::welcome(connection.name(), own, chat.elsewhere.guests(), names);
        if chat.elsewhere.is_cut_off() {
            welcome += "*** cut off from the other servers; only those here read you\r\n";
        }
        welcome
    }

    /// Relays the client's lines until it leaves, which is `Ok`, or the connection is over.
    pub(super) async fn listen(&mut self) -> Result<(), CloseReason> {
        let (mut interrupted, mut hinted) = (false, Hinted::default());
        while let Some(event) = self.input.next().await? {
            match event {
                Event::Line => {
                    interrupted = false;
                    let floor = &self.chat.0.floor;
                    if floor.is_closed(self.input.says_much()) {
                        self.input.release();
                        floor.wait(self.input.says_much()).await;
                    }
                    self.say(self.input.line());
                    self.hint(&mut hinted);
                    if self.is_far_behind() {
                        // In a box, see client.rs.
                        Box::pin(self.catch_up()).await?;
                    }
                }
                Event::Reply(bytes) => {
                    // Ahead of all lines: telnet throws away what it reads between its ^C and this
                    // answer, and so has not shown the first hint.
                    let _too_many_unread = self.member.tell(bytes);
                    if interrupted && bytes == TIMING_MARK_REPLY {
                        self.answer(INTERRUPT_HINT.as_bytes());
                    }
                }
                Event::AreYouThere => {
                    // A client that sends each key at once may stand within a line.
                    let typed = !self.input.unfinished().is_empty();
                    let here = "\r\n*** yes, still here\r\n";
                    self.answer(if typed { here } else { here.trim_start() }.as_bytes());
                }
                Event::Interrupt if interrupted => return Ok(()),
                // The editor counts them itself: the second one is `Leave`.
                Event::Interrupt if self.input.is_editing() => {
                    self.answer(INTERRUPT_HINT.trim_start().as_bytes());
                }
                Event::Interrupt => {
                    interrupted = true;
                    self.answer(INTERRUPT_HINT.as_bytes());
                }
                Event::Leave => return Ok(()),
                Event::Typed => self.member.wake(),
                // The reader's.
                Event::Edit(_) | Event::Key(_) | Event::Columns(_) => {}
            }
        }
        self.say(self.input.unfinished());
        Ok(())
    }

    /// Goes: from here on nothing new reaches the client but its farewell. The chat remembers what
    /// it has used of its rate limit, for when it comes again.
    pub(super) fn leave(mut self, reason: CloseReason) {
        let Chat(chat) = &self.chat;
        let (whose, usage) = (self.connection().peer().subscriber(), self.input.usage());
        chat.returning.borrow_mut().note(whose, usage, now());
        let farewell = farewell(reason).filter(|_| reason != CloseReason::GoingDown);
        if let Some(farewell) = farewell {
            self.answer(farewell.as_bytes());
        } else if let Some(why) = chat.removals.borrow().get(&self.place) {
            self.answer(format!("*** you were removed: {why}\r\n").as_bytes());
        }
        self.reason = Some(reason);
    }

    /// Publishes a line of the client, if anything of it can be shown.
    pub(super) fn say(&self, line: &[u8]) {
        if self.input.is_editing() {
            rest::look_after(&self.chat, self.connection());
        }
        let mut said = self.chat.stamp(Moment::now());
        said.extend(["<", self.connection().name(), "> "]);
        let prefix = said.len();
        text::clean(line, &mut said);
        if text::is_visible(&said[prefix..]) {
            let here = self.chat.0.participants.borrow().len();
            self.chat.0.elsewhere.said(self.connection().name(), &said[prefix..], here);
            said = self.chat.shown(said);
            self.connection().stats().lines_in.add(1);
            if let Some(calendar) = &self.chat.0.calendar {
                calendar.borrow_mut().said(self.chat.0.room.next(), Moment::now());
            }
            self.chat.0.feed.send(|| {
                let text = said[prefix..].to_owned();
                ChatEvent::Said { name: self.connection().name().to_owned(), text }
            });
            self.chat.0.floor.add(said.len());
            if self.input.is_editing() {
                self.member.publish_to_all(&said);
            } else {
                self.member.publish_clean(&said);
            }
        }
    }

    /// Helps a guest whose line shows that it needs it: each hint is given once, and to it alone.
    fn hint(&self, hinted: &mut Hinted) {
        let line = self.input.line();
        let is_broken = !self.input.is_telnet() && text::has_broken_character(line);
        let mut words = line.trim_ascii_start().split(u8::is_ascii_whitespace);
        let first = words.next().unwrap_or_default();
        let is_command = COMMANDS.iter().any(|it| first.eq_ignore_ascii_case(it.as_bytes()));
        if is_broken && !std::mem::replace(&mut hinted.broken, true) {
            self.answer(BROKEN_HINT);
        }
        if is_command && !std::mem::replace(&mut hinted.commands, true) {
            self.answer(COMMANDS_HINT);
        }
    }

    /// Reads nothing of a guest while it leaves half of the backlog unread: what it said would push
    /// out lines that others still have to read.
    async fn catch_up(&mut self) -> Result<(), CloseReason> {
        while self.is_far_behind() {
            if self.connection().is_full() {
                self.input.pause(BACKLOG_PAUSE).await?;
            } else {
                // Only its own writer is late, whose turn comes.
                self.input.release();
                yield_now().await;
                self.connection().close_reason().map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    }

    fn connection(&self) -> &Connection {
        self.input.connection()
    }

    fn is_far_behind(&self) -> bool {
        self.member.unread() > self.chat.0.config.backlog_bytes / 2
    }

    /// Tells the guest alone; one that does not read such answers loses them.
    fn answer(&self, bytes: &[u8]) {
        if self.input.is_editing() {
            // Its own line, which it reads as the others do, comes before the answer to it.
            self.member.hold(bytes.len());
        }
        let _too_many_unread = self.member.tell(bytes);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Chat(chat) = &self.chat;
        chat.participants.borrow_mut().try_remove(self.place);
        self.member.leave();
        let removed = chat.removals.borrow_mut().remove(&self.place);
        let dropped = if panicking() { CloseReason::Failed } else { CloseReason::GoingDown };
        let reason = self.reason.unwrap_or(dropped);
        chat.elsewhere.release(self.connection().name());
        chat.feed.send(|| ChatEvent::Left { name: self.connection().name().to_owned(), reason });
        if reason == CloseReason::GoingDown {
            // Here all go; those at the other servers stay.
            chat.elsewhere.crowd(0, 1, chat.participants.borrow().len());
        } else {
            let words = match (reason, removed) {
                (CloseReason::Left, _) => "left".to_owned(),
                (CloseReason::Removed, Some(why)) => format!("left ({why})"),
                (reason, _) => format!("left ({reason})"),
            };
            announce(&self.chat, self.connection(), Change::Left, &words);
        }
    }
}

/// Tells all in the chat that a guest came or went: at once in these words, or in a summary.
fn announce(chat: &Chat, guest: &Connection, change: Change, words: &str) {
    let (name, own) = (guest.name(), chat.0.participants.borrow().len());
    let telling = chat.0.presence.borrow_mut().note(change, chat.here(), now());
    match (telling, change) {
        (Telling::Single, Change::Joined) => {
            chat.0.elsewhere.joined(name, own);
            chat.say(&format!("*** {name} {words} ({} here)", chat.here()));
        }
        (Telling::Single, Change::Left) => {
            chat.0.elsewhere.left(name, words, own);
            chat.say(&format!("*** {name} {words}"));
        }
        (Telling::Counted, _) => {}
        (Telling::Begun, _) => {
            let chat = chat.clone();
            guest.spawn_detached(async move {
                Timer::after(SUMMARY).await;
                let [joined, left] = chat.0.presence.borrow_mut().take_unsaid();
                let own = chat.0.participants.borrow().len();
                chat.0.elsewhere.crowd(joined, left, own);
                presence::summary([joined, left], chat.here()).inspect(|line| chat.say(line));
            });
        }
    }
}
