//! One client in the chat: comes in, speaks, goes.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::thread::panicking;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::question::Said;
use super::{BROKEN_HINT, Chat, farewell};
use crate::connection::Connection;
use crate::driver::Timer;
use crate::figures::Reason;
use crate::input::Input;
use crate::listener::subscriber;
use crate::pace::Spent;
use crate::presence::{SUMMARY, Telling};
use crate::room::Member;
use crate::telnet::{Event, TIMING_MARK_REPLY};
use crate::{text, writer};

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
    chat: Rc<Chat>,
    connection: Rc<Connection>,
    member: Rc<Member>,
    name: Rc<str>,
    /// Where its name stands.
    place: usize,
    /// Why it goes, once it says so: it may panic, or be dropped by a server that goes down.
    reason: Cell<Option<Reason>>,
}

/// Help that a guest was given already.
#[derive(Default)]
struct Hinted {
    broken: bool,
    commands: bool,
}

impl Guest {
    /// Brings the client in.
    pub(super) fn enter(chat: Rc<Chat>, connection: Rc<Connection>, name: Rc<str>) -> Guest {
        connection.set_label(name.clone());
        log::info!(peer:% = connection.peer(), name = &*name; "joined");
        let here = chat.names.borrow().count() + 1;
        let telling = chat.presence.borrow_mut().join(here, Instant::now());
        announce(&chat, &connection, telling, || {
            format!("{}*** {name} joined ({here} here)", chat.stamp())
        });
        let member = Rc::new(chat.room.join());
        let place = chat.names.borrow_mut().enter(name.clone());
        Guest { chat, connection, member, name, place, reason: Cell::default() }
    }

    /// What writes to the client: welcome, message of the day, history, then the talk. It must
    /// be made before the guest says anything.
    pub(super) fn writer(&self) -> impl Future<Output = Result<(), Reason>> + 'static {
        let (chat, connection) = (self.chat.clone(), self.connection.clone());
        let member = self.member.clone();
        let welcome = chat.names.borrow().welcome(self.place);
        let past = chat.room.spoken(chat.config.history);
        // In a box: it is over soon, and every client holds this future.
        let greeting = Box::pin(async move {
            connection.write_all(welcome.as_bytes()).await?;
            if let Some(motd) = &chat.config.motd {
                connection.write_all(motd.as_bytes()).await?;
            }
            tell_history(&chat, &connection, &past).await?;
            Ok((connection, member))
        });
        async move {
            let (connection, member) = greeting.await?;
            writer::pump(connection, member).await
        }
    }

    /// Relays the client's lines until its end; the reason is one either way.
    pub(super) fn listen(&self, input: &mut Input) -> impl Future<Output = Result<Reason, Reason>> {
        let (mut interrupted, mut hinted) = (false, Hinted::default());
        // A block and not an `async fn`, whose future would hold its arguments twice.
        async move {
            while let Some(event) = input.next().await? {
                match event {
                    Event::Line => {
                        interrupted = false;
                        let floor = &self.chat.floor;
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
                    Event::Interrupt if interrupted => return Ok(Reason::Left),
                    Event::Interrupt => {
                        interrupted = true;
                        self.answer(INTERRUPT_HINT);
                    }
                    Event::Leave => return Ok(Reason::Left),
                }
            }
            self.say(input.unfinished());
            Ok(Reason::Left)
        }
    }

    /// Says what a program said that was asked for a name.
    pub(super) fn say_at_once(&self, said: Said, input: &Input) {
        self.say(&said.line);
        if said.and_next {
            self.say(input.line());
        }
    }

    /// Helps one whose line shows that it needs it: each help is given once, and to it alone.
    fn hint(&self, input: &Input, hinted: &mut Hinted) {
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
    pub(super) fn remember(&self, spent: Spent) {
        let subscriber = subscriber(self.connection.peer().ip());
        self.chat.left.borrow_mut().note(subscriber, spent, Instant::now());
    }

    /// Goes: from here on nothing new reaches the client but its farewell.
    pub(super) fn leave(self, reason: Reason) {
        if let Some(farewell) = farewell(reason) {
            self.answer(farewell.as_bytes());
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
            if self.chat.config.ascii {
                said = text::to_ascii(&said);
            }
            self.connection.figures().lines_in.add(1);
            if let Some(calendar) = &self.chat.calendar {
                calendar.borrow_mut().said(self.chat.room.next(), Timestamp::now());
            }
            self.chat.floor.add(said.len());
            self.member.publish_clean(&said);
        }
    }

    /// Reads nothing of one that leaves half of the log unread: it would push out what others still
    /// have to read.
    async fn catch_up(&self, input: &mut Input) -> Result<(), Reason> {
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
        self.member.backlog() > self.chat.config.log_bytes / 2
    }

    /// One that does not even read the answers to its own requests loses them.
    fn answer(&self, bytes: &[u8]) {
        let _too_many_unread = self.member.tell(bytes);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.chat.names.borrow_mut().leave(self.place);
        self.member.leave();
        let cut_off = if panicking() { Reason::Failed } else { Reason::GoingDown };
        let reason = self.reason.get().unwrap_or(cut_off);
        if reason != Reason::GoingDown {
            let here = self.chat.names.borrow().count();
            let telling = self.chat.presence.borrow_mut().leave(here, Instant::now());
            let why = match reason {
                Reason::Left => String::new(),
                reason => format!(" ({reason})"),
            };
            let single = || format!("{}*** {} left{why}", self.chat.stamp(), self.name);
            announce(&self.chat, &self.connection, telling, single);
        }
    }
}

/// Tells the newcomer the lines that were said last. Those that the log drops before it comes to
/// read them are told as missed.
async fn tell_history(
    chat: &Chat,
    connection: &Rc<Connection>,
    lines: &[u64],
) -> Result<(), Reason> {
    if lines.is_empty() {
        return Ok(());
    }
    let (count, s) = (lines.len(), if lines.len() == 1 { "line" } else { "lines" });
    connection.write_all(format!("*** the last {count} {s}:\r\n").as_bytes()).await?;
    let (mut rest, mut dated) = (lines, false);
    while let Some(&first) = rest.first() {
        let calendar = chat.calendar.as_ref();
        let (heading, end) =
            calendar.map_or((None, u64::MAX), |it| it.borrow().heading(first, Timestamp::now()));
        let heading = heading.or(dated.then(|| "*** today:\r\n".to_owned())).unwrap_or_default();
        dated = !heading.is_empty();
        connection.write_all(heading.as_bytes()).await?;
        let (day, later) = rest.split_at(rest.partition_point(|number| *number < end));
        writer::pump(connection.clone(), Rc::new(chat.room.read_back(day))).await?;
        rest = later;
    }
    connection.write_all(b"*** now:\r\n").await
}

fn announce(
    chat: &Rc<Chat>,
    connection: &Connection,
    telling: Telling,
    single: impl FnOnce() -> String,
) {
    match telling {
        Telling::Single => chat.room.publish(single()),
        Telling::Counted => {}
        Telling::Begun => {
            let chat = chat.clone();
            let summary = async move {
                Timer::after(SUMMARY).await;
                let summary = chat.presence.borrow_mut().summary(chat.names.borrow().count());
                summary.inspect(|line| chat.room.publish(chat.stamp() + line));
            };
            connection.try_spawn(summary);
        }
    }
}
