//! What the chat server does with a connection: a line from one goes to all others.

mod calendar;
mod floor;
mod guest;
mod left;
mod motd;
mod names;
mod options;
mod question;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use smol::Task;

pub use motd::MOTD_BYTES;
pub use names::{NAME_CHARACTERS, WELCOME_NAMES};
pub use options::Options;

use crate::connection::Connection;
use crate::figures::Reason;
use crate::input::Input;
use crate::limits::GOODBYE;
use crate::listener::subscriber;
use crate::pace::Pace;
use crate::presence::Presence;
use crate::room::{LOG_BYTES, Room};
use crate::text;
use calendar::Calendar;
use floor::Floor;
use guest::Guest;
use left::Left;
use names::Names;
pub use question::NAME_TIMEOUT;
use question::Newcomer;

/// Lines of the past a newcomer reads, by default.
pub const HISTORY: usize = 20;

/// For one who lost a letter on the way: the telnet of inetutils swallows 0x85, the second byte of
/// `х`, until it sends BINARY. A raw client must not be sent telnet, so its person is told.
const BROKEN_HINT: &[u8] = b"*** a letter of that line was lost. In telnet: press ^], type \
                            \"set outbinary\", press Enter. Elsewhere: choose UTF-8\r\n";

/// How a chat is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bound of the room's log, in bytes; see [`Room::new`].
    pub log_bytes: usize,
    /// Lines of the past a newcomer reads; 0 is none.
    pub history: usize,
    /// Lines that a newcomer reads after its welcome, without what must not reach a terminal, see
    /// [`text::clean`].
    pub motd: Option<String>,
    /// Lines begin with HH:MM in this zone, and the past is told by days.
    pub timestamps: Option<TimeZone>,
    /// People read `?` for whatever is not ASCII, and choose names in it: for terminals that do
    /// not show UTF-8, see [`text::to_ascii`].
    pub ascii: bool,
    /// Newcomers are asked for a name.
    pub ask_names: bool,
    /// How fast one client may speak.
    pub pace: Pace,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            log_bytes: LOG_BYTES,
            history: HISTORY,
            motd: None,
            timestamps: None,
            ascii: false,
            ask_names: false,
            pace: Pace::default(),
        }
    }
}

/// The chat: a room, and the names of who is in it.
#[derive(Debug)]
pub struct Chat {
    config: Config,
    room: Room,
    /// Where lines are stamped.
    calendar: Option<RefCell<Calendar>>,
    floor: Floor,
    names: RefCell<Names>,
    left: RefCell<Left>,
    presence: RefCell<Presence>,
}

impl Default for Chat {
    fn default() -> Self {
        Chat::new(Config::default())
    }
}

impl Chat {
    /// An empty chat.
    pub fn new(mut config: Config) -> Chat {
        config.motd = config.motd.map(|text| motd::lines(&text));
        if config.ascii {
            config.motd = config.motd.map(|text| text::to_ascii(&text));
        }
        let room = Room::new(config.log_bytes);
        let calendar = config.timestamps.clone().map(|zone| RefCell::new(Calendar::new(zone)));
        Chat {
            config,
            room,
            calendar,
            floor: Floor::default(),
            names: RefCell::default(),
            left: RefCell::default(),
            presence: RefCell::default(),
        }
    }

    /// The room, for a host that speaks or listens: what it publishes is cleaned like a person's
    /// line. What it publishes as a member is part of the history that newcomers read; what
    /// [`Room::publish`] says for it is not.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// What stands in front of a line now.
    fn stamp(&self) -> String {
        let calendar = self.calendar.as_ref();
        calendar.map(|it| it.borrow().stamp(Timestamp::now())).unwrap_or_default()
    }
}

/// Lets the client take part until it leaves: joins, relays its lines, announces its leave with
/// the reason, flushes what it still has to read, closes.
pub fn handle(chat: Rc<Chat>, connection: Rc<Connection>) -> impl Future<Output = Reason> {
    let spent = chat.left.borrow().spent(subscriber(connection.peer().ip()));
    let mut input = Input::new(connection.clone(), chat.config.pace, spent);
    // A block and not an `async fn`, and what is soon over in a box: every idle client holds
    // this future.
    async move {
        // Matched where it comes, since a name for it would keep its place.
        let (guest, writer) = match Box::pin(enter(chat, connection.clone(), &mut input)).await {
            Ok(entered) => entered,
            Err(reason) => return reason,
        };
        let (Ok(reason) | Err(reason)) = guest.listen(&mut input).await;
        guest.remember(input.spent());
        guest.leave(reason);
        connection.part(reason, writer).await
    }
}

/// Brings the client in, with the task that writes to it.
async fn enter(
    chat: Rc<Chat>,
    connection: Rc<Connection>,
    input: &mut Input,
) -> Result<(Guest, Task<Result<(), Reason>>), Reason> {
    let Newcomer { name, said } = question::newcomer(&chat, &connection, input).await?;
    let guest = Guest::enter(chat, connection.clone(), name.into());
    let writer = connection.spawn(guest.writer());
    if let Some(said) = said {
        guest.say_at_once(said, input);
    }
    Ok((guest, writer))
}

/// The last line a client reads, where it did not choose to go.
fn farewell(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::GoingDown => Some(GOODBYE),
        Reason::Stranger => Some("*** this is a telnet chat: come with telnet, PuTTY or nc\r\n"),
        _ => None,
    }
}
