//! How those in the chat learn who comes and goes. No I/O, no clock but the one it is handed.
//!
//! One by one while that is readable; in a crowd summed up once a second, since announcing each of
//! n joins to n guests is n² lines.

use std::time::{Duration, Instant};

/// Announcements one by one in a second, at most.
const SINGLE_PER_SECOND: u32 = 50;

/// Guests up to whom announcements are made one by one.
const SINGLE_GUESTS: usize = 200;

/// Time that a summary sums up.
pub(super) const SUMMARY: Duration = Duration::from_secs(1);

/// What a guest did.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Joined,
    Left,
}

/// Counts comings and goings and decides how they are told.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The second in which `singles` were announced.
    second: Option<Instant>,
    singles: u32,
    /// Those who joined, and those who left, that the next summary tells of.
    unsaid: [u64; 2],
}

/// What is to be done about one coming or going.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Announce it now.
    Single,
    /// It is the first in a summary: take [`Presence::summary`] after [`SUMMARY`].
    Begun,
    /// It is in the summary that is to come already.
    Counted,
}

impl Presence {
    /// Notes that a guest came or went; `here` are in the chat now.
    pub(super) fn note(&mut self, change: Change, here: usize, now: Instant) -> Telling {
        let is_begun = self.unsaid != [0; 2];
        if !is_begun && self.is_single(here, now) {
            return Telling::Single;
        }
        let unsaid = &mut self.unsaid[change as usize];
        *unsaid = unsaid.saturating_add(1);
        if is_begun { Telling::Counted } else { Telling::Begun }
    }

    /// Notes a crowd that came and went at another server.
    #[cfg(feature = "relay")]
    pub(super) fn note_crowd(&mut self, joined: u64, left: u64) {
        for (unsaid, n) in self.unsaid.iter_mut().zip([joined, left]) {
            *unsaid = unsaid.saturating_add(n);
        }
    }

    /// Those who came and those who left that were not told one by one; the count begins anew.
    pub(super) fn take_unsaid(&mut self) -> [u64; 2] {
        std::mem::take(&mut self.unsaid)
    }

    fn is_single(&mut self, here: usize, now: Instant) -> bool {
        if self.second.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.singles = 0;
        }
        self.singles += 1;
        here <= SINGLE_GUESTS && self.singles <= SINGLE_PER_SECOND
    }
}

/// The line that tells of so many who came and left, if any.
pub(super) fn summary(unsaid: [u64; 2], here: usize) -> Option<String> {
    let parts: Vec<String> = unsaid
        .into_iter()
        .zip(["joined", "left"])
        .filter(|(n, _)| *n > 0)
        .map(|(n, verb)| format!("{n} {verb}"))
        .collect();
    (!parts.is_empty()).then(|| format!("*** {} ({here} here)", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_one_by_one() {
        let mut presence = Presence::default();
        let now = Instant::now();
        for n in 1..=SINGLE_PER_SECOND as usize {
            assert_eq!(presence.note(Change::Joined, n, now), Telling::Single);
        }
        assert_eq!(presence.take_unsaid(), [0, 0]);
        let later = now + Duration::from_secs(1);
        assert_eq!(presence.note(Change::Left, 49, later), Telling::Single);
    }

    #[test]
    fn a_crowd_is_summed_up_exactly() {
        let mut presence = Presence::default();
        let now = Instant::now();
        let mut tellings = Vec::new();
        for n in 1..=87 {
            tellings.push(presence.note(Change::Joined, n, now));
        }
        for n in (75..87).rev() {
            tellings.push(presence.note(Change::Left, n, now));
        }
        assert_eq!(tellings.iter().filter(|t| **t == Telling::Single).count(), 50);
        assert_eq!(tellings.iter().filter(|t| **t == Telling::Begun).count(), 1);
        let unsaid = presence.take_unsaid();
        assert_eq!(summary(unsaid, 75).as_deref(), Some("*** 37 joined, 12 left (75 here)"));
        assert_eq!(summary(presence.take_unsaid(), 75), None);
    }

    #[test]
    fn in_a_large_room_every_coming_is_summed_up() {
        let mut presence = Presence::default();
        assert_eq!(
            presence.note(Change::Joined, SINGLE_GUESTS + 1, Instant::now()),
            Telling::Begun
        );
        let unsaid = presence.take_unsaid();
        assert_eq!(summary(unsaid, 201).as_deref(), Some("*** 1 joined (201 here)"));
    }
}
