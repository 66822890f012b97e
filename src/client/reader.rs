//! What a client does, one event after another: the bytes of its connection through the telnet
//! parser, no faster than its rate limit. The reading side of chat and time.

use std::time::Duration;

use futures_lite::future::{or, poll_fn, yield_now};

use super::editor::{Edited, Editor};
use super::rate_limit::{RateLimit, Usage};
use super::sniffer::Sniffer;
use super::telnet::{Event, Telnet};
use super::terminal::Terminal;
use crate::driver::{Timer, now};
use crate::server::Buffer;
use crate::server::connection::Connection;
use crate::server::limits::BUDGET;
use crate::server::stats::CloseReason;

/// Bytes that one read asks for. A client over its rate limit holds as many that were not parsed
/// yet: few, but enough that ordinary talk does not need more reads for it.
pub(super) const INPUT_BYTES: usize = 4 * 1024;

/// The shortest time for which a client over its rate limit is not read. Each such pause is a
/// timer, and shorter ones would keep the thread busy with a thousand clients that are a little
/// over it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A client [says much](Reader::says_much) whose usage takes longer than this to be earned again:
/// ten lines at the default rate limit, or six KiB.
const MUCH: Duration = Duration::from_millis(100);

/// Bytes of a line that are as much work as one event more.
const EVENT_BYTES: usize = 64;

/// Keys that are as much work as one event more.
const EVENT_KEYS: u8 = 4;

/// A client's events. While it waits for bytes it holds no buffer.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Connection,
    telnet: Telnet,
    sniffer: Sniffer,
    terminal: Terminal,
    /// Hands the editor what is its; the others, and what came of that, are for the service. A
    /// pointer, so that programs without the editor have none of its code.
    edit: fn(&mut Reader, Event) -> Option<Event>,
    /// Whether its editor is to show nothing but ASCII.
    ascii: bool,
    /// What was read and not parsed yet.
    buffer: Option<Buffer>,
    /// Events since others had their turn; a long line counts for several.
    events: u8,
    /// Keys that are no event yet.
    keys: u8,
    /// Whether keys have come since [`Event::Typed`].
    typed: bool,
    /// Whether the last read was full: two screens of text at once, and maybe more.
    full: bool,
    rate_limit: RateLimit,
    usage: Usage,
    /// How long the client is over its rate limit.
    over: Duration,
}

impl Reader {
    /// Nothing is read before the first [`next`](Self::next). `usage` is what the client has used
    /// of its rate limit already.
    pub(crate) fn new(connection: Connection, rate_limit: RateLimit, usage: Usage) -> Reader {
        Reader {
            connection,
            telnet: Telnet::default(),
            sniffer: Sniffer::default(),
            terminal: Terminal::default(),
            edit: |_, event| Some(event),
            ascii: false,
            buffer: None,
            events: 0,
            keys: 0,
            typed: false,
            full: false,
            rate_limit,
            usage,
            over: Duration::ZERO,
        }
    }

    /// Lets the client have an editor at this terminal: it was sent the
    /// [`FIRST_OFFER`](super::telnet::FIRST_OFFER), or will be offered it once it says by itself
    /// that it has a window. One that shows only `ascii` is echoed nothing else.
    pub(crate) fn offer_editor(&mut self, terminal: Terminal, was_offered: bool, ascii: bool) {
        (self.terminal, self.ascii) = (terminal, ascii);
        self.edit = Reader::edit;
        self.telnet.offer(was_offered);
    }

    /// The client's terminal.
    pub(crate) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Whether the client has the editor.
    pub(crate) fn is_editing(&self) -> bool {
        self.telnet.is_editing()
    }

