//! The pauses of a busy chat, in which lines are gathered: one timer for the room, none for a guest.

use std::time::Duration;

use crate::driver::Timer;
use crate::room::Ringer;

/// What each guest adds to a pause: a write to each takes about a twentieth of it.
const FOR_EACH: Duration = Duration::from_micros(100);

/// Has the room pause after it rang, for at most `longest`, until the room is gone.
pub(super) async fn keep(ringer: Ringer, longest: Duration) {
    while let Some(mut guests) = ringer.pauses().await {
        loop {
            Timer::after(pause(guests, longest)).await;
            let Some(now) = ringer.ring() else { break };
            guests = now;
        }
    }
}

/// A small chat keeps its promptness, a large one saves the more. Our own driver waits in whole
/// milliseconds, rounded up.
fn pause(guests: usize, longest: Duration) -> Duration {
    FOR_EACH.saturating_mul(guests.try_into().unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_the_guests_up_to_its_bound() {
        let longest = Duration::from_millis(10);
        assert_eq!(pause(2, longest), Duration::from_micros(200));
        assert_eq!(pause(100, longest), longest);
        assert_eq!(pause(usize::MAX, longest), longest);
    }
}
