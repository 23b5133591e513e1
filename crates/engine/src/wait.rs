//! Waits: what handlers sleep on, who answers it, and what the answer is told.
//!
//! - Owns: receipts, first-wins, the wait table.
//! - Invariant: a completion is decided once and durably; a wrong secret cannot be told from an
//!   unknown id; the secret never leaves this module's comparison.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{Notification, notification};
use reveille_protocol::signal;
use sha2::{Digest, Sha256};

use crate::await_tree::Leaf;
use crate::command::{Millis, RequestId, WaitName, WaitTarget};
use crate::effect::{Effect, Receipt, ReceiptOutcome, Reply, Verb};
use crate::journal::{self, append_notification};
use crate::keys;
use crate::message::Outcome;
use crate::record::{self, Decision, JournalEntry, Pending, PromiseRecord, Status, StoredWait};
use crate::syscall;
use crate::tx::{EngineError, Invocation, Tx};

/// Waits that are listed for one invocation; a handler that awaits more still wakes on each.
pub const WAITS_LISTED_MAX: usize = 256;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitKind {
    /// An awakeable.
    Awakeable = 1,
    /// A named signal.
    Signal = 2,
    /// A workflow promise.
    Promise = 3,
    /// A sleep.
    Timer = 4,
    /// The result of another invocation.
    Call = 5,
}

impl WaitKind {
    /// Reads the stored number.
    pub fn from_number(number: u32) -> Option<WaitKind> {
        Some(match number {
            1 => WaitKind::Awakeable,
            2 => WaitKind::Signal,
            3 => WaitKind::Promise,
            4 => WaitKind::Timer,
            5 => WaitKind::Call,
            _ => return None,
        })
    }

    /// The word used in APIs.
    pub fn name(self) -> &'static str {
        match self {
            WaitKind::Awakeable => "awakeable",
            WaitKind::Signal => "signal",
            WaitKind::Promise => "promise",
            WaitKind::Timer => "timer",
            WaitKind::Call => "call",
        }
    }
}

/// One row of the wait table, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitRow {
    /// Since when it is awaited.
    pub since: Millis,
    /// The invocation that waits.
    pub invocation: InvocationId,
    /// What it waits for.
    pub kind: WaitKind,
    /// Signal index or completion id; 0 for named signals.
    pub index: u32,
    /// Signal or promise name.
    pub name: Option<String>,
    /// Service of the invocation.
    pub service: String,
    /// Key of the invocation.
    pub key: Option<String>,
    /// Handler of the invocation.
    pub handler: String,
    /// Attempt on which it was announced.
    pub attempt: u32,
}

impl WaitRow {
    /// Decodes a row.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<WaitRow, EngineError> {
        let stored: StoredWait = record::decode(key, value)?;
        let invocation = key.get(9..33).and_then(keys::parse_id);
        let (Some(invocation), Some(kind)) = (invocation, WaitKind::from_number(stored.kind)) else {
            return Err(EngineError::corrupt(key, "not a wait"));
        };
        Ok(WaitRow {
            since: stored.since,
            invocation,
            kind,
            index: stored.index,
            name: stored.name,
            service: stored.service,
            key: stored.key,
            handler: stored.handler,
            attempt: stored.attempt,
        })
    }
}

/// A completion from outside.
pub fn on_complete(
    tx: &mut Tx<'_>,
    request: RequestId,
    wait: WaitTarget,
    completion: Outcome,
    idempotency_key: Option<String>,
) -> Result<(), EngineError> {
    let receipt = match wait {
        WaitTarget::Awakeable(id) => complete_awakeable(tx, id, completion, idempotency_key)?,
        WaitTarget::Admin(id, WaitName::Index(index)) => match tx.load(id)? {
            Some(invocation) if index >= signal::AWAKEABLE_FIRST => {
                decide(tx, invocation, index, completion, idempotency_key)?
            }
            _ => unknown(),
        },
        WaitTarget::Admin(id, WaitName::Name(name)) => complete_named(tx, id, &name, completion)?,
    };
    tx.emit(Effect::Reply(request, Reply::Receipt(receipt)));
    Ok(())
}

