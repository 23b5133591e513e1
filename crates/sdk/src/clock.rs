//! The clock of an endpoint: that of the machine, or one that is set.
//!
//! - Invariant: handlers see only what is in the journal; this is asked when a sleep or a delay begins, and
//!   in a step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::vm::millis;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The machine.
    System,
    /// Whoever sets it, in ms since the epoch.
    #[cfg_attr(not(feature = "test"), allow(dead_code))]
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// The time in ms since the epoch. A clock before 1970 is taken as 1970.
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => {
                millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
            }
            Self::Set(now_ms) => now_ms.load(Ordering::SeqCst),
        }
    }

    /// The time after `duration`, in ms since the epoch.
    pub fn later_ms(&self, duration: Duration) -> u64 {
        self.now_ms().saturating_add(millis(duration))
    }
}
