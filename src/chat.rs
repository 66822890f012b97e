//! The chat service: a line from one goes to all others.

mod calendar;
mod events;
mod floor;
mod guest;
mod history;
mod motd;
mod names;
mod participant;
mod presence;
mod question;
mod returning;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use events::{Event, Events};
pub use participant::Participant;

use crate::client::GOODBYE;
use crate::client::rate_limit::RateLimit;
use crate::client::reader::Reader;
use crate::room::{BACKLOG_BYTES, Room};
use crate::server::connection::Connection;
use crate::server::handler::Handler;
use crate::server::listener::subscriber;
use crate::server::stats::CloseReason;
use crate::text;
use calendar::Calendar;
use events::Feed;
use floor::Floor;
use guest::Guest;
use names::Names;
use presence::Presence;
use question::Newcomer;
use returning::Returning;

/// For one who lost a letter on the way: the telnet of inetutils swallows 0x85, the second byte of
/// `х`, until it sends BINARY. A raw client must not be sent telnet, so its person is told.
const BROKEN_HINT: &[u8] = b"*** a letter of that line was lost. In telnet: press ^], type \
                            \"set outbinary\", press Enter. Elsewhere: choose UTF-8\r\n";

/// How a chat is to be.
#[derive(Clone, Debug)]
pub struct ChatConfig {
    /// Bytes of lines that are kept for who is slow, see [`Room::new`]; 1 MiB by default.
    pub backlog_bytes: usize,
    /// Lines of the past a newcomer reads, at most 1000; 0 is none. 20 by default.
    pub history: usize,
    /// Lines that a newcomer reads after its welcome, without what must not reach a terminal.
    pub motd: Option<String>,
    /// Lines begin with HH:MM in this zone, and the past is told by days.
    pub timestamps: Option<TimeZone>,
    /// People read `?` for whatever is not ASCII, and choose names in it: for terminals that do
    /// not show UTF-8.
    pub ascii: bool,
    /// Newcomers are asked for a name.
    pub ask_names: bool,
    /// How fast one client may speak.
    pub rate_limit: RateLimit,
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
            rate_limit: RateLimit::default(),
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
    names: RefCell<Names<Connection>>,
    /// Why the host has those removed who have not gone yet, by place.
    removals: RefCell<HashMap<usize, String>>,
    returning: RefCell<Returning>,
    presence: RefCell<Presence>,
    feed: Feed,
}

impl Default for Chat {
    fn default() -> Self {
        Chat::new(ChatConfig::default())
    }
}

impl Chat {
    /// An empty chat.
    pub fn new(mut config: ChatConfig) -> Chat {
        config.motd = config.motd.map(|text| motd::lines(&text));
        if config.ascii {
            config.motd = config.motd.map(|text| text::to_ascii(&text));
        }
        let room = Room::new(config.backlog_bytes);
        let calendar = config.timestamps.clone().map(|zone| RefCell::new(Calendar::new(zone)));
        Chat(Rc::new(Inner {
            config,
            room,
            calendar,
            floor: Floor::default(),
            names: RefCell::default(),
            removals: RefCell::default(),
            returning: RefCell::default(),
            presence: RefCell::default(),
            feed: Feed::default(),
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
        let names = self.0.names.borrow();
        let participants = names.all().map(|(place, (name, connection))| Participant {
            name: name.to_string(),
            connection: connection.clone(),
            place,
        });
        participants.collect()
    }

    /// Has one go; it and the others read `why`. False when it has gone already.
    pub fn remove(&self, participant: &Participant, why: &str) -> bool {
        let is_here = self.0.names.borrow().all().any(|(_, (_, it))| *it == participant.connection);
        if is_here {
            let mut line = String::new();
            text::clean_into_one(why.as_bytes(), &mut line);
            self.0.removals.borrow_mut().insert(participant.place, line);
            participant.connection.request_close(CloseReason::Removed);
        }
        is_here
    }

    /// Lets a client take part, as [`serve`](crate::serve) does; for a handler that does more
    /// with its connections.
    pub fn handle(
        &self,
        connection: Connection,
    ) -> impl Future<Output = Result<(), CloseReason>> + use<> {
        take_part(self.clone(), connection)
    }

    /// What stands in front of a line now.
    fn stamp(&self) -> String {
        let calendar = self.0.calendar.as_ref();
        calendar.map(|it| it.borrow().stamp(Timestamp::now())).unwrap_or_default()
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

/// Lets the client take part until it leaves: joins, relays its lines, announces its leave with
/// the reason.
fn take_part(
    chat: Chat,
    connection: Connection,
) -> impl Future<Output = Result<(), CloseReason>> + 'static {
    let usage = chat.0.returning.borrow().usage(subscriber(connection.peer().ip()));
    let mut input = Reader::new(connection.clone(), chat.0.config.rate_limit, usage);
    // A block and not an `async fn`, and what is soon over in a box: every idle client holds
    // this future.
    async move {
        let guest = Box::pin(enter(chat, connection, &mut input)).await?;
        let result = guest.listen(&mut input).await;
        guest.remember(input.usage());
        guest.leave(result.err().unwrap_or(CloseReason::Left));
        result
    }
}

/// Brings the client in, with the task that writes to it.
async fn enter(
    chat: Chat,
    connection: Connection,
    input: &mut Reader,
) -> Result<Guest, CloseReason> {
    let Newcomer { name, said } = question::newcomer(&chat, &connection, input).await?;
    let guest = Guest::enter(chat, connection.clone(), name.into());
    connection.spawn_writer(guest.writer());
    if let Some(said) = said {
        guest.say_at_once(said, input);
    }
    Ok(guest)
}

/// The last line a client reads, where it did not choose to go.
fn farewell(reason: CloseReason) -> Option<&'static str> {
    match reason {
        CloseReason::GoingDown => Some(GOODBYE),
        CloseReason::WrongProtocol => {
            Some("*** this is a telnet chat: come with telnet, PuTTY or nc\r\n")
        }
        _ => None,
    }
}
