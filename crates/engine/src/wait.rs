//! Waits: what handlers sleep on, who answers it, and what the answer is told.
//!
//! - Owns: who may answer, and what a wait is; decisions (`wait/decide.rs`), the wait table
//!   (`wait/list.rs`).
//! - Invariant: a completion is decided once and durably; a wrong secret cannot be told from an
//!   unknown id; the secret never leaves this module's comparison.

mod decide;
mod list;

use bytes::Bytes;
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::signal;

use crate::command::{Millis, RequestId, WaitName, WaitTarget};
use crate::effect::{Effect, Receipt, ReceiptOutcome, Reply};
use crate::keys;
use crate::message::Outcome;
use crate::record::{self, Decision, Status, StoredWait};
use crate::tx::{EngineError, Invocation, Tx};

use decide::{complete_by_key, complete_named, decide, decided, gone, replace, unknown};
pub use list::{WAITS_LISTED_MAX, forget, list, remember, take_off, unlist};

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
    /// Scope of the invocation.
    pub scope: Option<String>,
    /// Attempt on which it was announced.
    pub attempt: u32,
}

impl WaitRow {
    /// Decodes a row.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<WaitRow, EngineError> {
        let stored: StoredWait = record::decode(key, value)?;
        let invocation = key.get(9..33).and_then(keys::parse_id);
        let (Some(invocation), Some(kind)) = (invocation, WaitKind::from_number(stored.kind))
        else {
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
            scope: stored.scope,
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
        WaitTarget::Promise(promise) => complete_by_key(tx, &promise, completion)?,
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
                None => Receipt { outcome: ReceiptOutcome::Pending, decided_at: None, verb: None },
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

/// Loads the invocation of an awakeable if the secret is right.
fn authorised(tx: &mut Tx<'_>, awakeable: &AwakeableId) -> Result<Option<Invocation>, EngineError> {
    let found = tx.load(awakeable.invocation)?;
    let created_at = found.as_ref().map_or(0, |invocation| invocation.record.created_at);
    // Compared for unknown invocations too, so that both answers take the same time.
    let key = tx.context.secret_key;
    let right = key.verify(awakeable.invocation, created_at, &awakeable.secret);
    Ok(found.filter(|_| right))
}
