//! What the room is told of who comes and goes. No I/O, no clock but the one it is handed.
//!
//! One by one while that is readable; summed up once a second in a crowd, since announcing each
//! of n joins to n members is n² lines.

use std::time::{Duration, Instant};

/// Announcements one by one in a second, at most.
const SINGLE_PER_SECOND: u32 = 50;

/// Members up to whom announcements are made one by one.
const SINGLE_MEMBERS: usize = 200;

/// Time that a summary sums up.
pub(super) const SUMMARY: Duration = Duration::from_secs(1);

/// Counts comings and goings and decides how they are told.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The second in which `singles` were announced.
    second: Option<Instant>,
    singles: u32,
    joined: u64,
    left: u64,
}

/// What is to be done about one coming or going.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Announce it now.
    Single,
    /// It is summed up: take [`Presence::summary`] after [`SUMMARY`].
    Begun,
    /// It is in the summary that somebody waits for already.
    Counted,
}

impl Presence {
    /// Someone joined; `members` are in the room now.
    pub(super) fn join(&mut self, members: usize, now: Instant) -> Telling {
        let telling = self.tell(members, now);
        self.joined += u64::from(telling != Telling::Single);
        telling
    }

    /// Someone left; `members` are in the room now.
    pub(super) fn leave(&mut self, members: usize, now: Instant) -> Telling {
        let telling = self.tell(members, now);
        self.left += u64::from(telling != Telling::Single);
        telling
    }

    /// The summary of what was not told one by one, which begins anew.
    pub(super) fn summary(&mut self, members: usize) -> Option<String> {
        let parts = [
            (std::mem::take(&mut self.joined), "joined"),
            (std::mem::take(&mut self.left), "left"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, verb)| format!("{n} {verb}")).collect();
        (!parts.is_empty()).then(|| format!("*** {} ({members} here)", parts.join(", ")))
    }

    fn tell(&mut self, members: usize, now: Instant) -> Telling {
        if self.joined + self.left > 0 {
            return Telling::Counted;
        }
        if self.second.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.singles = 0;
        }
        self.singles += 1;
        if members > SINGLE_MEMBERS || self.singles > SINGLE_PER_SECOND {
            Telling::Begun
        } else {
            Telling::Single
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_one_by_one() {
        let mut presence = Presence::default();
        let now = Instant::now();
        for n in 1..=SINGLE_PER_SECOND as usize {
            assert_eq!(presence.join(n, now), Telling::Single);
        }
        assert_eq!(presence.summary(50), None);
        let later = now + Duration::from_secs(1);
        assert_eq!(presence.leave(49, later), Telling::Single);
    }

    #[test]
    fn a_crowd_is_summed_up_exactly() {
        let mut presence = Presence::default();
        let now = Instant::now();
        let mut tellings = Vec::new();
        for n in 1..=87 {
            tellings.push(presence.join(n, now));
        }
        for n in (75..87).rev() {
            tellings.push(presence.leave(n, now));
        }
        assert_eq!(tellings.iter().filter(|t| **t == Telling::Single).count(), 50);
        assert_eq!(tellings.iter().filter(|t| **t == Telling::Begun).count(), 1);
        assert_eq!(presence.summary(75).as_deref(), Some("*** 37 joined, 12 left (75 here)"));
        assert_eq!(presence.summary(75), None);
    }

    #[test]
    fn in_a_large_room_every_coming_is_summed_up() {
        let mut presence = Presence::default();
        assert_eq!(presence.join(SINGLE_MEMBERS + 1, Instant::now()), Telling::Begun);
        assert_eq!(presence.summary(201).as_deref(), Some("*** 1 joined (201 here)"));
    }
}
