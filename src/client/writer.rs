//! What a room has for a member, written to its connection.

use std::future::Future;

use futures_lite::future::yield_now;

use crate::room::{Fill, Member};
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;

/// Writes what the room has for `member` until it has left and has taken all of it: the writer of
/// a client, for [`Connection::spawn_writer`]. `notice` is what the client reads about lines that it
/// was too slow to get, [`missed_notice`] or nothing.
///
/// # Errors
/// Why the connection can be written to no longer; its reader is told as well.
pub fn pump(
    connection: Connection,
    member: Member,
    notice: impl Fn(u64) -> String,
) -> impl Future<Output = Result<(), CloseReason>> {
    let guarded = CloseOnPanic(connection);
    // A block and not an `async fn`, whose future would hold its arguments twice.
    async move {
        let connection = &guarded.0;
        loop {
            match step(connection, &member, &notice)? {
                Step::Idle => member.ready().await,
                Step::Blocked => connection.writable().await?,
                Step::More => yield_now().await,
                Step::Done => return Ok(()),
            }
        }
    }
}

/// `*** you missed 12 lines`, with its CR LF.
pub fn missed_notice(lines: u64) -> String {
    let s = if lines == 1 { "" } else { "s" };
    format!("*** you missed {lines} line{s}\r\n")
}

/// What the writer is to wait for.
enum Step {
    /// Something to write.
    Idle,
    /// Room in the socket.
    Blocked,
    /// Its next turn: there is more to write, and others come first.
    More,
    /// Nothing: it is done.
    Done,
}

/// Makes one write, if there is anything to write. MUST NOT wait.
fn step(
    connection: &Connection,
    member: &Member,
    notice: &impl Fn(u64) -> String,
) -> Result<Step, CloseReason> {
    let mut buffer = connection.buffer();
    loop {
        match member.fill(&mut buffer) {
            Fill::Missed(lines) => {
                connection.add_missed(lines);
                // It fits, since nothing else waits where this is said.
                member.tell(notice(lines));
            }
            Fill::Bytes(filled) => {
                let written = connection.try_write(&buffer[..filled])?;
                connection.stats().lines_out.add(member.consume(written));
                return Ok(match member.unread() {
                    _ if written < filled => Step::Blocked,
                    0 => Step::Idle,
                    _ => Step::More,
                });
            }
            Fill::Nothing => return Ok(Step::Idle),
            Fill::End => return Ok(Step::Done),
        }
    }
}

/// A panic of this task would leave a client that is read and never written to.
struct CloseOnPanic(Connection);

impl Drop for CloseOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.request_close(CloseReason::Failed);
        }
    }
}
