//! What the steps of a partition mean for its metrics.
//!
//! - Owns: which steps create invocations and which ones are the failure of an attempt.
//! - Invariant: the plain path costs a look at the first byte of each key and at the kind of each
//!   effect; a record is decoded only for an attempt that failed.

use bytes::Bytes;
use reveille_engine::Step;
use reveille_engine::command::Command;
use reveille_engine::effect::Effect;
use reveille_engine::keys::{self, tag};
use reveille_engine::record::{self, InvocationRecord};
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;

use super::availability::Mode;
use super::driver::Driver;
use crate::metrics::DOC_CODES;

/// What is counted when a batch is durable.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) commands: u64,
    pub(super) created: u64,
}

impl Tally {
    /// Looks at a row that is written: the first entry of a journal begins an invocation.
    pub(super) fn follow(&mut self, key: &Bytes, value: Option<&Bytes>) {
        let first_entry = key.first() == Some(&tag::JOURNAL) && key.ends_with(&[0; 4]);
        self.created += u64::from(first_entry && value.is_some());
    }
}

/// What must be known of a command to judge its step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The stream of an attempt ended; its documentation code.
    Failed(&'static str),
    /// Frames; true when the last one says that the attempt failed.
    Frames {
        error: bool,
    },
    Other,
}

impl Origin {
    pub(super) fn of(command: &Command) -> Origin {
        match command {
            Command::AttemptFailed { failure, .. } => Origin::Failed(failure.doc_code),
            Command::Frames { frames, .. } => Origin::Frames {
                error: frames.last().is_some_and(|frame| frame.ty == MessageType::ERROR),
            },
            _ => Origin::Other,
        }
    }

    /// The invocation whose attempt failed in a step, and why.
    pub(super) fn failure(self, step: &Step) -> Option<(InvocationId, &'static str)> {
        let (mut ended, mut aborted, mut retried) = (None, false, false);
        for effect in &step.effects {
            match effect {
                Effect::EndAttempt(id, _) => ended = Some(*id),
                Effect::AbortAttempt(..) => aborted = true,
                Effect::RetryAt(..) => retried = true,
                _ => {}
            }
        }
        let id = ended?;
        match self {
            Origin::Failed(code) => Some((id, code)),
            // Frames that the engine refuses abort their attempt.
            Origin::Frames { error } if error || aborted => Some((id, doc_code(step, id))),
            // An attempt that found no deployment failed before it began.
            _ if retried => Some((id, doc_code(step, id))),
            _ => None,
        }
    }
}

impl Driver {
    /// Counts what a step means.
    pub(super) fn observe(&mut self, origin: Origin, step: &Step) {
        self.open.tally.commands += 1;
        if let Some((id, code)) = origin.failure(step) {
            self.parts.outputs.attempt_failed(id, code);
        }
    }

    /// Counts what is durable now.
    pub(super) fn count_durable(&self, tally: &Tally, bytes: usize) {
        let metrics = self.parts.outputs.metrics();
        metrics.commands.add(tally.commands);
        metrics.created.add(tally.created);
        metrics.batch_size.record(bytes as u64);
    }

    /// Shows how things stand at the end of a turn.
    pub(super) fn publish(&mut self) {
        self.parts.outputs.publish();
        let metrics = self.parts.outputs.metrics();
        metrics.batches_in_flight.set_len(self.in_flight.len());
        metrics.serving.set(u64::from(matches!(self.mode, Mode::Serving)));
        self.census.publish(metrics);
    }
}

/// Reads why an attempt failed from the record in its step; that is gone when nothing is kept.
fn doc_code(step: &Step, id: InvocationId) -> &'static str {
    let key = keys::invocation(id);
    let row = step.writes.iter().find(|write| write.key == key);
    let record = row
        .and_then(|write| write.value.as_ref())
        .and_then(|value| record::decode::<InvocationRecord>(&key, value).ok());
    let failure = record.and_then(|record| record.last_failure);
    let code = failure.as_ref().map_or("", |failure| failure.doc_code.as_str());
    DOC_CODES.into_iter().find(|known| *known == code).unwrap_or("other")
}
