//! What asyncio has and smol lacks, a few lines each: take the file you need.
//!
//! A `bell` in them is something to wake the waiters: an `event_listener::Event`.

mod as_completed;
mod condition;
mod event;
mod gather;
mod lifo_queue;
mod on_cancel;
mod open_connection;
mod priority_queue;
mod queue;
mod start_server;
mod wait;
mod wait_for;

pub use as_completed::as_completed;
pub use condition::Condition;
pub use event::Event;
pub use gather::gather;
pub use lifo_queue::LifoQueue;
pub use on_cancel::OnCancel;
pub use open_connection::{OpenConnection, open_connection};
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use start_server::{Server, start_server};
pub use wait::{all_completed, first_completed, first_exception, wait};
pub use wait_for::wait_for;
