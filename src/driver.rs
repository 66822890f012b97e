//! The three names taken from smol's reactor.
//!
//! Every other module imports them from here, so that another driver can stand in this place
//! and be compared. What the code asks of it: [`Async`] registers a non-blocking socket and
//! answers `poll_readable` and `poll_writable` once for each direction, [`Timer`] waits for an
//! instant, [`block_on`] runs one future and the events beneath it on the calling thread.

pub(crate) use smol::{Async, Timer, block_on};
