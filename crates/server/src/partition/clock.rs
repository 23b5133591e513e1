//! The clock of a partition: milliseconds since the epoch that never go back.

use std::time::{SystemTime, UNIX_EPOCH};

use reveille_engine::command::Millis;

/// A clock that stands still when the system clock is set back, until that has caught up.
#[derive(Debug, Default)]
pub struct Clock {
    last: Millis,
}

impl Clock {
    /// The time now.
    pub fn now(&mut self) -> Millis {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        self.last = self.last.max(now);
        self.last
    }
}
