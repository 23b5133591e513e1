//! Durable timers: rows ordered by due time, one rule per kind.
//!
//! - Does not own: the clock; the driver hands back the keys that are due.

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Void, notification};

use crate::command::{Caller, Millis};
use crate::keys::{self, Timer, TimerKind};
use crate::record::Status;
use crate::tx::{EngineError, Tx};
use crate::{invoke, outbox, retention};

/// Sets a timer.
pub fn set(tx: &mut Tx<'_>, due: Millis, kind: TimerKind, id: InvocationId, number: u32) {
    tx.create(keys::timer(Timer { due, kind, id, number }), Bytes::new());
}

/// Removes a timer.
pub fn unset(tx: &mut Tx<'_>, due: Millis, kind: TimerKind, id: InvocationId, number: u32) {
    tx.delete(keys::timer(Timer { due, kind, id, number }));
}

/// A timer is due. One that was removed meanwhile does nothing.
pub fn on_due(tx: &mut Tx<'_>, key: Bytes) -> Result<(), EngineError> {
    if tx.get(&key)?.is_none() {
        return Ok(());
    }
    let timer = keys::parse_timer(&key).ok_or_else(|| EngineError::corrupt(&key, "not a timer"))?;
    tx.delete(key);
    match timer.kind {
        TimerKind::Start => on_start(tx, timer.id),
        TimerKind::Sleep => on_sleep(tx, timer),
        TimerKind::Purge => retention::on_due(tx, timer.id),
        TimerKind::PurgeJournal => retention::on_journal_due(tx, timer.id, timer.due),
    }
}

fn on_start(tx: &mut Tx<'_>, id: InvocationId) -> Result<(), EngineError> {
    match tx.load(id)? {
        Some(invocation) if invocation.status() == Status::Scheduled => {
            invoke::begin(tx, invocation)
        }
        _ => Ok(()),
    }
}

fn on_sleep(tx: &mut Tx<'_>, timer: Timer) -> Result<(), EngineError> {
    let Some(invocation) = tx.load(timer.id)? else { return Ok(()) };
    let caller = Caller {
        id: timer.id,
        created_at: invocation.record.created_at,
        completion_id: timer.number,
    };
    let void = notification::Result::Void(Void {});
    outbox::notify(tx, caller, void, &[MessageType::SLEEP_COMMAND])
}
