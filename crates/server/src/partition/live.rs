//! An attempt that is open: what is known of it until it ends.
//!
//! - Owns: when it was heard of, and how it counts when it ends.
//! - Does not own: its stream ([`crate::invoker`]).

use reveille_engine::command::AttemptId;
use tokio::time::Instant;

use crate::invoker::AttemptHandle;
use crate::metrics::PartitionMetrics;

/// An open attempt.
pub(super) struct LiveAttempt {
    pub(super) attempt: AttemptId,
    pub(super) handle: AttemptHandle,
    pub(super) started_at: Instant,
    pub(super) heard_at: Instant,
    /// It was asked to make room since it was last heard from.
    pub(super) pressed: bool,
}

impl LiveAttempt {
    pub(super) fn new(attempt: AttemptId, handle: AttemptHandle) -> LiveAttempt {
        let now = Instant::now();
        LiveAttempt { attempt, handle, started_at: now, heard_at: now, pressed: false }
    }

    /// Notes that it is alive.
    pub(super) fn heard(&mut self) {
        self.heard_at = Instant::now();
        self.pressed = false;
    }

    /// Counts it at its end. That is when it was last heard of, so that no clock is read for it.
    pub(super) fn end(self, metrics: &PartitionMetrics) -> AttemptHandle {
        metrics.attempt_duration.record_duration(self.heard_at - self.started_at);
        self.handle
    }
}
