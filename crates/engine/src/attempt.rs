//! Starting attempts: numbering, choice of deployment and version, and the replay.
//!
//! - Owns: when an attempt may start and what its stream begins with.
//! - Does not own: the stream (crate `server`), what follows from its frames ([`crate::frames`]).
//! - Invariant: an attempt number is used once; frames of any other number are never applied.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Start, StateEntry};

use crate::command::{AttemptFailure, AttemptId};
use crate::effect::{AttemptStart, Effect};
use crate::keys::{self, tag};
use crate::record::{Kind, Status};
use crate::retry;
use crate::schema::{DeploymentSchema, HandlerOptions};
use crate::tx::{EngineError, Invocation, Tx};
use crate::{identity, retention, units, wait};

/// Bytes of keys and values that are sent along eagerly; beyond it the map is partial.
pub const EAGER_STATE_BYTES_MAX: usize = 8 << 20;

/// Starts the next attempt of an invocation and writes its record. One that does not fit below the
/// limits of its scope queues instead ([`units`]).
pub fn start(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<(), EngineError> {
    if invocation.status() == Status::Suspended {
        wait::unlist(tx, invocation);
        invocation.record.awaiting = None;
    }
    if !is_in_flight(invocation) && !units::acquire(tx, invocation)? {
        tx.put(invocation);
        return Ok(());
    }
    start_admitted(tx, invocation)
}

/// Starts the next attempt of an invocation that has its units.
pub fn start_admitted(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<(), EngineError> {
    if !is_in_flight(invocation) {
        tx.create(keys::in_flight(invocation.id), Bytes::new());
    }
    let record = &mut invocation.record;
    if record.attempt == 0 && record.created_at != tx.now() {
        record.late_start_at = Some(tx.now());
    }
    record.set_status(Status::Running);
    record.attempt += 1;
    record.next_retry_at = None;
    record.modified_at = tx.now();
    let (deployment, options) = match route(tx, invocation) {
        Ok(found) => found,
        Err(failure) => {
            invocation.record.input_open = false;
            return retry::fail(tx, invocation, failure);
        }
    };
    let record = &mut invocation.record;
    record.attempt_deployment = Bytes::copy_from_slice(&deployment.id.0.to_be_bytes());
    if record.pinned_deployment.is_empty() {
        record.protocol_version = deployment.protocol_version;
    }
    record.input_open = deployment.bidirectional;
    record.seen = record.journal_len;
    retention::forget_expired_run(tx, invocation)?;
    let frames = replay(tx, invocation, options)?;
    let record = &invocation.record;
    tx.emit(Effect::StartAttempt(Box::new(AttemptStart {
        id: invocation.id,
        attempt: invocation.attempt(),
        deployment: deployment.id,
        protocol_version: record.protocol_version,
        service: record.service.clone(),
        handler: record.handler.clone(),
        key: record.key.clone(),
        trace: record.trace.clone(),
        bidirectional: deployment.bidirectional,
        hold_timeout_ms: tx.context.hold_ms.min(options.inactivity_timeout_ms),
        inactivity_timeout_ms: options.inactivity_timeout_ms,
        abort_timeout_ms: options.abort_timeout_ms,
        frames,
    })));
    tx.put(invocation);
    Ok(())
}

/// Forgets that an invocation is in flight and gives its units back, or its place in the queue for
/// them, before its status changes to one that has neither.
pub fn land(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), EngineError> {
    if is_in_flight(invocation) {
        tx.delete(keys::in_flight(invocation.id));
        units::release(tx, invocation)
    } else if invocation.status() == Status::Limited {
        units::leave(tx, invocation)
    } else {
        Ok(())
    }
}

fn is_in_flight(invocation: &Invocation) -> bool {
    matches!(invocation.status(), Status::Running | Status::BackingOff)
}

/// After a restart: nothing of the old process is alive, so whatever was in flight starts again.
pub fn on_recover(tx: &mut Tx<'_>, id: InvocationId) -> Result<(), EngineError> {
    let Some(mut invocation) = tx.load(id)? else {
        tx.delete(keys::in_flight(id));
        return Ok(());
    };
    match invocation.status() {
        Status::Running if invocation.record.pause_requested => retry::pause(tx, &mut invocation),
        Status::Running => start(tx, &mut invocation),
        Status::BackingOff => match invocation.record.next_retry_at {
            Some(at) if at > tx.now() => {
                tx.emit(Effect::RetryAt(id, invocation.attempt(), at));
                Ok(())
            }
            _ => start(tx, &mut invocation),
        },
        Status::Scheduled
        | Status::Queued
        | Status::Limited
        | Status::Suspended
        | Status::Paused
        | Status::Completed => {
            tx.delete(keys::in_flight(id));
            Ok(())
        }
    }
}

/// A place became free for an attempt that had to queue: its replay is built again, because the
/// journal may have grown meanwhile.
pub fn on_admitted(
    tx: &mut Tx<'_>,
    id: InvocationId,
    attempt: AttemptId,
) -> Result<(), EngineError> {
    match live(tx, id, attempt)? {
        Some(mut invocation) if invocation.record.pause_requested => {
            retry::pause(tx, &mut invocation)
        }
        Some(mut invocation) => start(tx, &mut invocation),
        None => Ok(()),
    }
}

/// Loads an invocation if this attempt is its live one. Everything else is a late echo.
pub fn live(
    tx: &mut Tx<'_>,
    id: InvocationId,
    attempt: AttemptId,
) -> Result<Option<Invocation>, EngineError> {
    let found = tx.load(id)?;
    Ok(found.filter(|i| i.status() == Status::Running && i.attempt() == attempt))
}

/// Ends the current attempt: what it has been sent counts as read.
pub fn end(tx: &mut Tx<'_>, invocation: &mut Invocation) {
    let record = &mut invocation.record;
    if record.input_open {
        record.input_open = false;
        record.seen = record.journal_len;
    }
    tx.emit(Effect::EndAttempt(invocation.id, invocation.attempt()));
}

/// Finds deployment and options: the pinned deployment, else the latest of the service.
fn route<'a>(
    tx: &Tx<'a>,
    invocation: &Invocation,
) -> Result<(&'a DeploymentSchema, &'a HandlerOptions), AttemptFailure> {
    let schema = tx.context.schema;
    let record = &invocation.record;
    let failure = |message| Err(AttemptFailure { code: 404, message, doc_code: "RT0018" });
    let pinned = record.pinned_on();
    if let Some(id) = pinned
        && !schema.deployments.contains_key(&id)
    {
        return failure(format!("deployment {id} is gone, but this invocation started on it"));
    }
    let latest = schema.services.get(&record.service).map(|service| service.deployment);
    let deployment = pinned.or(latest).and_then(|id| schema.deployments.get(&id));
    match (deployment, schema.options(&record.service, &record.handler, pinned)) {
        (Some(deployment), Some(options)) => Ok((deployment, options)),
        _ => {
            let target = format!("{}/{}", record.service, record.handler);
            failure(format!("the handler {target} is not registered, register its deployment"))
        }
    }
}

/// `Start` and the journal in order.
fn replay(
    tx: &Tx<'_>,
    invocation: &Invocation,
    options: &HandlerOptions,
) -> Result<Vec<Frame>, EngineError> {
    let record = &invocation.record;
    let entries = tx.journal(invocation, 0)?;
    let (state_map, partial_state) = eager_state(tx, invocation, options)?;
    let secret = tx.context.secret_key.secret(invocation.id, record.created_at);
    let mut start_id = Vec::with_capacity(24 + secret.len());
    start_id.extend_from_slice(invocation.id.as_bytes());
    start_id.extend_from_slice(&secret);
    let start = Start {
        id: start_id.into(),
        debug_id: invocation.id.to_string(),
        known_entries: record.journal_len,
        state_map,
        partial_state,
        key: record.key.clone().unwrap_or_default(),
        retry_count_since_last_stored_entry: record.failed_attempts,
        duration_since_last_stored_entry: tx.now().saturating_sub(record.last_entry_at),
        random_seed: identity::random_seed(invocation.id, record.created_at),
        scope: record.scope.clone().filter(|_| record.protocol_version >= 7),
        limit_key: record.limit_key.clone().filter(|_| record.protocol_version >= 7),
        idempotency_key: record.idempotency_key.clone().filter(|_| record.protocol_version >= 7),
    };
    let mut frames = Vec::with_capacity(entries.len() + 1);
    frames.push(Frame::message(MessageType::START, &start));
    frames.extend(entries.into_iter().map(|entry| entry.frame));
    Ok(frames)
}

/// The state map and whether keys may be missing from it.
fn eager_state(
    tx: &Tx<'_>,
    invocation: &Invocation,
    options: &HandlerOptions,
) -> Result<(Vec<StateEntry>, bool), EngineError> {
    if invocation.kind() == Kind::Plain || options.lazy_state {
        return Ok((Vec::new(), true));
    }
    let (start, end) = keys::of_instance_range(tag::STATE, invocation.instance());
    let prefix_len = keys::instance_prefix_len(invocation.instance());
    let mut bytes = 0;
    let mut map = Vec::new();
    for (key, value) in tx.scan(&start, &end, usize::MAX)? {
        bytes += key.len() + value.len();
        if bytes > EAGER_STATE_BYTES_MAX {
            return Ok((map, true));
        }
        map.push(StateEntry { key: key.slice(prefix_len..), value });
    }
    Ok((map, false))
}
