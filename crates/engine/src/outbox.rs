//! Messages between invocations: delivery within a partition and between partitions.
//!
//! - Owns: exactly-once arrival (sequence numbers), one `match` over messages.
//! - Does not own: transport. The driver sends outbox rows at least once and in order.
//! - Invariant: a message is applied in the step that raises the inbound sequence number, so a
//!   repeated delivery changes nothing.

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::message::notification;

use crate::command::{Caller, PartitionNumber};
use crate::effect::Effect;
use crate::journal::{self, Reply};
use crate::keys;
use crate::message::Message;
use crate::record::{Pending, Status};
use crate::tx::{EngineError, Tx};
use crate::{complete, invoke, operator, wait};

/// A message from another partition.
pub fn on_deliver(
    tx: &mut Tx<'_>,
    from: PartitionNumber,
    seq: u64,
    message: Bytes,
) -> Result<(), EngineError> {
    let key = keys::inbound_seq(from);
    let last = tx.read_seq(&key)?;
    if seq > last + 1 {
        // A gap: an earlier message is still on its way and this one will come again after it.
        return Ok(());
    }
    tx.emit(Effect::Acknowledge(from, seq));
    if seq <= last {
        return Ok(());
    }
    tx.write(key.clone(), Bytes::copy_from_slice(&seq.to_be_bytes()));
    let message = Message::decode(&key, &message)?;
    dispatch(tx, message)
}

/// Another partition has made a message durable: it need not be sent again.
pub fn on_delivered(tx: &mut Tx<'_>, to: PartitionNumber, seq: u64) {
    tx.delete(keys::outbox(to, seq));
}

/// Applies a message to the invocation of this partition that it is for.
pub fn dispatch(tx: &mut Tx<'_>, message: Message) -> Result<(), EngineError> {
    match message {
        Message::Invoke(invoke) => invoke::on_message(tx, *invoke),
        Message::Notify(caller, result) => notify(tx, caller, result, NOTIFIABLE),
        Message::Attach(id, caller, wait) => complete::on_attach_message(tx, id, caller, wait),
        Message::Signal(id, notification) => operator::on_signal(tx, id, &notification),
        Message::CompleteAwakeable(awakeable, outcome) => {
            wait::complete_awakeable(tx, awakeable, outcome, None)?;
            Ok(())
        }
        Message::Kill(id, caller) => operator::on_kill_message(tx, id, caller),
    }
}

const NOTIFIABLE: &[MessageType] = &[
    MessageType::CALL_COMMAND,
    MessageType::GET_PROMISE_COMMAND,
    MessageType::ATTACH_INVOCATION_COMMAND,
    MessageType::GET_INVOCATION_OUTPUT_COMMAND,
];

/// Completes a pending completion. Without a pending row it was completed already, or its
/// invocation has ended: then nothing happens.
pub fn notify(
    tx: &mut Tx<'_>,
    caller: Caller,
    result: notification::Result,
    expected: &[MessageType],
) -> Result<(), EngineError> {
    let Some(mut invocation) = tx.load(caller.id)? else { return Ok(()) };
    if invocation.record.created_at != caller.created_at || invocation.status() == Status::Completed
    {
        return Ok(());
    }
    let key = keys::pending(caller.id, caller.completion_id);
    let Some(pending) = tx.read::<Pending>(&key)? else { return Ok(()) };
    let command = MessageType(u16::try_from(pending.command).unwrap_or(0));
    if !expected.contains(&command) {
        return Err(EngineError::corrupt(&key, "completed as if it were another command"));
    }
    tx.delete(key);
    invocation.record.pending_len = invocation.record.pending_len.saturating_sub(1);
    // The notification of a command has its code with the highest bit set.
    let ty = MessageType(command.0 & 0x00FF | 0x8000);
    let notification = journal::completion(caller.completion_id, result);
    journal::append_notification(tx, &mut invocation, ty, &notification, Reply::Full)?;
    tx.put(&invocation);
    Ok(())
}
