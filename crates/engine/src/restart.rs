//! Restarting a completed invocation as a new one, from a prefix of its journal.
//!
//! The new one has an id of its own in the same partition, the same target and input, and the entries
//! up to an index with everything that completes them: what was done is not done again. It has no
//! idempotency key and no caller, and an object goes through the lock like any other.
//! - Owns: what is copied, and which journals can be cut where.
//! - Does not own: the randomness of the id (it comes with the command).
//! - Invariant: a copied journal never waits for anything: each of its commands is completed.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{DeploymentId, InvocationId};
use reveille_protocol::message::{
    AttachInvocationCommand, CallCommand, CompletePromiseCommand, GetInvocationOutputCommand,
    GetLazyStateCommand, GetLazyStateKeysCommand, GetPromiseCommand, Notification,
    OneWayCallCommand, PeekPromiseCommand, RunCommand, SleepCommand, notification,
};
use reveille_protocol::signal;

use crate::command::{Invoke, RequestId, ResumeOn, Source, Target};
use crate::effect::{Effect, Reply};
use crate::identity;
use crate::invoke;
use crate::keys;
use crate::message::id_bytes;
use crate::operator::{self, Pinned};
use crate::record::{Decision, JournalEntry, Status, encode};
use crate::tx::{EngineError, Invocation, Tx};

/// How an invocation is restarted.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// Index of the last journal entry that is kept, whatever completes later what is before it.
    pub from: u32,
    /// Where the attempts of the new one go.
    pub deployment: ResumeOn,
    /// The random part of the new id.
    pub random: u128,
}

/// An operator restarts a completed invocation.
pub fn on_restart_as_new(
    tx: &mut Tx<'_>,
    request: RequestId,
    id: InvocationId,
    restart: Restart,
) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(old) => match refusal(tx, &old) {
            Some(refusal) => refusal,
            None => restart_completed(tx, &old, restart)?,
        },
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

fn refusal(tx: &Tx<'_>, old: &Invocation) -> Option<Reply> {
    let (id, record) = (old.id, &old.record);
    match old.status() {
        _ if old.never_ran() => {
            return Some(Reply::TooEarly(format!(
                "The invocation '{id}' cannot be restarted because it's not running yet."
            )));
        }
        Status::Completed => {}
        _ => return Some(Reply::Conflict(format!("The invocation '{id}' is still running."))),
    }
    if old.kind().workflow() {
        return Some(Reply::Unsupported(format!(
            "Restarting the invocation '{id}' is not supported. Restarting workflows is not \
             supported: purge the run to run it again."
        )));
    }
    let kept_until = record.completed_at.saturating_add(record.journal_retention_ms);
    if record.journal_len == 0 || kept_until <= tx.now() {
        return Some(Reply::Gone(format!(
            "The invocation '{id}' cannot be restarted because the input is not available. This \
             indicates that the journal was already purged, or not retained at all."
        )));
    }
    None
}

fn restart_completed(
    tx: &mut Tx<'_>,
    old: &Invocation,
    restart: Restart,
) -> Result<Reply, EngineError> {
    let schema = tx.context.schema;
    let Some((service, handler)) = schema.handler(&old.record.service, &old.record.handler) else {
        return Ok(Reply::Invalid(format!(
            "The handler '{}/{}' is not registered any more, register its deployment again",
            old.record.service, old.record.handler
        )));
    };
    let Some(entries) = prefix(tx, old, restart.from)? else {
        return Ok(Reply::Invalid(format!(
            "The prefix of the journal '{}' up to 'from' (included) contains some Commands without \
             respective Completions.",
            old.id
        )));
    };
    let now = tx.now();
    // The partition key is kept whatever the target: the journal is here, so the copy is.
    let id = identity::fresh_id(None, old.id.partition_key(), now, restart.random);
    let invoke = Invoke {
        id,
        fresh: true,
        target: Target {
            scope: old.record.scope.clone(),
            service: old.record.service.clone(),
            key: old.record.key.clone(),
            handler: old.record.handler.clone(),
        },
        input: Bytes::new(),
        idempotency_key: None,
        limit_key: old.record.limit_key.clone(),
        start_at: None,
        caller: None,
        source: Source::Ingress,
        trace: old.record.trace.clone(),
    };
    let mut new = Invocation { id, record: invoke::record(service, handler, &invoke) };
    let record = &mut new.record;
    record.trace = invoke.trace;
    record.created_at = now;
    record.modified_at = now;
    record.last_entry_at = now;
    record.restarted_from = id_bytes(old.id);
    record.pinned_deployment = old.record.pinned_deployment.clone();
    record.protocol_version = old.record.protocol_version;
    let trying = format!("restart as new the invocation '{}'", old.id);
    if let Pinned::Refused(text) = operator::pin(tx, &mut new, restart.deployment, &trying) {
        return Ok(Reply::Invalid(text));
    }
    let pinned = new.record.pinned_deployment.as_ref().try_into().map(u128::from_be_bytes);
    if pinned.is_ok_and(|pinned| !schema.deployments.contains_key(&DeploymentId(pinned))) {
        return Ok(Reply::Invalid(format!(
            "The deployment of the invocation '{}' is gone, name another one to restart it there.",
            old.id
        )));
    }
    copy(tx, old, &mut new, entries)?;
    invoke::begin(tx, new)?;
    Ok(Reply::Accepted { id, fresh: true, execution_time: None })
}

