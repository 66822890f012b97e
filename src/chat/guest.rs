//! One client in the chat: comes in, speaks, goes.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::thread::panicking;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use jiff::Timestamp;

use super::{Chat, farewell};
use crate::connection::Connection;
use crate::driver::Timer;
use crate::figures::Reason;
use crate::input::Input;
use crate::presence::{SUMMARY, Telling};
use crate::room::Member;
use crate::telnet::{Event, TIMING_MARK_REPLY};
use crate::{text, writer};

/// Time for choosing a name; who takes longer comes in as the guest it is.
pub const ASK: Duration = Duration::from_secs(60);

/// Pause of a client that speaks while it leaves half the log unread, before it is looked at
/// again.
const BACKLOG_PAUSE: Duration = Duration::from_millis(100);

const INTERRUPT_HINT: &[u8] = b"*** ^C again to leave\r\n";

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

/// The name of one who comes: its own choice, where the chat asks.
///
/// # Errors
/// Why the connection is over, when it ends before that; the client has been told.
pub(super) async fn name(
    chat: &Chat,
    connection: &Connection,
    input: &mut Input,
) -> Result<Rc<str>, Reason> {
    let given = chat.names.borrow_mut().guest();
    if !chat.config.ask_names {
        return Ok(given.into());
    }
    let late = async {
        Timer::after(ASK).await;
        Ok(None)
    };
    match or(ask(chat, connection, input, &given), late).await {
        Ok(chosen) => Ok(chosen.unwrap_or(given).into()),
        Err(reason) => {
            let farewell = farewell(reason).unwrap_or_default();
            let _best_effort = connection.try_write(farewell.as_bytes());
            Err(connection.part(reason, async { Ok(()) }).await)
        }
    }
}

impl Guest {
    /// Brings the client in.
    pub(super) fn enter(chat: Rc<Chat>, connection: Rc<Connection>, name: Rc<str>) -> Guest {
        connection.set_label(name.clone());
        log::info!(peer:% = connection.peer(), name = &*name; "joined");
        let here = chat.names.borrow().count() + 1;
        let telling = chat.presence.borrow_mut().join(here, Instant::now());
        announce(&chat, &connection, telling, || format!("*** {name} joined ({here} here)"));
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
        let (past, lines) = chat.room.look_back(chat.config.history);
        // In a box: it is over soon, and every client holds this future.
        let greeting = Box::pin(async move {
            greet(&chat, &connection, welcome, past, lines).await?;
            Ok((connection, member))
        });
        async move {
            let (connection, member) = greeting.await?;
            writer::pump(connection, member).await
        }
    }

    /// Relays the client's lines until its end; the reason is one either way.
    pub(super) fn listen(&self, input: &mut Input) -> impl Future<Output = Result<Reason, Reason>> {
        let mut interrupted = false;
        // A block and not an `async fn`, whose future would hold its arguments twice.
        async move {
            while let Some(event) = input.next().await? {
                match event {
                    Event::Line => {
                        interrupted = false;
                        self.say(input.line());
                        while self.is_far_behind() {
                            Box::pin(input.pause(BACKLOG_PAUSE)).await?;
                        }
                    }
                    Event::Reply(bytes) => {
                        self.answer(&bytes);
                        // Telnet throws away what it reads between its ^C and this answer.
                        if interrupted && bytes == TIMING_MARK_REPLY {
                            self.answer(INTERRUPT_HINT);
                        }
                    }
                    Event::AreYouThere => self.answer(b"*** yes, still here\r\n"),
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

    /// Goes: from here on nothing new reaches the client but its farewell.
    pub(super) fn leave(self, reason: Reason) {
        if let Some(farewell) = farewell(reason) {
            self.answer(farewell.as_bytes());
        }
        self.reason.set(Some(reason));
    }

    /// Publishes a line of the client, if anything of it can be shown.
    fn say(&self, line: &[u8]) {
        let mut said = String::new();
        if let Some(zone) = &self.chat.config.timestamps {
            said = Timestamp::now().to_zoned(zone.clone()).strftime("%H:%M ").to_string();
        }
        said.extend(["<", &self.name, "> "]);
        let prefix = said.len();
        text::clean(line, &mut said);
        if said.len() > prefix {
            self.connection.figures().lines_in.add(1);
            self.member.publish(said);
        }
    }

    /// One that leaves half of the log unread is not read either: it would push out what others
    /// still have to read.
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
            let single = || format!("*** {} left ({reason})", self.name);
            announce(&self.chat, &self.connection, telling, single);
        }
    }
}

async fn greet(
    chat: &Chat,
    connection: &Rc<Connection>,
    welcome: String,
    past: Member,
    lines: usize,
) -> Result<(), Reason> {
    connection.write_all(welcome.as_bytes()).await?;
    if let Some(motd) = &chat.config.motd {
        connection.write_all(motd).await?;
    }
    if lines > 0 {
        let s = if lines == 1 { "line" } else { "lines" };
        connection.write_all(format!("*** the last {lines} {s}:\r\n").as_bytes()).await?;
        writer::pump(connection.clone(), Rc::new(past)).await?;
        connection.write_all(b"*** now:\r\n").await?;
    }
    Ok(())
}

/// Asks for a name until one will do; `None` where the client keeps the one it has.
async fn ask(
    chat: &Chat,
    connection: &Connection,
    input: &mut Input,
    name: &str,
) -> Result<Option<String>, Reason> {
    let question = format!("*** what name shall the others read? Enter keeps {name}\r\n");
    connection.write_all(question.as_bytes()).await?;
    while let Some(event) = input.next().await? {
        match event {
            Event::Line => {
                let line = String::from_utf8_lossy(input.line());
                let wanted = line.trim();
                if wanted.is_empty() {
                    return Ok(None);
                }
                let checked = chat.names.borrow().check(wanted);
                let Err(why) = checked else { return Ok(Some(wanted.to_owned())) };
                connection.write_all(format!("*** {why}\r\n").as_bytes()).await?;
            }
            Event::Reply(bytes) => connection.write_all(&bytes).await?,
            Event::AreYouThere => connection.write_all(question.as_bytes()).await?,
            Event::Interrupt | Event::Leave => return Err(Reason::Left),
        }
    }
    Err(Reason::Left)
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
                summary.inspect(|line| chat.room.publish(line));
            };
            connection.try_spawn(summary);
        }
    }
}
