//! The question that a newcomer is asked, where the chat asks for names.

use std::time::Duration;

use futures_lite::future::or;

use super::{BROKEN_HINT, Chat, farewell, names};
use crate::client::reader::Reader;
use crate::client::telnet::Event;
use crate::driver::Timer;
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;
use crate::text;

/// Time for choosing a name; after it the newcomer comes in under the name it was given.
const NAME_TIMEOUT: Duration = Duration::from_secs(60);

/// Time in which a program sends more than the one line of an answer. No person types as fast, and
/// none notices the wait.
const PROGRAM: Duration = Duration::from_millis(200);

/// How a newcomer comes in.
#[derive(Default)]
pub(super) struct Newcomer {
    /// The name it chose, if it did.
    pub(super) name: Option<String>,
    /// Lines that it sent instead of an answer, to be said in the chat. No program knows the
    /// question: `echo hi | nc -N` says hi.
    pub(super) said: Vec<Vec<u8>>,
}

/// Asks the newcomer for a name, where the chat asks; without an answer it keeps the `given` one.
///
/// # Errors
/// Why the connection is over, when it ends before there is an answer; the client has been told.
pub(super) async fn newcomer(
    chat: &Chat,
    connection: &Connection,
    input: &mut Reader,
    given: &str,
) -> Result<Newcomer, CloseReason> {
    if !chat.0.config.ask_names {
        return Ok(Newcomer::default());
    }
    let late = async {
        Timer::after(NAME_TIMEOUT).await;
        Ok(Newcomer::default())
    };
    let terminal = input.terminal().clone();
    or(ask(chat, connection, input, given), late).await.inspect_err(|reason| {
        let farewell = farewell(*reason).unwrap_or_default();
        let _best_effort = connection.try_write(&[&terminal.end(), farewell.as_bytes()].concat());
    })
}

/// Asks until a name will do, or the client shows that it is a program.
async fn ask(
    chat: &Chat,
    connection: &Connection,
    input: &mut Reader,
    given: &str,
) -> Result<Newcomer, CloseReason> {
    let question = format!("*** what name shall the others read? Enter keeps {given}\r\n");
    tell(connection, input, question.as_bytes()).await?;
    while next_line(connection, input, &question).await? {
        let line = input.line().to_vec();
        let more = or(async { next_line(connection, input, "").await.map(Some) }, async {
            Timer::after(PROGRAM).await;
            Ok(None)
        });
        let more = more.await?;
        // No person sends more than a line at once.
        if more.is_some() || !input.unfinished().is_empty() {
            let mut said = vec![line];
            if more == Some(true) {
                said.push(input.line().to_vec());
            }
            return Ok(Newcomer { name: None, said });
        }
        if text::has_broken_character(&line) {
            tell(connection, input, BROKEN_HINT).await?;
            continue;
        }
        let name = String::from_utf8_lossy(&line).trim().to_owned();
        if name.is_empty() {
            return Ok(Newcomer::default());
        }
        let checked = {
            let here = chat.0.participants.borrow();
            names::check(&name, chat.0.config.ascii, here.iter().map(|(_, guest)| guest.name()))
        };
        let claimed = match checked {
            Ok(()) => {
                let claimed = chat.0.elsewhere.claim(name).await;
                // It may be another one now, with the letters of this server.
                claimed.filter(|name| !chat.has_guest(name)).ok_or(names::TAKEN)
            }
            Err(why) => Err(why),
        };
        let why = match claimed {
            Ok(name) => return Ok(Newcomer { name: Some(name), said: Vec::new() }),
            Err(why) => why,
        };
        tell(connection, input, format!("*** {why}\r\n").as_bytes()).await?;
    }
    if input.unfinished().is_empty() { Err(CloseReason::Left) } else { Ok(Newcomer::default()) }
}

/// Waits for a line, which is then the input's; false at the client's FIN. What telnet asks
/// meanwhile is answered, and with `here` where it asks whether anybody is there.
async fn next_line(
    connection: &Connection,
    input: &mut Reader,
    here: &str,
) -> Result<bool, CloseReason> {
    while let Some(event) = input.next().await? {
        match event {
            Event::Line => return Ok(true),
            Event::Reply(bytes) => connection.write_all(&bytes).await?,
            Event::AreYouThere => tell(connection, input, here.as_bytes()).await?,
            Event::Typed => tell(connection, input, b"").await?,
            Event::Interrupt | Event::Leave => return Err(CloseReason::Left),
            // The reader's.
            Event::Edit(_) | Event::Key(_) | Event::Columns(_) => {}
        }
    }
    Ok(false)
}

/// Writes whole lines above what the newcomer types, or with none brings that up to date.
async fn tell(connection: &Connection, input: &Reader, lines: &[u8]) -> Result<(), CloseReason> {
    connection.write_all(&input.terminal().framed(lines)).await
}
