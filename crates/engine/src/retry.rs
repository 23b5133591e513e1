//! Failed attempts: back-off, pause and kill.
//!
//! - Owns: the retry policy and what is remembered of a failure.
//! - Invariant: a failed attempt never loses a stored entry; secrets are masked before a text of an
//!   SDK is stored.

use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{ErrorBehavior, ErrorMessage};
use twox_hash::XxHash3_64;

use crate::attempt;
use crate::command::{AttemptFailure, AttemptId, Millis};
use crate::complete::{self, End};
use crate::effect::Effect;
use crate::event;
use crate::mask::mask_secrets;
use crate::message::Outcome;
use crate::record::{Status, StoredFailure};
use crate::schema::{OnMaxAttempts, RetryPolicy};
use crate::tx::{EngineError, Invocation, Tx};

/// Longest text that is stored of a failure, in bytes.
pub const FAILURE_TEXT_BYTES_MAX: usize = 16 * 1024;

/// Policy of invocations whose handler is no longer registered.
const POLICY_UNREGISTERED: RetryPolicy = RetryPolicy {
    initial_interval_ms: 500,
    factor: 2.0,
    max_interval_ms: 60_000,
    max_attempts: None,
    on_max_attempts: OnMaxAttempts::Pause,
};

/// The stream of an attempt ended without a terminal frame.
pub fn on_attempt_failed(
    tx: &mut Tx<'_>,
    id: InvocationId,
    attempt: AttemptId,
    failure: AttemptFailure,
) -> Result<(), EngineError> {
    let Some(mut invocation) = attempt::live(tx, id, attempt)? else { return Ok(()) };
    fail(tx, &mut invocation, failure)
}

/// Fails the current attempt for a reason that the server found.
pub fn fail(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    failure: AttemptFailure,
) -> Result<(), EngineError> {
    let stored = StoredFailure {
        code: failure.code,
        message: bounded(&mask_secrets(&failure.message)),
        doc_code: failure.doc_code.to_owned(),
        at: tx.now(),
        ..StoredFailure::default()
    };
    settle(tx, invocation, stored, Behavior::Retry(None))
}

/// The SDK reported a failed attempt.
pub fn on_error(
    tx: &mut Tx<'_>,
    mut invocation: Invocation,
    error: ErrorMessage,
) -> Result<(), EngineError> {
    let behavior = if invocation.record.protocol_version >= 7 {
        error.behavior()
    } else {
        ErrorBehavior::Retry
    };
    let behavior = match behavior {
        ErrorBehavior::Retry => Behavior::Retry(error.next_retry_delay),
        ErrorBehavior::Pause => Behavior::Pause,
        ErrorBehavior::Fail => Behavior::Fail,
    };
    let doc_code = if error.code == 570 { "RT0016" } else { "RT0007" };
    let stored = StoredFailure {
        code: error.code,
        message: bounded(&mask_secrets(&error.message)),
        stacktrace: bounded(&mask_secrets(&error.stacktrace)),
        doc_code: doc_code.to_owned(),
        command_index: error.related_command_index,
        command_name: error.related_command_name.map(|name| bounded(&mask_secrets(&name))),
        command_type: error.related_command_type,
        at: tx.now(),
    };
    settle(tx, &mut invocation, stored, behavior)
}

/// The back-off is over.
pub fn on_due(tx: &mut Tx<'_>, id: InvocationId, attempt: AttemptId) -> Result<(), EngineError> {
    let Some(mut invocation) = tx.load(id)? else { return Ok(()) };
    if invocation.status() != Status::BackingOff || invocation.attempt() != attempt {
        return Ok(());
    }
    attempt::start(tx, &mut invocation)
}

enum Behavior {
    Retry(Option<u64>),
    Pause,
    Fail,
}

fn settle(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    failure: StoredFailure,
    behavior: Behavior,
) -> Result<(), EngineError> {
    attempt::end(tx, invocation);
    let record = &mut invocation.record;
    let options = tx.context.schema.options(&record.service, &record.handler, record.pinned_on());
    let policy = options.map_or(&POLICY_UNREGISTERED, |options| &options.retry);
    record.failed_attempts += 1;
    record.failures_total += 1;
    record.modified_at = tx.now();
    let exhausted = matches!(behavior, Behavior::Retry(_))
        && policy.max_attempts.is_some_and(|max| u64::from(record.failed_attempts) >= max);
    let kill = match behavior {
        Behavior::Retry(_) if exhausted => policy.on_max_attempts == OnMaxAttempts::Kill,
        Behavior::Retry(_) if record.pause_requested => false,
        Behavior::Retry(fixed) => {
            let delay = fixed.unwrap_or_else(|| {
                backoff_ms(policy, record.failed_attempts, invocation.id, record.failures_total)
            });
            let at = tx.now().saturating_add(delay);
            event::failed(tx, invocation, &failure)?;
            let record = &mut invocation.record;
            record.last_failure = Some(failure);
            record.set_status(Status::BackingOff);
            record.next_retry_at = Some(at);
            tx.emit(Effect::RetryAt(invocation.id, invocation.attempt(), at));
            tx.put(invocation);
            return Ok(());
        }
        Behavior::Pause => false,
        Behavior::Fail => true,
    };
    if kill {
        let outcome = Outcome::failure(failure.code, &failure.message);
        let trace = failure.stacktrace.clone();
        let stacktrace = Some(trace).filter(|text| exhausted && !text.is_empty());
        record.last_failure = Some(failure);
        return complete::complete(tx, invocation, End { outcome, stacktrace, in_journal: false });
    }
    event::failed(tx, invocation, &failure)?;
    invocation.record.last_failure = Some(failure);
    pause(tx, invocation)
}

/// Parks an invocation without a live attempt until an operator resumes it.
pub fn pause(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<(), EngineError> {
    attempt::land(tx, invocation)?;
    event::paused(tx, invocation);
    let record = &mut invocation.record;
    record.set_status(Status::Paused);
    record.pause_requested = false;
    record.input_open = false;
    record.next_retry_at = None;
    record.failed_attempts = 0;
    record.modified_at = tx.now();
    tx.put(invocation);
    Ok(())
}

/// `min(initial * factor^(n-1), max)` plus up to a quarter of jitter. The jitter is a hash of the
/// invocation and its failure count: spread over invocations, the same on every evaluation.
fn backoff_ms(policy: &RetryPolicy, failed: u32, id: InvocationId, failures_total: u32) -> Millis {
    #[allow(clippy::cast_precision_loss, reason = "delays are far below 2^52 milliseconds")]
    let initial = policy.initial_interval_ms as f64;
    let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
    #[allow(clippy::cast_precision_loss, reason = "delays are far below 2^52 milliseconds")]
    let base = (initial * policy.factor.max(1.0).powi(exponent)).min(policy.max_interval_ms as f64);
    let hash = XxHash3_64::oneshot_with_seed(u64::from(failures_total), id.as_bytes());
    let jitter = f64::from(u32::try_from(hash >> 40).unwrap_or(0)) / f64::from(1 << 24) * 0.25;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the policy's maximum, and never negative"
    )]
    let delay = (base * (1.0 + jitter)) as u64;
    delay
}

fn bounded(text: &str) -> String {
    let mut end = text.len().min(FAILURE_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
