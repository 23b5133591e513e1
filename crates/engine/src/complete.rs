//! The end of an invocation, and everyone who waits for it.
//!
//! - Owns: results, callers, attached waiters, clean-up of what a completed invocation leaves.
//! - Invariant: each waiter is answered exactly once, with the same result.

use prost::Message as _;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{OutputCommand, Void, notification, output_command};

use crate::attempt;
use crate::command::{Caller, RequestId};
use crate::effect::{Completed, Effect, Reply};
use crate::frames::{Stop, violation};
use crate::keys::{self, TimerKind, tag};
use crate::message::{Message, Outcome};
use crate::record::{Kind, Pending, Status, decode};
use crate::trace::Traced;
use crate::tx::{EngineError, Invocation, Tx};
use crate::{lock, retention, state_edit, timer, wait};

/// How an invocation ends.
#[derive(Debug)]
pub struct End {
    /// The result.
    pub outcome: Outcome,
    /// Stack trace of the last error, when it was killed for using up its attempts.
    pub stacktrace: Option<String>,
    /// True when the result is the last output command of the journal.
    pub in_journal: bool,
}

impl End {
    /// Ends with a failure that the server decides.
    pub fn failure(code: u32, message: &str) -> End {
        End { outcome: Outcome::failure(code, message), stacktrace: None, in_journal: false }
    }
}

/// The `End` frame: the last output is the result.
pub fn on_end(tx: &mut Tx<'_>, mut invocation: Invocation) -> Result<(), EngineError> {
    let outcome = journal_outcome(tx, &invocation)?;
    attempt::end(tx, &mut invocation);
    let end = End { outcome, stacktrace: None, in_journal: true };
    complete(tx, &mut invocation, end)
}

/// Completes an invocation that has no live attempt any more.
pub fn complete(tx: &mut Tx<'_>, invocation: &mut Invocation, end: End) -> Result<(), EngineError> {
    let id = invocation.id;
    match invocation.status() {
        Status::Suspended => wait::unlist(tx, invocation),
        Status::Running | Status::BackingOff | Status::Limited => attempt::land(tx, invocation)?,
        Status::Scheduled => {
            let at = invocation.record.start_at.unwrap_or_default();
            timer::unset(tx, at, TimerKind::Start, id, 0);
        }
        Status::Queued => lock::leave_queue(tx, invocation),
        Status::Paused | Status::Completed => {}
    }
    drop_pending(tx, invocation)?;
    retention::extend_for_receipts(invocation);
    let record = &mut invocation.record;
    record.set_status(Status::Completed);
    record.completed_at = tx.now();
    record.modified_at = tx.now();
    record.awaiting = None;
    record.next_retry_at = None;
    record.pause_requested = false;
    record.runs.clear();
    record.waits.clear();
    let journal_kept = record.journal_retention_ms >= record.completion_retention_ms;
    if !(end.in_journal && journal_kept) {
        let mut stored = end.outcome.clone().into_stored();
        stored.stacktrace.clone_from(&end.stacktrace);
        record.result = Some(stored);
    }
    let caller = record.caller.as_ref().and_then(|caller| caller.to_caller());
    if let Some(caller) = caller {
        tx.send(Message::Notify(caller, end.outcome.clone().into_notification()))?;
    }
    answer_attached(tx, invocation, &end.outcome)?;
    tx.emit(Effect::Completed {
        id,
        completed: Completed { outcome: end.outcome, stacktrace: end.stacktrace },
        service: invocation.record.service.clone(),
        handler: invocation.record.handler.clone(),
        traced: traced(invocation),
    });
    match invocation.kind() {
        Kind::Exclusive => lock::release(tx, invocation)?,
        Kind::WorkflowRun => state_edit::apply_after_run(tx, invocation)?,
        _ => {}
    }
    retention::keep(tx, invocation)
}

fn traced(invocation: &Invocation) -> Option<Box<Traced>> {
    let record = &invocation.record;
    let context = record.trace.as_deref().filter(|context| context.recorded)?.clone();
    let (created_at, completed_at) = (record.created_at, record.completed_at);
    Some(Box::new(Traced { context, created_at, completed_at }))
}

/// Waits for a result from the ingress.
pub fn on_attach(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    match tx.load(id)? {
        Some(invocation) => reply_result(tx, request, &invocation),
        None => {
            tx.emit(Effect::Reply(request, Reply::NotFound(id)));
            Ok(())
        }
    }
}

/// Reads a result from the ingress.
pub fn on_output(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    match tx.load(id)? {
        Some(invocation) if invocation.status() == Status::Completed => {
            reply_result(tx, request, &invocation)
        }
        Some(_) => {
            tx.emit(Effect::Reply(request, Reply::NotReady(id)));
            Ok(())
        }
        None => {
            tx.emit(Effect::Reply(request, Reply::NotFound(id)));
            Ok(())
        }
    }
}

