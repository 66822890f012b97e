//! What a room has for a member, written to its connection.

use futures_lite::future::yield_now;

use crate::room::{Fill, Member};
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;

/// Writes what the room has for `member` until it has left and has taken all of it: the writer of a
/// client, for [`Connection::spawn_writer`]. `notice` is what the client reads about lines that it
/// was too slow to get: [`missed_notice`], or nothing.
///
/// The handler that reads has the member leave when it is done:
///
/// ```
/// use smol_servers::{CloseReason, Connection, Room, missed_notice, pump};
///
/// /// Sends a client what is published in the room, until it closes its side.
/// async fn follow(room: Room, connection: Connection) -> Result<(), CloseReason> {
///     let member = room.join();
///     connection.spawn_writer(pump(connection.clone(), member.clone(), missed_notice));
///     let result = until_fin(&connection).await;
///     member.leave();
///     result
/// }
///
/// async fn until_fin(connection: &Connection) -> Result<(), CloseReason> {
///     while !connection.read().await?.is_empty() {}
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Why the connection can be written to no longer; its reader is told as well.
pub async fn pump(
    connection: Connection,
    member: Member,
    notice: impl Fn(u64) -> String,
) -> Result<(), CloseReason> {
    let guarded = CloseOnPanic(connection);
    let connection = &guarded.0;
    loop {
        match step(connection, &member, &notice)? {
            Fill::End => return Ok(()),
            Fill::Bytes(_) if connection.is_full() => connection.writable().await?,
            // There is more to write, and others have their turn first.
            Fill::Bytes(_) if member.is_ready() => yield_now().await,
            Fill::Bytes(_) | Fill::Missed(_) | Fill::Nothing => member.ready().await,
        }
    }
}

/// `*** you missed 12 lines`, with its CR LF.
pub fn missed_notice(lines: u64) -> String {
    let s = if lines == 1 { "" } else { "s" };
    format!("*** you missed {lines} line{s}\r\n")
}

/// Makes one write, if there is anything to write. MUST NOT wait.
fn step(
    connection: &Connection,
    member: &Member,
    notice: &impl Fn(u64) -> String,
) -> Result<Fill, CloseReason> {
    let fill = connection.with_buffer(|buffer| {
        let fill = member.fill(buffer);
        if let Fill::Bytes(batch) = fill {
            let written = connection.try_write(&buffer[..batch.bytes])?;
            connection.stats().lines_out.add(member.consume(batch, written));
        }
        Ok(fill)
    })?;
    if let Fill::Missed(lines) = fill {
        connection.add_missed(lines);
        // It fits, since nothing is pending when lines are missed.
        member.tell(notice(lines));
    }
    Ok(fill)
}

/// Closes the connection when the writer panics: its client would be read and never written to.
struct CloseOnPanic(Connection);

impl Drop for CloseOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.request_close(CloseReason::Failed);
        }
    }
}