/// Reads the state of an awakeable.
pub fn on_describe(
    tx: &mut Tx<'_>,
    request: RequestId,
    wait: AwakeableId,
) -> Result<(), EngineError> {
    let receipt = match authorised(tx, &wait)? {
        None => unknown(),
        Some(invocation) => {
            let decision = tx.read::<Decision>(&keys::decision(invocation.id, wait.index))?;
            match decision {
                Some(decision) => decided(ReceiptOutcome::Completed, &decision),
                None if invocation.status() == Status::Completed => gone(&invocation),
                None => {
                    Receipt { outcome: ReceiptOutcome::Pending, decided_at: None, verb: None }
                }
            }
        }
    };
    tx.emit(Effect::Reply(request, Reply::Receipt(receipt)));
    Ok(())
}

/// Replaces the value of a decided awakeable that no attempt has consumed.
pub fn on_replace(
    tx: &mut Tx<'_>,
    request: RequestId,
    id: InvocationId,
    name: WaitName,
    completion: Outcome,
) -> Result<(), EngineError> {
    let reply = replace(tx, id, name, completion)?;
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// Completes an awakeable by its id, if the secret is right.
pub fn complete_awakeable(
    tx: &mut Tx<'_>,
    awakeable: AwakeableId,
    outcome: Outcome,
    idempotency_key: Option<String>,
) -> Result<Receipt, EngineError> {
    match authorised(tx, &awakeable)? {
        Some(invocation) => decide(tx, invocation, awakeable.index, outcome, idempotency_key),
        None => Ok(unknown()),
    }
}

/// Lists what a suspended invocation waits for. A wait keeps its age over attempts.
pub fn list(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    leaves: &[Leaf],
) -> Result<(), EngineError> {
    let old = std::mem::take(&mut invocation.record.waits);
    for leaf in leaves.iter().take(WAITS_LISTED_MAX) {
        let Some((kind, index, name)) = describe(tx, invocation, leaf)? else { continue };
        let kind = kind as u32;
        let same = |wait: &&StoredWait| {
            wait.kind == kind && wait.index == index && wait.name == name
        };
        let known = old.iter().find(same);
        invocation.record.waits.push(StoredWait {
            kind,
            index,
            name,
            since: known.map_or(tx.now(), |wait| wait.since),
            attempt: known.map_or(invocation.record.attempt, |wait| wait.attempt),
            ..StoredWait::default()
        });
    }
    let record = &invocation.record;
    for (key, wait) in rows(invocation) {
        let row = StoredWait {
            service: record.service.clone(),
            key: record.key.clone(),
            handler: record.handler.clone(),
            ..wait.clone()
        };
        tx.write(key, record::encode(&row));
    }
    Ok(())
}

/// Removes the rows of an invocation that goes on.
pub fn unlist(tx: &mut Tx<'_>, invocation: &Invocation) {
    for (key, _) in rows(invocation) {
        tx.delete(key);
    }
}

fn rows(invocation: &Invocation) -> impl Iterator<Item = (Bytes, &StoredWait)> {
    invocation.record.waits.iter().zip(0..).map(|(wait, ordinal)| {
        let kind = u8::try_from(wait.kind).unwrap_or(0);
        (keys::wait(wait.since, invocation.id, kind, ordinal), wait)
    })
}

type Described = (WaitKind, u32, Option<String>);

fn describe(
    tx: &Tx<'_>,
    invocation: &Invocation,
    leaf: &Leaf,
) -> Result<Option<Described>, EngineError> {
    let id = match leaf {
        Leaf::Named(name) => return Ok(Some((WaitKind::Signal, 0, Some(name.clone())))),
        Leaf::Signal(index) => return Ok(Some((WaitKind::Awakeable, *index, None))),
        Leaf::Completion(id) => *id,
    };
    let pending: Option<Pending> = tx.read(&keys::pending(invocation.id, id))?;
    Ok(pending.map(|pending| match MessageType(u16::try_from(pending.command).unwrap_or(0)) {
        MessageType::SLEEP_COMMAND => (WaitKind::Timer, id, None),
        MessageType::GET_PROMISE_COMMAND => (WaitKind::Promise, id, Some(pending.name)),
        _ => (WaitKind::Call, id, None),
    }))
}

/// Loads the invocation of an awakeable if the secret is right.
fn authorised(
    tx: &mut Tx<'_>,
    awakeable: &AwakeableId,
) -> Result<Option<Invocation>, EngineError> {
    let found = tx.load(awakeable.invocation)?;
    let created_at = found.as_ref().map_or(0, |invocation| invocation.record.created_at);
    // Compared for unknown invocations too, so that both answers take the same time.
    let key = tx.context.secret_key;
    let right = key.verify(awakeable.invocation, created_at, &awakeable.secret);
    Ok(found.filter(|_| right))
}

/// Decides an awakeable: the first completion wins, whatever state the invocation is in.
fn decide(
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
        let outcome =
            if replayed { ReceiptOutcome::Replayed } else { ReceiptOutcome::Conflict };
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
fn complete_named(
    tx: &mut Tx<'_>,
    id: InvocationId,
    name: &str,
    outcome: Outcome,
) -> Result<Receipt, EngineError> {
    let Some(mut invocation) = tx.load(id)? else { return Ok(unknown()) };
    if invocation.status() == Status::Completed {
        return Ok(gone(&invocation));
    }
    let named = |wait: &&StoredWait| wait.name.as_deref() == Some(name);
    let kind = invocation.record.waits.iter().find(named).map(|wait| wait.kind);
    let verb = if outcome.is_failure() { Verb::Reject } else { Verb::Resolve };
    match kind.and_then(WaitKind::from_number) {
        Some(WaitKind::Promise) => {
            let promise = keys::promise(invocation.instance(), name);
            let promise: Option<PromiseRecord> = tx.read(&promise)?;
            if let Some(promise) = promise.filter(|promise| promise.result.is_some()) {
                return Ok(Receipt {
                    outcome: ReceiptOutcome::Conflict,
                    decided_at: Some(promise.completed_at),
                    verb: None,
                });
            }
            syscall::complete_promise(tx, invocation.instance(), name, outcome)?;
        }
        Some(WaitKind::Signal) => {
            let notification = Notification {
                id: Some(notification::Id::SignalName(name.to_owned())),
                result: Some(outcome.into_notification()),
            };
            let ty = MessageType::SIGNAL_NOTIFICATION;
            append_notification(tx, &mut invocation, ty, &notification, journal::Reply::Full)?;
            tx.put(&invocation);
        }
        _ => return Ok(unknown()),
    }
    Ok(Receipt {
        outcome: ReceiptOutcome::Completed,
        decided_at: Some(tx.now()),
        verb: Some(verb),
    })
}

fn replace(
    tx: &mut Tx<'_>,
    id: InvocationId,
    name: WaitName,
    outcome: Outcome,
) -> Result<Reply, EngineError> {
    let WaitName::Index(index) = name else {
        let text = "only the value of an awakeable can be replaced, name it by its index";
        return Ok(Reply::Conflict(text.to_owned()));
    };
    let Some(invocation) = tx.load(id)? else { return Ok(Reply::NotFound(id)) };
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
    let notification = signal_notification(index, outcome);
    let frame = Frame::message(MessageType::SIGNAL_NOTIFICATION, &notification);
    decision.rejected = rejected;
    decision.digest = digest(&notification);
    decision.at = tx.now();
    let entry = JournalEntry { at: tx.now(), frame };
    tx.write(keys::journal(id, decision.journal_index), entry.encode());
    tx.write(key, record::encode(&decision));
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

fn unknown() -> Receipt {
    Receipt { outcome: ReceiptOutcome::Unknown, decided_at: None, verb: None }
}

fn gone(invocation: &Invocation) -> Receipt {
    let decided_at = Some(invocation.record.completed_at);
    Receipt { outcome: ReceiptOutcome::Gone, decided_at, verb: None }
}

fn decided(outcome: ReceiptOutcome, decision: &Decision) -> Receipt {
    let verb = if decision.rejected { Verb::Reject } else { Verb::Resolve };
    Receipt { outcome, decided_at: Some(decision.at), verb: Some(verb) }
}
