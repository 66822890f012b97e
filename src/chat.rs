//! The chat service: a line that one guest writes goes to all others.

#[cfg(not(feature = "relay"))]
mod alone;
mod calendar;
#[cfg(feature = "relay")]
mod elsewhere;
mod events;
mod floor;
mod guest;
mod history;
mod names;
mod participant;
mod pause;
mod presence;
mod question;
#[cfg(feature = "relay")]
mod relay;
mod rest;
mod returning;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

pub use events::{Event, Events};
pub use participant::Participant;

use crate::client::GOODBYE;
use crate::client::rate_limit::RateLimit;
use crate::client::reader::Reader;
use crate::client::telnet::FIRST_OFFER;
use crate::client::terminal::Terminal;
use crate::moment::Moment;
use crate::room::{BACKLOG_BYTES, Room};
use crate::server::connection::Connection;
use crate::server::handler::Handler;
use crate::server::stats::CloseReason;
use crate::text;
use crate::zone::TimeZone;
#[cfg(not(feature = "relay"))]
use alone::Elsewhere;
use calendar::Calendar;
#[cfg(feature = "relay")]
use elsewhere::Elsewhere;
use events::Feed;
use floor::Floor;
use guest::Guest;
use presence::Presence;
use question::Newcomer;
use returning::Returning;

/// For a guest whose line came without one of its bytes: the telnet of inetutils swallows 0x85, the
/// second byte of `х`, until it sends BINARY. A client that has sent no telnet command must not be
/// sent one, so its person is told.
const BROKEN_HINT: &[u8] = b"*** a letter of that line was lost. In telnet: press ^], type \
                            \"set outbinary\", press Enter. Elsewhere: choose UTF-8\r\n";

/// How a chat behaves.
#[derive(Clone, Debug)]
pub struct ChatConfig {
    /// Bytes of lines that are kept for slow readers, see [`Room::new`]; 1 MiB by default.
    pub backlog_bytes: usize,
    /// Lines of the history that a newcomer reads, at most 1000; 0 is none. 20 by default. With a
    /// relay (feature `relay`), as many are read from the log of the servers at the start.
    pub history: usize,
    /// Lines that a newcomer reads after its welcome, without what must not reach a terminal.
    pub motd: Option<String>,
    /// Lines begin with HH:MM in this zone, and the history has headings for former days.
    pub timestamps: Option<TimeZone>,
    /// People read `?` for whatever is not ASCII, and choose names in it: for terminals that do
    /// not show UTF-8.
    pub ascii: bool,
    /// Newcomers are asked for a name.
    pub ask_names: bool,
    /// Every client is offered a line editor as it connects: a telnet client, which agrees, keeps
    /// the line that is typed in a row of its own, and any other one shows the nine bytes of the
    /// offer. Without it, only clients that say by themselves that they have a window are offered
    /// it, as PuTTY does.
    pub edit: bool,
    /// How fast one client may speak.
    pub rate_limit: RateLimit,
    /// The longest time for which a line may wait, so that all that are said meanwhile go to each
    /// guest in one write: 10 ms by default, but at most 0.1 ms for each guest, and none for a line
    /// that comes when it is quiet. 0 is off. In a large and busy room it saves most of the CPU.
    pub pause: Duration,
}

impl Default for ChatConfig {
    fn default() -> Self {
        ChatConfig {
            backlog_bytes: BACKLOG_BYTES,
            history: 20,
            motd: None,
            timestamps: None,
            ascii: false,
            ask_names: false,
            edit: false,
            rate_limit: RateLimit::default(),
            pause: Duration::from_millis(10),
        }
    }
}

/// The chat service: a room, and who is in it. Clones are the same chat; give one to
/// [`serve`](crate::serve).
#[derive(Clone, Debug)]
pub struct Chat(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    config: ChatConfig,
    room: Room,
    /// Where lines are stamped.
    calendar: Option<RefCell<Calendar>>,
    floor: Floor,
    /// Who is here; a guest's key is its place.
    participants: RefCell<Slab<Participant>>,
    /// Clients that have come so far.
    arrivals: Cell<u64>,
    /// Why the host removes guests, by place, until they are gone.
    removals: RefCell<HashMap<usize, String>>,
    returning: RefCell<Returning>,
    /// Set while there may be lines kept for guests, see `rest`.
    looks_after: Cell<bool>,
    presence: RefCell<Presence>,
    feed: Feed,
    elsewhere: Elsewhere,
}

impl Default for Chat {
    fn default() -> Self {
        Chat::new(ChatConfig::default())
    }
}

impl Chat {
    /// An empty chat.
    pub fn new(mut config: ChatConfig) -> Chat {
        config.motd = config.motd.map(|text| {
            let shown = text::clean_lines(&text);
            if config.ascii { text::to_ascii(&shown) } else { shown }
        });
        let room = Room::new(config.backlog_bytes);
        let calendar = config.timestamps.clone().map(|zone| RefCell::new(Calendar::new(zone)));
        Chat(Rc::new(Inner {
            config,
            room,
            calendar,
            floor: Floor::default(),
            participants: RefCell::default(),
            arrivals: Cell::default(),
            removals: RefCell::default(),
            returning: RefCell::default(),
            looks_after: Cell::default(),
            presence: RefCell::default(),
            feed: Feed::default(),
            elsewhere: Elsewhere::default(),
        }))
    }

