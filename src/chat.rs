//! What the chat server does with a connection: a line from one goes to all others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use futures_lite::future::yield_now;

use crate::connection::Connection;
use crate::driver::Timer;
use crate::figures::Reason;
use crate::limits::TURN;
use crate::presence::{Presence, SUMMARY, Telling};
use crate::room::{LOG_BYTES, Member, Room};
use crate::telnet::{Event, Telnet};
use crate::text;
use crate::writer;

/// Names a newcomer reads, at most; a count stands for the others.
pub const WELCOME_NAMES: usize = 10;

/// The chat: a room and the names of who is in it.
#[derive(Debug)]
pub struct Chat {
    room: Room,
    /// Who is here, by the number of their coming.
    names: RefCell<BTreeMap<u64, Rc<str>>>,
    arrivals: Cell<u64>,
    presence: RefCell<Presence>,
}

impl Default for Chat {
    fn default() -> Self {
        Chat::new(LOG_BYTES)
    }
}

impl Chat {
    /// An empty chat whose log keeps at most `log_bytes`.
    pub fn new(log_bytes: usize) -> Chat {
        Chat {
            room: Room::new(log_bytes),
            names: RefCell::default(),
            arrivals: Cell::new(0),
            presence: RefCell::default(),
        }
    }

    /// The room, for a host that speaks or listens: what it publishes must be clean, see
    /// [`text::clean`].
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The line a newcomer reads.
    fn greeting(&self, me: u64, name: &str) -> String {
        let names = self.names.borrow();
        let count = names.len() - usize::from(names.contains_key(&me));
        let others = names.iter().filter(|(number, _)| **number != me);
        let shown: Vec<&str> = others.take(WELCOME_NAMES).map(|(_, name)| &**name).collect();
        let shown = shown.join(", ");
        match count {
            0 => format!("*** welcome, you are {name}. nobody else is here yet\r\n"),
            1 => format!("*** welcome, you are {name}. 1 other here: {shown}\r\n"),
            2..=WELCOME_NAMES => {
                format!("*** welcome, you are {name}. {count} others here: {shown}\r\n")
            }
            _ => {
                let more = count - WELCOME_NAMES;
                format!(
                    "*** welcome, you are {name}. {count} others here: {shown} and {more} more\r\n"
                )
            }
        }
    }
}

/// Lets the client take part until it leaves: joins, relays its lines, announces its leave with
/// the reason, flushes what it still has to read, closes.
pub async fn handle(chat: Rc<Chat>, connection: Rc<Connection>) -> Reason {
    let guest = Guest::enter(chat, connection.clone());
    let writer = connection.spawn(writer::pump(connection.clone(), guest.member.clone()));
    let reason = match guest.listen().await {
        Ok(reason) | Err(reason) => reason,
    };
    if reason == Reason::GoingDown {
        guest.member.tell("*** the server is going down, goodbye\r\n");
    }
    guest.reason.set(reason);
    drop(guest);
    if matches!(reason, Reason::Left | Reason::GoingDown) {
        connection.finish(writer).await;
    }
    reason
}

/// A client in the chat; dropped, it has left, and the others know.
struct Guest {
    chat: Rc<Chat>,
    connection: Rc<Connection>,
    member: Rc<Member>,
    number: u64,
    name: Rc<str>,
    reason: Cell<Reason>,
}

impl Guest {
    fn enter(chat: Rc<Chat>, connection: Rc<Connection>) -> Guest {
        let number = chat.arrivals.get() + 1;
        chat.arrivals.set(number);
        let name: Rc<str> = format!("guest{number}").into();
        connection.set_label(name.clone());
        log::info!(peer:% = connection.peer(), name = &*name; "joined");
        let member = Rc::new(chat.room.join());
        member.tell(chat.greeting(number, &name));
        chat.names.borrow_mut().insert(number, name.clone());
        let here = chat.room.len();
        let telling = chat.presence.borrow_mut().join(here, Instant::now());
        let guest =
            Guest { chat, connection, member, number, name, reason: Cell::new(Reason::Failed) };
        guest.announce(telling, || format!("*** {} joined ({here} here)", guest.name));
        guest
    }

    /// Relays the client's lines until its end; the reason is one either way.
    async fn listen(&self) -> Result<Reason, Reason> {
        let mut telnet = Telnet::default();
        loop {
            let chunk = self.connection.read().await?;
            if chunk.is_empty() {
                self.say(telnet.unfinished());
                return Ok(Reason::Left);
            }
            let mut input = &chunk[..];
            let mut lines = 0;
            while let Some(event) = telnet.next(&mut input) {
                match event {
                    Event::Line(line) => self.say(line),
                    Event::Reply(bytes) => self.answer(&bytes),
                    Event::AreYouThere => self.answer(b"*** yes, still here\r\n"),
                    Event::Interrupt => {}
                    Event::Leave => return Ok(Reason::Left),
                }
                lines += 1;
                if lines % TURN == 0 {
                    yield_now().await;
                }
            }
        }
    }

    /// Publishes a line of the client, if anything of it can be shown.
    fn say(&self, line: &[u8]) {
        let mut said = format!("<{}> ", self.name);
        let prefix = said.len();
        text::clean(line, &mut said);
        if said.len() > prefix {
            self.connection.figures().lines_in.add(1);
            self.member.publish(said);
        }
    }

    /// One that does not even read the answers to its own requests loses them.
    fn answer(&self, bytes: &[u8]) {
        let _too_many_unread = self.member.tell(bytes);
    }

    fn announce(&self, telling: Telling, single: impl FnOnce() -> String) {
        match telling {
            Telling::Single => self.member.publish(single()),
            Telling::Counted => {}
            Telling::Begun => {
                let chat = self.chat.clone();
                let summary = async move {
                    Timer::after(SUMMARY).await;
                    let summary = chat.presence.borrow_mut().summary(chat.room.len());
                    summary.inspect(|line| chat.room.publish(line));
                };
                self.connection.spawn(summary).detach();
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.chat.names.borrow_mut().remove(&self.number);
        let reason = self.reason.get();
        if reason != Reason::GoingDown {
            let here = self.chat.room.len() - 1;
            let telling = self.chat.presence.borrow_mut().leave(here, Instant::now());
            self.announce(telling, || format!("*** {} left ({reason})", self.name));
        }
        self.member.leave();
    }
}
