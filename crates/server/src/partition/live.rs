//! An attempt that is open: what is known of it until it ends.
//!
//! - Owns: when it was heard of, what it said last, and how it counts and is told when it ends.
//! - Does not own: its stream ([`crate::invoker`]).

use reveille_engine::command::{AttemptId, Command};
use reveille_engine::effect::AttemptStart;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use tokio::time::Instant;
use tracing::debug;

use crate::invoker::AttemptHandle;
use crate::metrics::PartitionMetrics;
use crate::traces::Tracer;
use crate::traces::span::{AttemptTrace, Outcome, now_ns};

/// An open attempt.
pub(super) struct LiveAttempt {
    pub(super) attempt: AttemptId,
    pub(super) handle: AttemptHandle,
    pub(super) started_at: Instant,
    pub(super) heard_at: Instant,
    /// It was asked to make room since it was last heard from.
    pub(super) pressed: bool,
    /// What it came to, as far as it has said.
    pub(super) outcome: Outcome,
    trace: Option<Box<AttemptTrace>>,
}

/// Takes what the span of an attempt needs, before the attempt is started; `None` when it has none.
pub(super) fn trace(start: &AttemptStart, tracer: &Tracer) -> Option<Box<AttemptTrace>> {
    let context = start.trace.as_deref().filter(|context| context.recorded && tracer.is_on())?;
    Some(Box::new(AttemptTrace {
        context: context.clone(),
        id: start.id,
        attempt: start.attempt,
        deployment: Some(start.deployment),
        service: start.service.clone(),
        handler: start.handler.clone(),
        started_at_ns: now_ns(),
    }))
}

impl LiveAttempt {
    pub(super) fn new(
        attempt: AttemptId,
        handle: AttemptHandle,
        trace: Option<Box<AttemptTrace>>,
    ) -> LiveAttempt {
        let now = Instant::now();
        let (started_at, heard_at, pressed, outcome) = (now, now, false, Outcome::Aborted);
        LiveAttempt { attempt, handle, started_at, heard_at, pressed, outcome, trace }
    }

    /// Notes that it is alive, or why it is not any more.
    pub(super) fn heard(&mut self, command: &Command) {
        self.heard_at = Instant::now();
        self.pressed = false;
        if let Command::Frames { frames, .. } = command
            && let Some(last) = frames.last()
        {
            match last.ty {
                MessageType::END => self.outcome = Outcome::Completed,
                MessageType::SUSPENSION => self.outcome = Outcome::Suspended,
                _ => {}
            }
        }
    }

    /// Counts it at its end. That is when it was last heard of, so that no clock is read for it.
    pub(super) fn end(
        self,
        id: InvocationId,
        metrics: &PartitionMetrics,
        tracer: &Tracer,
    ) -> AttemptHandle {
        metrics.attempt_duration.record_duration(self.heard_at - self.started_at);
        let (attempt, outcome) = (self.attempt, self.outcome);
        debug!(invocation_id = %id, %attempt, ?outcome, "attempt ended");
        if let Some(trace) = self.trace {
            tracer.record(trace.end(self.outcome));
        }
        self.handle
    }
}
