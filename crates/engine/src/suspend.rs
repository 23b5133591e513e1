//! Parking: when a waiting attempt is asked to suspend, and what its suspension leads to.
//!
//! A waiting attempt is a cost, a parked one is bytes on disk. On protocol v7 the SDK says what it
//! awaits: when all of that is far away it is asked to suspend at once. Otherwise, and on v5 and v6,
//! it keeps its stream for a short hold time, because the answer is likely to come soon.
//! - Owns: those decisions and the baseline of what an attempt has seen.
//! - Invariant: a suspension wakes on what arrived after the attempt had read its input, never on
//!   what it had already seen, so a consumed signal cannot make a hot loop.

use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{AwaitingOn, CombinatorType, Future, Notification, Suspension};
use reveille_protocol::signal;

use crate::attempt;
use crate::await_tree::{self, Leaf};
use crate::command::AttemptId;
use crate::effect::Effect;
use crate::journal::is_failure;
use crate::keys;
use crate::record::{self, Pending, Status};
use crate::tx::{EngineError, Invocation, Tx};
use crate::{retry, wait};

/// The SDK suspended: parks the invocation, or starts the next attempt if news is already there.
pub fn on_suspension(
    tx: &mut Tx<'_>,
    mut invocation: Invocation,
    message: Suspension,
) -> Result<(), EngineError> {
    let mut tree = message.awaiting_on.unwrap_or_else(|| Future {
        waiting_completions: message.waiting_completions,
        waiting_signals: message.waiting_signals,
        waiting_named_signals: message.waiting_named_signals,
        nested_futures: Vec::new(),
        combinator_type: CombinatorType::FirstCompleted.into(),
    });
    let seen = invocation.record.seen;
    let mut wake = await_tree::is_empty(&tree);
    for entry in tx.journal(&invocation, seen)? {
        if entry.frame.ty.is_notification() {
            let key = keys::journal(invocation.id, seen);
            let notification: Notification = decode_entry(&key, &entry)?;
            if let Some(leaf) = Leaf::of(&notification) {
                wake |= await_tree::settle(&mut tree, &leaf, is_failure(&notification));
            }
        }
    }
    attempt::end(tx, &mut invocation);
    invocation.record.failed_attempts = 0;
    if invocation.record.pause_requested {
        // Remembered, because an administrator may answer it by name while nobody wakes up.
        wait::remember(tx, &mut invocation, &await_tree::leaves(&tree))?;
        return retry::pause(tx, &mut invocation);
    }
    if wake {
        return attempt::start(tx, &mut invocation);
    }
    attempt::land(tx, &invocation)?;
    invocation.record.set_status(Status::Suspended);
    let listed = await_tree::leaves(&tree);
    invocation.record.awaiting = Some(tree);
    invocation.record.modified_at = tx.now();
    wait::list(tx, &mut invocation, &listed)?;
    tx.put(&invocation);
    Ok(())
}

/// The SDK says what it awaits. A hint: it may be late, and it may be wrong by then.
pub fn on_awaiting(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    message: &AwaitingOn,
) -> Result<(), EngineError> {
    let Some(tree) = &message.awaiting_on else { return Ok(()) };
    if !invocation.record.input_open || message.executing_side_effects {
        return Ok(());
    }
    for leaf in await_tree::leaves(tree) {
        if !is_far(tx, invocation, &leaf)? {
            return Ok(());
        }
    }
    close_input(tx, invocation);
    Ok(())
}

/// Nothing moved for the hold time, or for the whole inactivity timeout.
pub fn on_idle(
    tx: &mut Tx<'_>,
    id: InvocationId,
    attempt: AttemptId,
    expired: bool,
) -> Result<(), EngineError> {
    let Some(mut invocation) = attempt::live(tx, id, attempt)? else { return Ok(()) };
    // A handler that executes a run is not waiting: only the inactivity timeout may end it.
    let waiting = invocation.record.runs.is_empty();
    if invocation.record.input_open && (waiting || expired) {
        close_input(tx, &mut invocation);
        tx.put(&invocation);
    }
    Ok(())
}

/// Closes the open input of the current attempt, so that the SDK suspends at its next await.
pub fn close_input(tx: &mut Tx<'_>, invocation: &mut Invocation) {
    let record = &mut invocation.record;
    record.input_open = false;
    record.seen = record.journal_len;
    tx.emit(Effect::CloseInput(invocation.id, invocation.attempt()));
}

/// True when a leaf is neither settled nor likely to be soon.
fn is_far(tx: &Tx<'_>, invocation: &Invocation, leaf: &Leaf) -> Result<bool, EngineError> {
    match leaf {
        Leaf::Named(_) => Ok(true),
        Leaf::Signal(index) if *index < signal::AWAKEABLE_FIRST => Ok(true),
        Leaf::Signal(index) => Ok(tx.get(&keys::decision(invocation.id, *index))?.is_none()),
        Leaf::Completion(id) if invocation.record.runs.contains(id) => Ok(false),
        Leaf::Completion(id) => {
            let pending: Option<Pending> = tx.read(&keys::pending(invocation.id, *id))?;
            // No row: it is settled already, and the hint was sent before the SDK knew.
            let Some(pending) = pending else { return Ok(false) };
            Ok(match MessageType(u16::try_from(pending.command).unwrap_or(0)) {
                MessageType::GET_PROMISE_COMMAND => true,
                MessageType::SLEEP_COMMAND => {
                    pending.wake_up_at > tx.now().saturating_add(tx.context.hold_ms)
                }
                _ => false,
            })
        }
    }
}

fn decode_entry(key: &[u8], entry: &record::JournalEntry) -> Result<Notification, EngineError> {
    let decoded = entry.frame.decode::<Notification>();
    decoded.map_err(|error| EngineError::corrupt(key, &error.to_string()))
}
