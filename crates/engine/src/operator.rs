//! Cancel, kill, resume and signals: what others may do to an invocation.
//!
//! | state | cancel | kill | resume |
//! |---|---|---|---|
//! | Scheduled, Queued | forgotten, waiters get 409 `canceled` | forgotten, 409 `killed` | too early |
//! | Running, Suspended | signal 1 | ends with 409 `killed` | one more attempt |
//! | BackingOff | signal 1, the back-off stays | ends | the next attempt at once |
//! | Paused | signal 1, then resumed | ends | the next attempt |
//! | Completed | conflict | conflict | conflict |
//!
//! - Invariant: a cancelled handler decides itself how it ends; a killed one is not asked. What a
//!   killed handler called is killed too; what it sent, or only joined, is not.

use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Notification, notification};
use reveille_protocol::signal;

use crate::attempt;
use crate::command::{Caller, RequestId};
use crate::complete::{self, End};
use crate::effect::{Effect, Reply};
use crate::journal::{self, append_notification, cancel_signal};
use crate::keys::{self, tag};
use crate::message::Message;
use crate::record::{Pending, Status, decode};
use crate::tx::{EngineError, Invocation, Tx};

/// An operator cancels.
pub fn on_cancel(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(invocation) => match invocation.status() {
            Status::Completed => already_completed(id),
            Status::Scheduled | Status::Queued => {
                signal(tx, invocation, &cancel_signal())?;
                Reply::Done
            }
            _ => {
                signal(tx, invocation, &cancel_signal())?;
                Reply::Accept
            }
        },
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// An operator kills.
pub fn on_kill(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match kill(tx, id)? {
        Killed::Yes => Reply::Done,
        Killed::AlreadyCompleted => already_completed(id),
        Killed::Unknown => Reply::NotFound(id),
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// An operator resumes.
pub fn on_resume(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(mut invocation) => match invocation.status() {
            Status::Completed => {
                Reply::Conflict(format!("The invocation '{id}' is completed, cannot be resumed."))
            }
            Status::Scheduled | Status::Queued => Reply::TooEarly(format!(
                "The invocation '{id}' is either inboxed or scheduled, cannot be resumed."
            )),
            Status::Running => Reply::Done,
            Status::Suspended | Status::BackingOff | Status::Paused => {
                attempt::start(tx, &mut invocation)?;
                Reply::Done
            }
        },
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// A signal from another invocation. One that has ended, or never was, takes no notice.
pub fn on_signal(
    tx: &mut Tx<'_>,
    id: InvocationId,
    notification: &Notification,
) -> Result<(), EngineError> {
    match tx.load(id)? {
        Some(invocation) if invocation.status() != Status::Completed => {
            signal(tx, invocation, notification)
        }
        _ => Ok(()),
    }
}

/// A caller was killed. What it only joined belongs to others too and goes on.
pub fn on_kill_message(
    tx: &mut Tx<'_>,
    id: InvocationId,
    caller: Caller,
) -> Result<(), EngineError> {
    let callee = tx.load(id)?;
    let stored = callee.and_then(|callee| callee.record.caller);
    if stored.and_then(|stored| stored.to_caller()) == Some(caller) {
        kill(tx, id)?;
    }
    Ok(())
}

/// What became of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    /// It has ended now.
    Yes,
    /// It had ended before.
    AlreadyCompleted,
    /// There is no such invocation.
    Unknown,
}

/// Ends an invocation at once, and the calls it made.
pub fn kill(tx: &mut Tx<'_>, id: InvocationId) -> Result<Killed, EngineError> {
    let Some(mut invocation) = tx.load(id)? else { return Ok(Killed::Unknown) };
    match invocation.status() {
        Status::Completed => return Ok(Killed::AlreadyCompleted),
        Status::Running => {
            tx.emit(Effect::AbortAttempt(id, invocation.attempt()));
            invocation.record.input_open = false;
        }
        Status::Scheduled | Status::Queued => forget_at_end(&mut invocation),
        Status::BackingOff | Status::Suspended | Status::Paused => {}
    }
    kill_callees(tx, &invocation)?;
    complete::complete(tx, &mut invocation, End::failure(409, "killed"))?;
    Ok(Killed::Yes)
}

/// Stores a signal for an invocation in whatever state it is.
fn signal(
    tx: &mut Tx<'_>,
    mut invocation: Invocation,
    notification: &Notification,
) -> Result<(), EngineError> {
    let cancel = notification.id == Some(notification::Id::SignalId(signal::CANCEL));
    let status = invocation.status();
    if cancel && matches!(status, Status::Scheduled | Status::Queued) {
        forget_at_end(&mut invocation);
        return complete::complete(tx, &mut invocation, End::failure(409, "canceled"));
    }
    let ty = MessageType::SIGNAL_NOTIFICATION;
    append_notification(tx, &mut invocation, ty, notification, journal::Reply::Full)?;
    if cancel && status == Status::Paused {
        return attempt::start(tx, &mut invocation);
    }
    tx.put(&invocation);
    Ok(())
}

/// An invocation that never started leaves no trace.
fn forget_at_end(invocation: &mut Invocation) {
    invocation.record.completion_retention_ms = 0;
    invocation.record.journal_retention_ms = 0;
}

fn kill_callees(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), EngineError> {
    if invocation.record.pending_len == 0 {
        return Ok(());
    }
    let (start, end) = keys::of_invocation(tag::PENDING, invocation.id);
    for (key, value) in tx.scan(&start, &end, usize::MAX)? {
        let pending: Pending = decode(&key, &value)?;
        let number = key.last_chunk::<4>().copied().map(u32::from_be_bytes).unwrap_or_default();
        if pending.command == u32::from(MessageType::CALL_COMMAND.0) {
            let callee = keys::parse_id(&pending.target)
                .ok_or_else(|| EngineError::corrupt(&key, "a call has no callee"))?;
            let caller = Caller {
                id: invocation.id,
                created_at: invocation.record.created_at,
                completion_id: number,
            };
            tx.send(Message::Kill(callee, caller))?;
        }
    }
    Ok(())
}

fn already_completed(id: InvocationId) -> Reply {
    Reply::Conflict(format!("The invocation '{id}' was already completed."))
}
