//! The clock of a partition: milliseconds since the epoch that never go back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use reveille_engine::command::Millis;

/// A clock that goes at half speed when the system clock is set back, until that has caught up: time
/// never goes back, and nothing that waits stands still for as long as the step was.
#[derive(Debug, Default)]
pub struct Clock {
    last: Millis,
    /// The time at which the system clock fell behind, and when that was.
    ahead: Option<(Millis, Instant)>,
}

impl Clock {
    /// The time now.
    pub fn now(&mut self) -> Millis {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let system = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        self.advance(system, Instant::now())
    }

    fn advance(&mut self, system: Millis, instant: Instant) -> Millis {
        if system >= self.last {
            self.last = system;
            self.ahead = None;
        } else {
            let (begun, since) = *self.ahead.get_or_insert((self.last, instant));
            let elapsed = instant.saturating_duration_since(since).as_millis() / 2;
            let slow = begun.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX));
            self.last = self.last.max(slow);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_system_clock_that_is_set_back_is_waited_for_at_half_speed() {
        let begun = Instant::now();
        let mut clock = Clock::default();
        // After how many milliseconds, what the system clock says, what this clock says.
        let table = [
            (0, 10_000, 10_000),
            (100, 10_100, 10_100),
            (200, 9_200, 10_100),
            (400, 9_400, 10_200),
            // Set back once more.
            (600, 8_600, 10_300),
            (600, 8_600, 10_300),
            // Set right again.
            (800, 10_390, 10_390),
            (900, 10_900, 10_900),
            (1_000, 10_800, 10_900),
            (1_200, 11_000, 11_000),
        ];
        for (after, system, expected) in table {
            let instant = begun + Duration::from_millis(after);
            assert_eq!(clock.advance(system, instant), expected, "after {after} ms");
        }
    }
}
