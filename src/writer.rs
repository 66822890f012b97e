//! A room member's lines, pumped into its connection: the body of each client's writer task.

use std::rc::Rc;

use futures_lite::future::yield_now;

use crate::connection::Connection;
use crate::figures::Reason;
use crate::limits::TURN;
use crate::room::{Member, Taken};

/// Writes what the member is due until it has left and taken all of it.
///
/// # Errors
/// Why the connection can be written to no longer; its reader is told as well.
pub async fn pump(connection: Rc<Connection>, member: Rc<Member>) -> Result<(), Reason> {
    let _guard = EndOnPanic(&connection);
    loop {
        let taken = connection
            .write_with(|| {
                let mut chunk = connection.chunk();
                member.take(&mut chunk.bytes, |bytes| connection.try_write(bytes))
            })
            .await?;
        match taken {
            Taken::Some { lines, missed } => {
                connection.figures().lines_out.add(lines);
                connection.add_missed(missed);
                if lines >= TURN as u64 {
                    yield_now().await;
                }
            }
            Taken::Nothing => member.rung().await,
            Taken::End => return Ok(()),
        }
    }
}

/// A panic of this task would leave a client that is read and never written to.
struct EndOnPanic<'a>(&'a Connection);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Reason::Failed);
        }
    }
}
