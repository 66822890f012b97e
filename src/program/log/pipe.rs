//! Writing without waiting to a pipe that this process may not open, on Linux. Knows nothing of
//! what is in the lines.

use std::io::IoSlice;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::{Errno, ReadWriteFlags, Result, pwritev2, read, write};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

use super::LINE_BYTES;

/// The offset that means "where the stream is", since a pipe has no other: pwritev2(2).
const HERE: u64 = u64::MAX;

/// A pipe of our own, through which a line can go into somebody else's. Empty between two lines.
pub(super) struct Detour {
    exit: OwnedFd,
    entry: OwnedFd,
}

impl Detour {
    pub(super) fn new() -> Result<Detour> {
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Detour { exit, entry })
    }

    /// Writes a line of at most [`LINE_BYTES`] to `pipe`, without waiting: all of it, or nothing.
    pub(super) fn write(&self, line: &[u8], pipe: BorrowedFd<'_>) -> Result<usize> {
        match pwritev2(pipe, &[IoSlice::new(line)], HERE, ReadWriteFlags::NOWAIT) {
            // A pipe with a name, or a kernel before 6.4.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => self.splice(line, pipe),
            written => written,
        }
    }

    /// Moves the line there from our own pipe. That works for every pipe, but each line then takes
    /// a whole page of the other pipe, which as a rule has sixteen.
    fn splice(&self, line: &[u8], pipe: BorrowedFd<'_>) -> Result<usize> {
        let held = write(&self.entry, line)?;
        let moved = splice(&self.exit, None, pipe, None, held, SpliceFlags::NONBLOCK);
        if moved != Ok(held) {
            read(&self.exit, &mut [0; LINE_BYTES])?;
        }
        moved
    }
}
