//! Decisions over waits: first wins, replays are recognised, values can be mended.
//!
//! - Owns: the decision table and the receipts.
//! - Does not own: who may decide ([`super`]).

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Notification, notification};
use sha2::{Digest, Sha256};

use super::WaitKind;
use crate::attempt;
use crate::command::{PromiseTarget, WaitName};
use crate::effect::{Receipt, ReceiptOutcome, Reply, Verb};
use crate::journal::{self, append_notification};
use crate::keys::{self, Instance};
use crate::message::Outcome;
use crate::record::{self, Decision, JournalEntry, PromiseRecord, Status};
use crate::retention;
use crate::syscall;
use crate::tx::{EngineError, Invocation, Tx};

/// Decides an awakeable: the first completion wins, whatever state the invocation is in.
pub fn decide(
    tx: &mut Tx<'_>,
    mut invocation: Invocation,
    index: u32,
    outcome: Outcome,
    idempotency_key: Option<String>,
) -> Result<Receipt, EngineError> {
    let key = keys::decision(invocation.id, index);
    let rejected = outcome.is_failure();
    let notification = signal_notification(index, outcome);
    let digest = digest(&notification);
    if let Some(decision) = tx.read::<Decision>(&key)? {
        let same_key = idempotency_key.is_some() && decision.idempotency_key == idempotency_key;
        let same = decision.rejected == rejected && decision.digest == digest;
        let replayed = same_key || same;
        let outcome = if replayed { ReceiptOutcome::Replayed } else { ReceiptOutcome::Conflict };
        return Ok(decided(outcome, &decision));
    }
    if invocation.status() == Status::Completed {
        return Ok(gone(&invocation));
    }
    let decision = Decision {
        at: tx.now(),
        rejected,
        journal_index: invocation.record.journal_len,
        idempotency_key,
        digest,
    };
    tx.write(key, record::encode(&decision));
    invocation.record.decisions_len += 1;
    let ty = MessageType::SIGNAL_NOTIFICATION;
    append_notification(tx, &mut invocation, ty, &notification, journal::Reply::Full)?;
    tx.put(&invocation);
    Ok(decided(ReceiptOutcome::Completed, &decision))
}

/// An administrator completes a promise or a named signal that the invocation waits for.
pub fn complete_named(
    tx: &mut Tx<'_>,
    id: InvocationId,
    name: &str,
    outcome: Outcome,
) -> Result<Receipt, EngineError> {
    let Some(mut invocation) = tx.load(id)? else { return Ok(unknown()) };
    if invocation.status() == Status::Completed {
        return Ok(gone(&invocation));
    }
    let waits_for = |kind: WaitKind| {
        let mut waits = invocation.record.waits.iter();
        waits.any(|wait| wait.kind == kind as u32 && wait.name.as_deref() == Some(name))
    };
    retention::forget_expired_run(tx, &invocation)?;
    if invocation.kind().workflow() {
        let promise = tx.read(&keys::promise(invocation.instance(), name))?;
        // The row of an open promise goes with an expired run, whoever still waits for it.
        let open = || waits_for(WaitKind::Promise).then(PromiseRecord::default);
        if let Some(promise) = promise.or_else(open) {
            return complete_promise(tx, invocation.instance(), name, promise, outcome);
        }
    }
    if !waits_for(WaitKind::Signal) {
        return Ok(unknown());
    }
    let verb = verb(outcome.is_failure());
    let notification = Notification {
        id: Some(notification::Id::SignalName(name.to_owned())),
        result: Some(outcome.into_notification()),
    };
    let ty = MessageType::SIGNAL_NOTIFICATION;
    append_notification(tx, &mut invocation, ty, &notification, journal::Reply::Full)?;
    tx.put(&invocation);
    let outcome = ReceiptOutcome::Completed;
    Ok(Receipt { outcome, decided_at: Some(tx.now()), verb: Some(verb) })
}

