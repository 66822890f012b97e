//! Frees the lines that guests said, kept for them to say again, once they rest: one timer for the
//! chat, none for a guest.

use std::rc::{Rc, Weak};
use std::time::Duration;

use super::{Chat, Inner};
use crate::driver::Timer;
use crate::server::connection::Connection;

/// A guest that presses no key for this time, or at most twice as long, rests.
const REST: Duration = Duration::from_secs(10 * 60);

/// Looks after the lines of all guests from now on, until there are none.
pub(super) fn look_after(chat: &Chat, connection: &Connection) {
    if !chat.0.looks_after.replace(true) {
        connection.spawn_detached(keep_looking(Looking(Rc::downgrade(&chat.0))));
    }
}

async fn keep_looking(looking: Looking) {
    loop {
        Timer::after(REST).await;
        let Some(chat) = looking.0.upgrade() else { return };
        if !free(&chat) {
            return;
        }
    }
}

/// Whoever looks after the lines. A server that ends while the chat has another drops it, and the
/// next line said in the editor begins again.
struct Looking(Weak<Inner>);

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(chat) = self.0.upgrade() {
            chat.looks_after.set(false);
        }
    }
}

/// Frees the lines of guests that pressed no key since the last time; true if there are others.
fn free(chat: &Inner) -> bool {
    let here = chat.participants.borrow();
    here.iter().fold(false, |others, (_, guest)| guest.terminal.rest() || others)
}
