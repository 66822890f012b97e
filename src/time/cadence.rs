//! When the next tick is due. No I/O, no clock but those it is handed.

use std::time::Duration;

/// Time until the next tick, by a wall clock that may be stepped at any moment and the time
/// since the last tick, if there was one, which may not: at least half of `every` after the last one, so that a
/// step makes no burst, and at most one and a half, so that it makes no pause.
pub(super) fn until_tick(
    wall: Duration,
    since_last: Option<Duration>,
    every: Duration,
) -> Duration {
    let past = Duration::from_nanos((wall.as_nanos() % every.as_nanos()) as u64);
    let mut wait = every - past;
    let Some(since_last) = since_last else { return wait };
    if since_last + wait < every / 2 {
        wait += every;
    }
    wait.min((every * 3 / 2).saturating_sub(since_last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn ticks_fall_on_the_second() {
        assert_eq!(until_tick(ms(5_001), Some(ms(0)), SECOND), ms(999));
        assert_eq!(until_tick(ms(5_700), Some(ms(699)), SECOND), ms(300));
    }

    #[test]
    fn the_first_tick_is_the_first_boundary() {
        assert_eq!(until_tick(ms(5_900), None, SECOND), ms(100));
        assert_eq!(until_tick(ms(59_000), None, 20 * SECOND), SECOND);
    }

    #[test]
    fn a_clock_stepped_any_way_makes_neither_burst_nor_pause() {
        for stepped in (0..10_000).step_by(7) {
            for since_last in (0..1_000).step_by(13) {
                let tick = ms(since_last) + until_tick(ms(stepped), Some(ms(since_last)), SECOND);
                assert!(tick >= SECOND / 2 && tick <= SECOND * 3 / 2, "{stepped} {since_last}");
            }
        }
    }
}
