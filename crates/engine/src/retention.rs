//! What is kept of completed invocations, for how long, and how it is forgotten.
//!
//! - Invariant: expiry is exact when read ([`crate::tx::Tx::load`] forgets what is over), the timer
//!   only cleans up behind it.

use reveille_protocol::id::InvocationId;

use crate::command::{Millis, RequestId};
use crate::complete;
use crate::effect::{Effect, Reply};
use crate::event;
use crate::identity;
use crate::keys::{self, TimerKind, tag};
use crate::record::{InvocationRecord, Kind, Status};
use crate::timer;
use crate::tx::{EngineError, Invocation, Tx};

/// How long the result of an invocation is kept for the sake of its receipts alone, in milliseconds.
/// A client that lost a receipt retries within minutes; a person may open an old link the next day.
pub const RECEIPTS_RETENTION_MS: Millis = 24 * 60 * 60 * 1000;

/// An invocation that was answered, or was parked on an awakeable, is not forgotten at once: a
/// repeated answer gets its receipt again and a late one learns that it is too late. Where the
/// retention frees a name for the next one (workflow key, idempotency key), it is as configured.
pub fn extend_for_receipts(invocation: &mut Invocation) {
    let names = invocation.kind() == Kind::WorkflowRun;
    let record = &mut invocation.record;
    let names = names || record.idempotency_key.is_some();
    // One that never started leaves no trace, answered or not.
    let answered = record.attempt > 0 && (record.decisions_len > 0 || record.awaited_answer);
    if answered && !names && record.completion_retention_ms == 0 {
        record.completion_retention_ms = RECEIPTS_RETENTION_MS;
    }
}

/// True when a completed invocation is to be treated as forgotten.
pub fn is_over(invocation: &Invocation, now: Millis) -> bool {
    invocation.status() == Status::Completed && invocation.expires_at() <= now
}

/// Keeps a completed invocation for its retention, or forgets it at once.
pub fn keep(tx: &mut Tx<'_>, invocation: &mut Invocation) -> Result<(), EngineError> {
    let retention = invocation.record.completion_retention_ms;
    if retention == 0 {
        return purge(tx, invocation);
    }
    timer::set(tx, invocation.expires_at(), TimerKind::Purge, invocation.id, 0);
    match invocation.record.journal_retention_ms {
        0 => drop_journal(tx, invocation),
        kept if kept < retention => {
            let due = invocation.record.completed_at.saturating_add(kept);
            timer::set(tx, due, TimerKind::PurgeJournal, invocation.id, 0);
        }
        _ => {}
    }
    tx.put(invocation);
    Ok(())
}

/// An operator forgets a completed invocation.
pub fn on_purge(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(invocation) if invocation.status() == Status::Completed => {
            purge(tx, &invocation)?;
            Reply::Done
        }
        Some(_) => not_completed(id),
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// An operator forgets the journal of a completed invocation. Its result and its receipts stay.
pub fn on_purge_journal(
    tx: &mut Tx<'_>,
    request: RequestId,
    id: InvocationId,
) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(mut invocation) if invocation.status() == Status::Completed => {
            complete::move_result_out_of_journal(tx, &mut invocation)?;
            unset_journal_timer(tx, id, &invocation.record);
            drop_journal(tx, &mut invocation);
            tx.put(&invocation);
            Reply::Done
        }
        Some(_) => not_completed(id),
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// The retention of a completed invocation is over. Loading it has forgotten it already, unless the
/// id is in use again by a later invocation.
pub fn on_due(tx: &mut Tx<'_>, id: InvocationId) -> Result<(), EngineError> {
    tx.load(id)?;
    Ok(())
}

/// The retention of a journal is over.
pub fn on_journal_due(tx: &mut Tx<'_>, id: InvocationId, due: Millis) -> Result<(), EngineError> {
    let Some(mut invocation) = tx.load(id)? else { return Ok(()) };
    let record = &invocation.record;
    let expected = record.completed_at.saturating_add(record.journal_retention_ms);
    if invocation.status() == Status::Completed && expected == due {
        complete::move_result_out_of_journal(tx, &mut invocation)?;
        drop_journal(tx, &mut invocation);
        tx.put(&invocation);
    }
    Ok(())
}

/// Forgets a completed invocation; with a workflow run also the state and promises of its key. A run
/// that was cancelled before it started leaves those alone: others wrote them.
pub fn purge(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), EngineError> {
    let id = invocation.id;
    tx.delete(keys::invocation(id));
    delete_journal_rows(tx, id, invocation.record.journal_len);
    event::forget(tx, invocation);
    if invocation.record.decisions_len > 0 {
        tx.delete_range(&keys::of_invocation(tag::DECISION, id))?;
    }
    unset_timers(tx, id, &invocation.record);
    if invocation.kind() == Kind::WorkflowRun && invocation.record.attempt > 0 {
        tx.delete_range(&keys::of_instance_range(tag::STATE, invocation.instance()))?;
        tx.delete_range(&keys::of_instance_range(tag::PROMISE, invocation.instance()))?;
    }
    Ok(())
}

/// Before a shared handler reads state or promises of its workflow key: forgets the run of that key
/// if its retention is over, and with it what is to be read.
pub fn forget_expired_run(tx: &mut Tx<'_>, reader: &Invocation) -> Result<(), EngineError> {
    if reader.kind() == Kind::SharedWorkflow {
        let instance = reader.instance();
        tx.load(identity::workflow_run_id(instance.scope, instance.service, instance.key))?;
    }
    Ok(())
}

fn unset_timers(tx: &mut Tx<'_>, id: InvocationId, record: &InvocationRecord) {
    if record.completion_retention_ms == 0 {
        return;
    }
    let due = record.completed_at.saturating_add(record.completion_retention_ms);
    timer::unset(tx, due, TimerKind::Purge, id, 0);
    unset_journal_timer(tx, id, record);
}

fn unset_journal_timer(tx: &mut Tx<'_>, id: InvocationId, record: &InvocationRecord) {
    if (1..record.completion_retention_ms).contains(&record.journal_retention_ms) {
        let due = record.completed_at.saturating_add(record.journal_retention_ms);
        timer::unset(tx, due, TimerKind::PurgeJournal, id, 0);
    }
}

fn not_completed(id: InvocationId) -> Reply {
    Reply::Conflict(format!("The invocation '{id}' is not yet completed."))
}

fn drop_journal(tx: &mut Tx<'_>, invocation: &mut Invocation) {
    delete_journal_rows(tx, invocation.id, invocation.record.journal_len);
    event::forget(tx, invocation);
    invocation.record.events_total = 0;
    invocation.record.journal_len = 0;
    invocation.record.commands_len = 0;
    invocation.record.output_index = None;
}

fn delete_journal_rows(tx: &mut Tx<'_>, id: InvocationId, len: u32) {
    for index in 0..len {
        tx.delete(keys::journal(id, index));
    }
}