    /// The room, for a host that speaks or reads lines: what it publishes is cleaned like a
    /// person's line. What it publishes as a member is part of the history that newcomers read;
    /// what [`Room::publish`] says for it is not.
    pub fn room(&self) -> &Room {
        &self.0.room
    }

    /// What happens in the chat from now on.
    pub fn events(&self) -> Events {
        self.0.feed.subscribe()
    }

    /// Who is here, in no order.
    pub fn participants(&self) -> Vec<Participant> {
        self.0.participants.borrow().iter().map(|(_, guest)| guest.clone()).collect()
    }

    /// Has a guest go; it and the others read `why`. False when it has gone, or is going, already.
    pub fn remove(&self, participant: &Participant, why: &str) -> bool {
        let here = self.0.participants.borrow();
        let found = here.iter().find(|(_, it)| it.connection == participant.connection);
        let Some((place, _)) = found else { return false };
        drop(here);
        if participant.connection.close_reason().is_some() {
            return false;
        }
        let why = self.shown(text::clean_into_one(why.as_bytes()));
        self.0.removals.borrow_mut().insert(place, why);
        participant.connection.request_close(CloseReason::Removed);
        true
    }

    /// Says a line of the host's, in the form that the chat's lines have; newcomers do not read it
    /// in the history. What must not reach a terminal is taken out.
    pub fn say(&self, line: &str) {
        let line = text::clean_into_one(line.as_bytes());
        self.0.room.publish(self.shown(self.stamp(Moment::now()) + &line));
    }

    /// Lets a client take part, as [`serve`](crate::serve) does; for a handler that does more
    /// with its connections, but has read nothing from them.
    pub fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + use<> {
        let chat = self.clone();
        let usage = chat.0.returning.borrow().usage(connection.peer().subscriber());
        let input = Reader::new(connection, chat.0.config.rate_limit, usage);
        // In a box, see client.rs.
        let entering = Box::pin(enter(chat, input));
        async move {
            let mut guest = entering.await?;
            let result = guest.listen().await;
            guest.leave(result.err().unwrap_or(CloseReason::Left));
            result
        }
    }

    /// A name for a client that chooses none; never given twice.
    fn guest_name(&self) -> String {
        self.0.arrivals.set(self.0.arrivals.get() + 1);
        self.0.elsewhere.guest_name(self.0.arrivals.get())
    }

    /// Whether a guest at this server has this name.
    fn has_guest(&self, name: &str) -> bool {
        let here = self.0.participants.borrow();
        names::is_taken(name, here.iter().map(|(_, guest)| guest.name()))
    }

    /// Guests at this server and at those it shares its room with.
    fn here(&self) -> usize {
        self.0.participants.borrow().len().saturating_add(self.0.elsewhere.guests())
    }

    /// A clean line in the alphabet of this chat.
    fn shown(&self, line: String) -> String {
        if self.0.config.ascii { text::to_ascii(&line) } else { line }
    }

    /// What stands in front of a line that is said at this moment.
    fn stamp(&self, at: Moment) -> String {
        let calendar = self.0.calendar.as_ref();
        calendar.map(|it| it.borrow().stamp(at)).unwrap_or_default()
    }
}

impl Handler for Chat {
    fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + 'static {
        self.handle(connection)
    }
}

/// Brings the client in, with the task that writes to it.
fn enter(chat: Chat, mut input: Reader) -> impl Future<Output = Result<Guest, CloseReason>> {
    let (given, connection) = (chat.guest_name(), input.connection().clone());
    input.offer_editor(Terminal::new(), chat.0.config.edit, chat.0.config.ascii);
    // A block and not an `async fn`, see client.rs.
    async move {
        if chat.0.config.edit {
            connection.write_all(&FIRST_OFFER).await?;
        }
        let Newcomer { name, said } =
            question::newcomer(&chat, &connection, &mut input, &given).await?;
        let longest = chat.0.config.pause;
        if !longest.is_zero() {
            // At the first guest; later the room has one.
            if let Some(ringer) = chat.0.room.ringer() {
                connection.spawn_detached(pause::keep(ringer, longest));
            }
        }
        let guest = Guest::enter(chat, input, name.unwrap_or(given));
        connection.spawn_writer(guest.writer());
        said.iter().for_each(|line| guest.say(line));
        Ok(guest)
    }
}

/// The last line that a client reads, where it did not choose to go.
fn farewell(reason: CloseReason) -> Option<&'static str> {
    match reason {
        CloseReason::GoingDown => Some(GOODBYE),
        CloseReason::WrongProtocol => {
            Some("*** this is a telnet chat: come with telnet, PuTTY or nc\r\n")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_name_is_never_given_twice() {
        let chat = Chat::default();
        assert_ne!(chat.guest_name(), chat.guest_name());
    }
}