/// Answers with the result if it is there, else parks the request until it is.
pub fn reply_result(
    tx: &mut Tx<'_>,
    request: RequestId,
    invocation: &Invocation,
) -> Result<(), EngineError> {
    if invocation.status() != Status::Completed {
        tx.emit(Effect::Park(request, invocation.id));
        return Ok(());
    }
    let reply = Reply::Result {
        id: invocation.id,
        completed: result_of(tx, invocation)?,
        expires_at: Some(invocation.expires_at()),
        service: invocation.record.service.clone(),
        handler: invocation.record.handler.clone(),
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// A handler asks for a result: now or when it is there, or now or never.
pub fn on_attach_message(
    tx: &mut Tx<'_>,
    id: InvocationId,
    caller: Caller,
    wait: bool,
) -> Result<(), EngineError> {
    let result = match tx.load(id)? {
        None => Outcome::failure(404, "not found").into_notification(),
        Some(invocation) if invocation.status() == Status::Completed => {
            result_of(tx, &invocation)?.outcome.into_notification()
        }
        Some(_) if !wait => notification::Result::Void(Void {}),
        Some(mut invocation) => {
            tx.create(keys::attached(id, &caller), bytes::Bytes::new());
            invocation.record.attached_len += 1;
            tx.put(&invocation);
            return Ok(());
        }
    };
    tx.send(Message::Notify(caller, result))
}

/// Reads the result of a completed invocation.
pub fn result_of(tx: &Tx<'_>, invocation: &Invocation) -> Result<Completed, EngineError> {
    match invocation.record.result.clone() {
        Some(stored) => {
            let stacktrace = stored.stacktrace.clone();
            Ok(Completed { outcome: Outcome::from_stored(stored), stacktrace })
        }
        None => Ok(Completed { outcome: journal_outcome(tx, invocation)?, stacktrace: None }),
    }
}

/// Keeps the result when the journal goes.
pub fn move_result_out_of_journal(
    tx: &Tx<'_>,
    invocation: &mut Invocation,
) -> Result<(), EngineError> {
    if invocation.record.result.is_none() {
        let outcome = journal_outcome(tx, invocation)?;
        invocation.record.result = Some(outcome.into_stored());
    }
    Ok(())
}

/// The result that an output command carries.
pub fn outcome_of_output(payload: &bytes::Bytes) -> Result<Outcome, Stop> {
    let command = OutputCommand::decode(payload.clone())?;
    match command.result {
        Some(output_command::Result::Value(value)) => Ok(Outcome::Success(value.content)),
        Some(output_command::Result::Failure(failure)) => Ok(Outcome::Failure(failure)),
        None => Err(violation("RT0012", "an output command has no result".into())),
    }
}

fn journal_outcome(tx: &Tx<'_>, invocation: &Invocation) -> Result<Outcome, EngineError> {
    let index = invocation.record.output_index.unwrap_or_default();
    let key = keys::journal(invocation.id, index);
    let entry = tx.journal_entry(invocation.id, index)?;
    outcome_of_output(&entry.frame.payload)
        .map_err(|_| EngineError::corrupt(&key, "the output command has no result"))
}

fn answer_attached(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    outcome: &Outcome,
) -> Result<(), EngineError> {
    if invocation.record.attached_len == 0 {
        return Ok(());
    }
    let (start, end) = keys::of_invocation(tag::ATTACHED, invocation.id);
    for (key, _) in tx.scan(&start, &end, usize::MAX)? {
        let caller = keys::parse_caller(&key)
            .ok_or_else(|| EngineError::corrupt(&key, "not an attached caller"))?;
        tx.delete(key);
        tx.send(Message::Notify(caller, outcome.clone().into_notification()))?;
    }
    invocation.record.attached_len = 0;
    Ok(())
}

/// Forgets what commands of the invocation still wait for: timers, promises, pending rows.
fn drop_pending(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<(), EngineError> {
    if invocation.record.pending_len == 0 {
        return Ok(());
    }
    let (start, end) = keys::of_invocation(tag::PENDING, invocation.id);
    for (key, value) in tx.scan(&start, &end, usize::MAX)? {
        let pending: Pending = decode(&key, &value)?;
        let number = key.last_chunk::<4>().copied().map(u32::from_be_bytes).unwrap_or_default();
        match MessageType(u16::try_from(pending.command).unwrap_or(0)) {
            MessageType::SLEEP_COMMAND => {
                timer::unset(tx, pending.wake_up_at, TimerKind::Sleep, invocation.id, number);
            }
            MessageType::GET_PROMISE_COMMAND => {
                let caller = Caller {
                    id: invocation.id,
                    created_at: invocation.record.created_at,
                    completion_id: number,
                };
                let instance = invocation.instance();
                tx.delete(keys::promise_waiter(instance, &pending.name, &caller));
            }
            _ => {}
        }
        tx.delete(key);
    }
    invocation.record.pending_len = 0;
    Ok(())
}