    /// What it reads from.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The next event; `None` at the client's FIN. Others have their turn after [`BUDGET`] events,
    /// and a client over its rate limit is not read for a while.
    ///
    /// # Errors
    /// Why the connection is over, as [`Connection::read`]; [`CloseReason::WrongProtocol`] when its
    /// first bytes are those of another protocol.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, CloseReason> {
        loop {
            if !self.over.is_zero() {
                let over = std::mem::take(&mut self.over);
                // In a box, see client.rs.
                Box::pin(self.pause(over.max(SHORTEST_PAUSE))).await?;
            }
            if usize::from(self.events) >= BUDGET {
                self.events = 0;
                self.release();
                yield_now().await;
            }
            if let Some(event) = self.parse() {
                return Ok(Some(event));
            }
            if self.buffer.is_some() {
                continue;
            }
            if std::mem::take(&mut self.typed) {
                return Ok(Some(Event::Typed));
            }
            let buffer = poll_fn(|cx| self.connection.poll_read(cx, INPUT_BYTES)).await?;
            if buffer.is_empty() {
                return Ok(None);
            }
            if self.sniffer.is_foreign(&buffer) {
                return Err(CloseReason::WrongProtocol);
            }
            self.full = buffer.len() == INPUT_BYTES;
            self.over = self.usage.read(self.rate_limit, buffer.len(), now());
            self.buffer = Some(buffer);
        }
    }

    /// The next event in what was read already; `None` where there is none, or the turn is over.
    fn parse(&mut self) -> Option<Event> {
        while usize::from(self.events) < BUDGET {
            let buffer = self.buffer.as_mut()?;
            let mut rest = &buffer[..];
            let event = self.telnet.next(&mut rest);
            let parsed = buffer.len() - rest.len();
            buffer.advance(parsed);
            match event {
                None => self.buffer = None,
                Some(event) => {
                    let event = (self.edit)(self, event);
                    self.count(event);
                    if event.is_some() {
                        return event;
                    }
                }
            }
        }
        None
    }

    fn edit(&mut self, event: Event) -> Option<Event> {
        let terminal = &self.terminal;
        match event {
            Event::Edit(true) => {
                let editor = Editor::new(self.telnet.columns(), self.ascii);
                terminal.begin(editor, &self.telnet.take_unfinished());
            }
            Event::Edit(false) => {
                let begun = terminal.editor()?.end();
                self.telnet.set_unfinished(begun.into_bytes());
            }
            Event::Columns(columns) => terminal.editor()?.set_columns(columns),
            Event::Key(byte) => {
                self.typed = true;
                let edited = terminal.editor()?.key(byte);
                return edited.map(|edited| match edited {
                    Edited::Line(line) => {
                        self.telnet.set_line(line.into_bytes());
                        Event::Line
                    }
                    Edited::Interrupt => Event::Interrupt,
                    Edited::Leave => Event::Leave,
                });
            }
            event => return Some(event),
        }
        self.typed = true;
        None
    }

    /// Counts one event, or a key.
    fn count(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Line) => {
                // At most 1 + LINE_BYTES / EVENT_BYTES, which is 16.
                self.events += 1 + (self.telnet.line().len() / EVENT_BYTES) as u8;
                self.over = self.usage.line(self.rate_limit, now());
            }
            Some(_) => self.events += 1,
            None => {
                self.keys = (self.keys + 1) % EVENT_KEYS;
                self.events += u8::from(self.keys == 0);
            }
        }
    }

    /// The line of the last [`Event::Line`].
    pub(crate) fn line(&self) -> &[u8] {
        self.telnet.line()
    }

    /// Whether the client has sent a telnet command.
    pub(crate) fn is_telnet(&self) -> bool {
        self.telnet.is_telnet()
    }

    /// Whether the client says more than a person who types: faster, or more at once.
    pub(crate) fn says_much(&self) -> bool {
        self.full || self.usage.is_remembered(now() + MUCH)
    }

    /// What the client has used of its rate limit.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// The line begun and not ended; after the client's FIN, its last words.
    pub(crate) fn unfinished(&self) -> &[u8] {
        self.telnet.unfinished()
    }

    /// Reads nothing for this time. Meanwhile a small copy keeps what was read and not parsed.
    ///
    /// # Errors
    /// Why the connection is over, if it ends meanwhile.
    pub(crate) async fn pause(&mut self, time: Duration) -> Result<(), CloseReason> {
        self.release();
        let resumed = async {
            Timer::after(time).await;
            if self.connection.is_broken() { Err(CloseReason::Lost) } else { Ok(()) }
        };
        or(async { Err(self.connection.closing().await) }, resumed).await
    }

    /// Gives the buffer back to the others, but for a copy of what is not parsed yet: for a client
    /// that waits before it is read on.
    pub(crate) fn release(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            buffer.release();
        }
    }
}
