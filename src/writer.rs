//! A room member's lines, pumped into its connection: the body of each client's writer task.

use std::future::Future;
use std::rc::Rc;

use futures_lite::future::yield_now;

use crate::connection::Connection;
use crate::figures::Reason;
use crate::room::{Member, Taken};

/// Writes what the member is due until it has left and taken all of it.
///
/// # Errors
/// Why the connection can be written to no longer; its reader is told as well.
pub fn pump(
    connection: Rc<Connection>,
    member: Rc<Member>,
) -> impl Future<Output = Result<(), Reason>> {
    let guarded = EndOnPanic(connection);
    // A block and not an `async fn`, whose future would hold its arguments twice.
    async move {
        let connection = &guarded.0;
        loop {
            let taken = connection
                .write_with(|| {
                    let mut buffer = connection.scratch();
                    member.take(&mut buffer, |bytes| connection.try_write(bytes))
                })
                .await?;
            match taken {
                Taken::Some { lines, missed } => {
                    connection.figures().lines_out.add(lines);
                    connection.add_missed(missed);
                    // There is more in the log: others first.
                    if member.backlog() > 0 {
                        yield_now().await;
                    }
                }
                Taken::Nothing => {}
                Taken::End => return Ok(()),
            }
            member.rung().await;
        }
    }
}

/// A panic of this task would leave a client that is read and never written to.
struct EndOnPanic(Rc<Connection>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Reason::Failed);
        }
    }
}