/// The entries up to index `from`, and of the later ones those that complete them. `None` when there
/// is no such entry, or when one of the commands was never completed.
fn prefix(
    tx: &Tx<'_>,
    old: &Invocation,
    from: u32,
) -> Result<Option<Vec<JournalEntry>>, EngineError> {
    if from >= old.record.journal_len {
        return Ok(None);
    }
    let mut open = BTreeSet::new();
    let mut kept = Vec::with_capacity(from as usize + 1);
    for (index, entry) in (0..).zip(tx.journal(old, 0)?) {
        let mut completes = false;
        if entry.frame.ty.is_notification() {
            let notification: Notification =
                entry.frame.decode().map_err(|error| corrupt(old, &error))?;
            if let Some(notification::Id::CompletionId(id)) = notification.id {
                completes = open.remove(&id);
            }
        } else if index <= from {
            open.extend(completions(&entry.frame).map_err(|error| corrupt(old, &error))?);
        }
        // Signals up to there may be what led to the last command; later ones are not needed.
        if index <= from || completes {
            kept.push(entry);
        }
    }
    Ok(open.is_empty().then_some(kept))
}

/// Writes the journal of the new invocation, and for each awakeable in it that it is decided.
fn copy(
    tx: &mut Tx<'_>,
    old: &Invocation,
    new: &mut Invocation,
    entries: Vec<JournalEntry>,
) -> Result<(), EngineError> {
    for (index, entry) in (0..).zip(entries) {
        let ty = entry.frame.ty;
        new.record.journal_len = index + 1;
        new.record.commands_len += u32::from(ty.is_command());
        if ty == MessageType::OUTPUT_COMMAND {
            new.record.output_index = Some(index);
        }
        if ty == MessageType::SIGNAL_NOTIFICATION {
            let notification: Notification =
                entry.frame.decode().map_err(|error| corrupt(old, &error))?;
            if let Some(notification::Id::SignalId(signal)) = notification.id
                && signal >= signal::AWAKEABLE_FIRST
                && let Some(decision) = tx.read::<Decision>(&keys::decision(old.id, signal))?
            {
                let decision = Decision { journal_index: index, ..decision };
                tx.write(keys::decision(new.id, signal), encode(&decision));
                new.record.decisions_len += 1;
            }
        }
        tx.create(keys::journal(new.id, index), entry.encode());
    }
    Ok(())
}

/// Completion ids of what completes a command.
fn completions(frame: &Frame) -> Result<Vec<u32>, prost::DecodeError> {
    fn read<M: Message + Default>(frame: &Frame) -> Result<M, prost::DecodeError> {
        M::decode(frame.payload.clone())
    }
    Ok(match frame.ty {
        MessageType::RUN_COMMAND => vec![read::<RunCommand>(frame)?.result_completion_id],
        MessageType::SLEEP_COMMAND => vec![read::<SleepCommand>(frame)?.result_completion_id],
        MessageType::CALL_COMMAND => {
            let command: CallCommand = read(frame)?;
            vec![command.invocation_id_notification_idx, command.result_completion_id]
        }
        MessageType::ONE_WAY_CALL_COMMAND => {
            vec![read::<OneWayCallCommand>(frame)?.invocation_id_notification_idx]
        }
        MessageType::GET_LAZY_STATE_COMMAND => {
            vec![read::<GetLazyStateCommand>(frame)?.result_completion_id]
        }
        MessageType::GET_LAZY_STATE_KEYS_COMMAND => {
            vec![read::<GetLazyStateKeysCommand>(frame)?.result_completion_id]
        }
        MessageType::GET_PROMISE_COMMAND => {
            vec![read::<GetPromiseCommand>(frame)?.result_completion_id]
        }
        MessageType::PEEK_PROMISE_COMMAND => {
            vec![read::<PeekPromiseCommand>(frame)?.result_completion_id]
        }
        MessageType::COMPLETE_PROMISE_COMMAND => {
            vec![read::<CompletePromiseCommand>(frame)?.result_completion_id]
        }
        MessageType::ATTACH_INVOCATION_COMMAND => {
            vec![read::<AttachInvocationCommand>(frame)?.result_completion_id]
        }
        MessageType::GET_INVOCATION_OUTPUT_COMMAND => {
            vec![read::<GetInvocationOutputCommand>(frame)?.result_completion_id]
        }
        _ => Vec::new(),
    })
}

fn corrupt(old: &Invocation, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::corrupt(&keys::journal(old.id, 0), &error.to_string())
}
