//! Appending to a journal, and what a new notification leads to.
//!
//! - Owns: entry numbering, pinning, forwarding to the open stream, waking the suspended.
//! - Invariant: notifications reach the SDK in journal order, and only those appended while the
//!   request stream was open; the rest is in the next replay.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{Notification, ProposeRunCompletionAck, Void, notification};

use crate::attempt;
use crate::await_tree::{self, Leaf};
use crate::effect::Effect;
use crate::keys;
use crate::record::{JournalEntry, Status};
use crate::tx::{EngineError, Invocation, Tx};
use crate::wait;

/// How a notification travels on the open stream of the current attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// As it is stored.
    Full,
    /// As an acknowledgement: the SDK knows the value, it proposed it.
    Ack,
}

/// Appends a command that the SDK created, verbatim. The first one pins deployment and version.
pub fn append_command(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    ty: MessageType,
    payload: Bytes,
) {
    append(tx, invocation, ty, payload);
    invocation.record.commands_len += 1;
    if invocation.record.pinned_deployment.is_empty() {
        invocation.record.pinned_deployment = invocation.record.attempt_deployment.clone();
    }
}

/// Appends a notification, then forwards it or wakes the invocation, whatever its state asks for.
/// The caller writes the record back.
pub fn append_notification(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    ty: MessageType,
    notification: &Notification,
    reply: Reply,
) -> Result<(), EngineError> {
    let frame = Frame::message(ty, notification);
    append(tx, invocation, ty, frame.payload.clone());
    if invocation.status() == Status::Running && invocation.record.input_open {
        let frame = match (reply, &notification.id) {
            (Reply::Ack, Some(notification::Id::CompletionId(completion_id))) => {
                let ack = ProposeRunCompletionAck { completion_id: *completion_id };
                Frame::message(MessageType::PROPOSE_RUN_COMPLETION_ACK, &ack)
            }
            _ => frame,
        };
        tx.emit(Effect::Forward(invocation.id, invocation.attempt(), frame));
    }
    match Leaf::of(notification) {
        Some(leaf) if invocation.status() == Status::Suspended => {
            settle(tx, invocation, &leaf, is_failure(notification))
        }
        Some(leaf) => {
            wait::forget(invocation, &leaf);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Completes a command of this very invocation within its step.
pub fn complete_now(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    ty: MessageType,
    completion_id: u32,
    result: notification::Result,
) -> Result<(), EngineError> {
    let notification = completion(completion_id, result);
    append_notification(tx, invocation, ty, &notification, Reply::Full)
}

/// A completion notification.
pub fn completion(completion_id: u32, result: notification::Result) -> Notification {
    Notification { id: Some(notification::Id::CompletionId(completion_id)), result: Some(result) }
}

/// The cancel signal.
pub fn cancel_signal() -> Notification {
    Notification {
        id: Some(notification::Id::SignalId(reveille_protocol::signal::CANCEL)),
        result: Some(notification::Result::Void(Void {})),
    }
}

/// True when the result of a notification is a failure.
pub fn is_failure(notification: &Notification) -> bool {
    matches!(notification.result, Some(notification::Result::Failure(_)))
}

/// Takes what a notification settles off what a suspended invocation awaits, and wakes it if that is
/// enough.
fn settle(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    leaf: &Leaf,
    failed: bool,
) -> Result<(), EngineError> {
    let Some(tree) = invocation.record.awaiting.as_mut() else { return Ok(()) };
    let awaited = await_tree::leaves(tree).len();
    if await_tree::settle(tree, leaf, failed) {
        attempt::start(tx, invocation)?;
        wait::forget(invocation, leaf);
        return Ok(());
    }
    let left = await_tree::leaves(tree);
    match awaited - left.len() {
        0 => {}
        1 => {
            wait::take_off(tx, invocation, leaf);
            if invocation.record.waits.is_empty() {
                // What did not fit on the list before has room now.
                wait::list(tx, invocation, &left)?;
            }
        }
        // A node was done as a whole: whatever else it awaited is not awaited any more.
        _ => {
            wait::unlist(tx, invocation);
            wait::list(tx, invocation, &left)?;
        }
    }
    Ok(())
}

fn append(tx: &mut Tx<'_>, invocation: &mut Invocation, ty: MessageType, payload: Bytes) {
    let now = tx.now();
    let key = keys::journal(invocation.id, invocation.record.journal_len);
    tx.create(key, JournalEntry { at: now, frame: Frame::new(ty, payload) }.encode());
    let record = &mut invocation.record;
    record.journal_len += 1;
    record.modified_at = now;
    record.last_entry_at = now;
    record.failed_attempts = 0;
}
