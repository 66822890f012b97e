//! Numbers for guests, which the engine gives in blocks: no newcomer waits for it. No I/O.

use std::ops::Range;

/// Numbers asked for at once, at first. A server that needs them faster asks for twice as many.
const FIRST: u64 = 8;

/// Numbers asked for at once, at most.
const MOST: u64 = 256;

#[derive(Debug)]
pub(crate) struct Numbers {
    current: Range<u64>,
    /// The block behind it, so that one is there while another is asked for.
    next: Range<u64>,
    block: u64,
    /// The highest that the engine gave.
    highest: u64,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers { current: 0..0, next: 0..0, block: FIRST, highest: 0 }
    }
}

impl Numbers {
    /// The next number, if there is one.
    pub(crate) fn take(&mut self) -> Option<u64> {
        if self.current.is_empty() {
            self.current = std::mem::take(&mut self.next);
            if self.current.is_empty() {
                self.block = (2 * self.block).min(MOST);
            }
        }
        self.current.next()
    }

    /// How many to ask the engine for, if any.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.next.is_empty().then_some(self.block)
    }

    /// The engine gave `count` numbers up to `last`.
    pub(crate) fn add(&mut self, last: u64, count: u64) {
        let end = last.saturating_add(1);
        self.next = end.saturating_sub(count)..end;
        self.highest = self.highest.max(last);
    }

    /// The highest number that the engine gave. If each server has one that has forgotten them pass
    /// over so many, none is given twice.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_there_while_the_next_one_is_asked_for() {
        let mut numbers = Numbers::default();
        assert_eq!((numbers.take(), numbers.wanted()), (None, Some(16)));
        numbers.add(16, 16);
        assert_eq!(numbers.highest(), 16);
        assert_eq!((numbers.wanted(), numbers.take(), numbers.wanted()), (None, Some(1), Some(16)));
        numbers.add(48, 16);
        assert_eq!(numbers.highest(), 48);
        let all: Vec<u64> = std::iter::from_fn(|| numbers.take()).collect();
        assert_eq!(all, (2..=16).chain(33..=48).collect::<Vec<_>>());
    }
}