/// An administrator completes a promise of a workflow, as a shared handler of it could: before, during
/// and after the run.
pub fn complete_by_key(
    tx: &mut Tx<'_>,
    target: &PromiseTarget,
    outcome: Outcome,
) -> Result<Receipt, EngineError> {
    // Loading forgets a run that has expired, and its promises with it.
    tx.load(target.run())?;
    let PromiseTarget { scope, service, key, name } = target;
    let instance = Instance { scope: scope.as_deref(), service, key };
    let promise = tx.read(&keys::promise(instance, name))?.unwrap_or_default();
    complete_promise(tx, instance, name, promise, outcome)
}

fn complete_promise(
    tx: &mut Tx<'_>,
    instance: Instance<'_>,
    name: &str,
    promise: PromiseRecord,
    outcome: Outcome,
) -> Result<Receipt, EngineError> {
    if let Some(stored) = promise.result {
        let found = Outcome::from_stored(stored);
        let replayed = found == outcome;
        return Ok(Receipt {
            outcome: if replayed { ReceiptOutcome::Replayed } else { ReceiptOutcome::Conflict },
            decided_at: Some(promise.completed_at),
            verb: Some(verb(found.is_failure())),
        });
    }
    let verb = verb(outcome.is_failure());
    syscall::complete_promise(tx, instance, name, outcome)?;
    let outcome = ReceiptOutcome::Completed;
    Ok(Receipt { outcome, decided_at: Some(tx.now()), verb: Some(verb) })
}

/// Replaces the value of a decided awakeable that no attempt has consumed.
pub fn replace(
    tx: &mut Tx<'_>,
    id: InvocationId,
    name: WaitName,
    outcome: Outcome,
) -> Result<Reply, EngineError> {
    let WaitName::Index(index) = name else {
        let text = "only the value of an awakeable can be replaced, name it by its index";
        return Ok(Reply::Conflict(text.to_owned()));
    };
    let Some(mut invocation) = tx.load(id)? else { return Ok(Reply::NotFound(id)) };
    let key = keys::decision(id, index);
    let Some(mut decision) = tx.read::<Decision>(&key)? else {
        let text = format!("awakeable {index} of '{id}' is still open, resolve or reject it");
        return Ok(Reply::Conflict(text));
    };
    let record = &invocation.record;
    let consumed = record.input_open || decision.journal_index < record.seen;
    if consumed || invocation.status() == Status::Completed {
        let text = format!("an attempt of '{id}' has already consumed awakeable {index}");
        return Ok(Reply::Conflict(text));
    }
    let rejected = outcome.is_failure();
    let other_verb = rejected != decision.rejected;
    let notification = signal_notification(index, outcome);
    let frame = Frame::message(MessageType::SIGNAL_NOTIFICATION, &notification);
    decision.rejected = rejected;
    decision.digest = digest(&notification);
    decision.at = tx.now();
    let entry = JournalEntry { at: tx.now(), frame };
    tx.write(keys::journal(id, decision.journal_index), entry.encode());
    tx.write(key, record::encode(&decision));
    if other_verb && invocation.status() == Status::Suspended {
        // The tree was settled with the other verb: the handler must look again.
        attempt::start(tx, &mut invocation)?;
    }
    Ok(Reply::Receipt(decided(ReceiptOutcome::Completed, &decision)))
}

fn signal_notification(index: u32, outcome: Outcome) -> Notification {
    Notification {
        id: Some(notification::Id::SignalId(index)),
        result: Some(outcome.into_notification()),
    }
}

fn digest(notification: &Notification) -> Bytes {
    use prost::Message as _;
    Bytes::copy_from_slice(&Sha256::digest(notification.encode_to_vec()))
}

/// The receipt of what does not exist, or is not shown to exist.
pub fn unknown() -> Receipt {
    Receipt { outcome: ReceiptOutcome::Unknown, decided_at: None, verb: None }
}

/// The receipt of what has ended.
pub fn gone(invocation: &Invocation) -> Receipt {
    let decided_at = Some(invocation.record.completed_at);
    Receipt { outcome: ReceiptOutcome::Gone, decided_at, verb: None }
}

/// The receipt of what is decided.
pub fn decided(outcome: ReceiptOutcome, decision: &Decision) -> Receipt {
    let verb = verb(decision.rejected);
    Receipt { outcome, decided_at: Some(decision.at), verb: Some(verb) }
}

fn verb(rejected: bool) -> Verb {
    if rejected { Verb::Reject } else { Verb::Resolve }
}
