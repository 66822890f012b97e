//! What a room has for a member, written to its connection.

use std::future::Future;
use std::task::{Context, Poll};

use futures_lite::future::{poll_fn, yield_now};

use super::editor::{ERASE_BYTES, Editor};
use super::terminal::Terminal;
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
    let terminal = Terminal::default();
    run(terminal, connection, member, Writer::write, notice).await
}

/// As [`pump`], to a terminal that may have an editor, which is to be [ended](Terminal::end) behind
/// it.
pub(crate) fn pump_to(
    terminal: Terminal,
    connection: Connection,
    member: Member,
    notice: impl Fn(u64) -> String,
) -> impl Future<Output = Result<(), CloseReason>> {
    run(terminal, connection, member, Writer::write_to_terminal, notice)
}

fn run(
    terminal: Terminal,
    connection: Connection,
    member: Member,
    write: Write,
    notice: impl Fn(u64) -> String,
) -> impl Future<Output = Result<(), CloseReason>> {
    let writer = Writer { terminal, connection, member, write };
    // A block and not an `async fn`, see client.rs.
    async move {
        loop {
            let fill = writer.step(&notice)?;
            if fill == Fill::End {
                return Ok(());
            }
            if writer.connection.is_full() {
                writer.connection.writable().await?;
            } else if fill != Fill::Nothing && writer.is_ready() {
                // There is more to write, and others have their turn first.
                yield_now().await;
            } else {
                poll_fn(|cx| writer.poll_ready(cx)).await;
            }
        }
    }
}

/// `*** you missed 12 lines`, with its CR LF.
pub fn missed_notice(lines: u64) -> String {
    let s = if lines == 1 { "" } else { "s" };
    format!("*** you missed {lines} line{s}\r\n")
}

/// What a client's lines come from, and where they go.
struct Writer {
    terminal: Terminal,
    connection: Connection,
    member: Member,
    /// Makes a write. A pointer, so that programs without the editor have none of its code.
    write: Write,
}

type Write = fn(&Writer, &mut [u8]) -> Result<Fill, CloseReason>;

impl Writer {
    /// Makes one write, if there is anything to write. MUST NOT wait.
    fn step(&self, notice: &impl Fn(u64) -> String) -> Result<Fill, CloseReason> {
        let fill = self.connection.with_buffer(|buffer| (self.write)(self, buffer))?;
        if let Fill::Missed(lines) = fill {
            self.connection.add_missed(lines);
            // It fits, since nothing is pending when lines are missed.
            self.member.tell(notice(lines));
        }
        Ok(fill)
    }

    fn write(&self, buffer: &mut [u8]) -> Result<Fill, CloseReason> {
        let fill = self.member.fill(buffer);
        if let Fill::Bytes(batch) = fill {
            let written = self.connection.try_write(&buffer[..batch.bytes])?;
            self.connection.stats().lines_out.add(self.member.consume(batch, written));
        }
        Ok(fill)
    }

    fn write_to_terminal(&self, buffer: &mut [u8]) -> Result<Fill, CloseReason> {
        match self.terminal.editor() {
            Some(mut editor) => self.write_around(&mut editor, buffer),
            None => self.write(buffer),
        }
    }

    /// The same, with the row in which the client types below what is written.
    fn write_around(&self, editor: &mut Editor, buffer: &mut [u8]) -> Result<Fill, CloseReason> {
        let fill = if editor.is_behind() {
            Fill::Nothing
        } else {
            self.member.fill(&mut buffer[ERASE_BYTES..])
        };
        let lines = match fill {
            Fill::Bytes(batch) => batch.bytes,
            Fill::Nothing => 0,
            Fill::Missed(_) | Fill::End => return Ok(fill),
        };
        let frame = editor.frame(buffer, lines);
        if !frame.bytes.is_empty() {
            let written = self.connection.try_write(&buffer[frame.bytes.clone()])?;
            let lines = editor.written(frame, buffer, written);
            if let Fill::Bytes(batch) = fill {
                self.connection.stats().lines_out.add(self.member.consume(batch, lines));
            }
        }
        Ok(fill)
    }

    /// Whether there may be something to write.
    fn is_ready(&self) -> bool {
        self.terminal.is_due() || self.member.is_ready()
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.terminal.is_due() { Poll::Ready(()) } else { self.member.poll_ready(cx) }
    }
}

/// Closes the connection when the writer panics: its client would be read and never written to.
impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.connection.request_close(CloseReason::Failed);
        }
    }
}
