//! The buffer that the clients of a server take turns with, to read into and to write from.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::limits::BUFFER_BYTES;

/// The buffer that a server's connections take turns with: an idle client holds none.
///
/// A connection that holds it across an `.await` keeps it, and the next one that needs a buffer gets
/// a new one. A buffer that is dropped goes back, and of two that come back one stays.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(RefCell<Box<[u8]>>);

/// The bytes that [`Connection::read`](crate::Connection::read) returned: a slice, `[u8]`.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    start: u32,
    end: u32,
    pool: Rc<BufferPool>,
}

impl BufferPool {
    /// The whole buffer, [`BUFFER_BYTES`] with anything in them.
    pub(crate) fn take(self: &Rc<BufferPool>) -> Buffer {
        let mut bytes = self.0.take();
        if bytes.is_empty() {
            bytes = vec![0; BUFFER_BYTES].into();
        }
        Buffer { bytes, start: 0, end: BUFFER_BYTES as u32, pool: self.clone() }
    }

    /// Lends the whole buffer for a moment; `use_buffer` MUST NOT take it once more.
    pub(crate) fn lend<R>(&self, use_buffer: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut bytes = self.0.borrow_mut();
        if bytes.is_empty() {
            *bytes = vec![0; BUFFER_BYTES].into();
        }
        use_buffer(&mut bytes)
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        if buffer.len() == BUFFER_BYTES {
            self.0.replace(buffer);
        }
    }
}

impl Buffer {
    /// Marks the first `n` bytes as parsed.
    pub(crate) fn advance(&mut self, n: usize) {
        self.start += n.min(self.len()) as u32;
    }

    /// Keeps an exact copy, if that is smaller, and gives the buffer back to the others. A copy is
    /// made once: one of many short lines would be copied again at every pause.
    pub(crate) fn release(&mut self) {
        if self.bytes.len() == BUFFER_BYTES && self.len() < BUFFER_BYTES {
            let rest: Box<[u8]> = self[..].into();
            (self.start, self.end) = (0, rest.len() as u32);
            self.pool.give_back(std::mem::replace(&mut self.bytes, rest));
        }
    }

    /// Keeps the first `n` bytes only.
    pub(super) fn truncate(&mut self, n: usize) {
        self.end = self.end.min(self.start + n as u32);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start as usize..self.end as usize]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}
