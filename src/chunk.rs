//! The buffer that the clients of a server take turns with, to read into and to write from.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::limits::CHUNK_BYTES;

/// The buffer that a server's connections take turns with: an idle client holds none.
///
/// Who holds its chunk over an `.await` keeps it, and the next one who needs it gets a new one;
/// dropped, it goes back, and of two that come back one stays.
#[derive(Debug, Default)]
pub(crate) struct Scratch(RefCell<Box<[u8]>>);

/// Bytes read from a client, as far as they were not looked at; or a buffer to fill.
#[derive(Debug)]
pub struct Chunk {
    bytes: Box<[u8]>,
    start: u32,
    end: u32,
    scratch: Rc<Scratch>,
}

impl Scratch {
    /// The whole buffer, [`CHUNK_BYTES`] with anything in them.
    pub(crate) fn take(self: &Rc<Scratch>) -> Chunk {
        let mut bytes = self.0.take();
        if bytes.is_empty() {
            bytes = vec![0; CHUNK_BYTES].into();
        }
        Chunk { bytes, start: 0, end: CHUNK_BYTES as u32, scratch: self.clone() }
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        if buffer.len() == CHUNK_BYTES {
            self.0.replace(buffer);
        }
    }
}

impl Chunk {
    /// Marks the first `n` bytes as looked at.
    pub fn advance(&mut self, n: usize) {
        self.start += n.min(self.len()) as u32;
    }

    /// Keeps an exact copy, if that is smaller, and gives the buffer back to the others. A copy is
    /// made once: one of many short lines would be copied again at every pause.
    pub fn release(&mut self) {
        if self.bytes.len() == CHUNK_BYTES && self.len() < CHUNK_BYTES {
            let rest: Box<[u8]> = self[..].into();
            (self.start, self.end) = (0, rest.len() as u32);
            self.scratch.give_back(std::mem::replace(&mut self.bytes, rest));
        }
    }

    /// Keeps the first `n` bytes only.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.end = self.end.min(self.start + n as u32);
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start as usize..self.end as usize]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.scratch.give_back(std::mem::take(&mut self.bytes));
    }
}
