//! The question that a newcomer is asked, where the chat asks for names.

use std::time::Duration;

use futures_lite::future::or;

use super::{BROKEN_HINT, Chat, farewell};
use crate::client::reader::Reader;
use crate::client::telnet::Event;
use crate::driver::Timer;
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;
use crate::text;

/// Time for choosing a name; who takes longer comes in as the guest it is.
const NAME_TIMEOUT: Duration = Duration::from_secs(60);

/// Time in which more than the one line of an answer comes from a program. A person who types
/// cannot be as fast, and does not notice the wait.
const PROGRAM: Duration = Duration::from_millis(200);

/// How a newcomer comes in.
pub(super) struct Newcomer {
    /// The name it chose, or was given.
    pub(super) name: String,
    /// What it said instead of an answer. No program knows the question: `echo hi | nc -N` says hi.
    pub(super) said: Option<Said>,
}

/// The words of a program that was asked for a name.
pub(super) struct Said {
    pub(super) line: Vec<u8>,
    /// The input's line is to be said as well.
    pub(super) and_next: bool,
}

/// The name of one who comes: its own choice, where the chat asks.
///
/// # Errors
/// Why the connection is over, when it ends before that; the client has been told.
pub(super) async fn newcomer(
    chat: &Chat,
    connection: &Connection,
    input: &mut Reader,
) -> Result<Newcomer, CloseReason> {
    let given = chat.0.names.borrow_mut().guest();
    if !chat.0.config.ask_names {
        return Ok(Newcomer { name: given, said: None });
    }
    let late = async {
        Timer::after(NAME_TIMEOUT).await;
        Ok(Newcomer { name: given.clone(), said: None })
    };
    or(ask(chat, connection, input, &given), late).await.inspect_err(|reason| {
        let _best_effort = connection.try_write(farewell(*reason).unwrap_or_default().as_bytes());
    })
}

/// Asks until a name will do, or the client shows that it is a program.
async fn ask(
    chat: &Chat,
    connection: &Connection,
    input: &mut Reader,
    given: &str,
) -> Result<Newcomer, CloseReason> {
    let as_guest = |said| Newcomer { name: given.to_owned(), said };
    let question = format!("*** what name shall the others read? Enter keeps {given}\r\n");
    connection.write_all(question.as_bytes()).await?;
    while let Some(event) = input.next().await? {
        match event {
            Event::Line => {
                let line = input.line().to_vec();
                if let Some(and_next) = goes_on(connection, input).await? {
                    return Ok(as_guest(Some(Said { line, and_next })));
                }
                if text::has_broken_character(&line) {
                    connection.write_all(BROKEN_HINT).await?;
                    continue;
                }
                let name = String::from_utf8_lossy(&line);
                let name = name.trim();
                if name.is_empty() {
                    return Ok(as_guest(None));
                }
                let checked = chat.0.names.borrow().check(name, chat.0.config.ascii);
                let Err(why) = checked else {
                    return Ok(Newcomer { name: name.to_owned(), said: None });
                };
                connection.write_all(format!("*** {why}\r\n").as_bytes()).await?;
            }
            Event::Reply(bytes) => connection.write_all(&bytes).await?,
            Event::AreYouThere => connection.write_all(question.as_bytes()).await?,
            Event::Interrupt | Event::Leave => return Err(CloseReason::Left),
        }
    }
    if input.unfinished().is_empty() { Err(CloseReason::Left) } else { Ok(as_guest(None)) }
}

/// Whether more than a line came at once, which shows a program: `None` where it did not, and
/// otherwise whether a whole line came, which is now the input's.
async fn goes_on(connection: &Connection, input: &mut Reader) -> Result<Option<bool>, CloseReason> {
    let mut late = Timer::after(PROGRAM);
    loop {
        let waited = async {
            (&mut late).await;
            Ok(None)
        };
        let Some(next) = or(async { input.next().await.map(Some) }, waited).await? else {
            return Ok((!input.unfinished().is_empty()).then_some(false));
        };
        match next {
            None => return Ok(Some(false)),
            Some(Event::Line) => return Ok(Some(true)),
            Some(Event::Reply(bytes)) => connection.write_all(&bytes).await?,
            Some(Event::AreYouThere) => {}
            Some(Event::Interrupt | Event::Leave) => return Err(CloseReason::Left),
        }
    }
}
