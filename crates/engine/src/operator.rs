//! Cancel, kill, pause, resume and signals: what others may do to an invocation.
//!
//! | state | cancel | kill | pause | resume |
//! |---|---|---|---|---|
//! | Scheduled, Queued | forgotten, 409 `canceled` | forgotten, 409 `killed` | conflict | too early |
//! | Running | signal 1, no pause | ends with 409 `killed` | at its suspension | no pause |
//! | Limited before any attempt | as Queued | as Queued | as Queued | as Queued |
//! | Limited after one | signal 1 | ends | at once | no effect |
//! | Suspended | signal 1 | ends | no effect | one more attempt |
//! | BackingOff | signal 1, the back-off stays | ends | at once | the next attempt at once |
//! | Paused | signal 1, then resumed | ends | no effect | the next attempt |
//! | Completed | conflict | conflict | conflict | conflict |
//!
//! A pause of a running invocation is a request: the input is closed so that the SDK suspends, and
//! the invocation is paused instead of whatever would follow, be it after a suspension, a failed
//! attempt or a restart. A result still ends it.
//!
//! A resume may name another deployment. If it starts an attempt, the invocation is pinned there
//! first, with the protocol version of that deployment, if that has its service. Whether the handlers
//! there fit the journal is up to the operator.
//!
//! - Invariant: a cancelled handler decides itself how it ends; a killed one is not asked. What a
//!   killed handler called is killed too; what it sent, or only joined, is not.

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Notification, notification};
use reveille_protocol::signal;

use crate::attempt;
use crate::command::{Caller, RequestId, ResumeOn};
use crate::complete::{self, End};
use crate::effect::{Effect, Reply};
use crate::journal::{self, append_notification, cancel_signal};
use crate::keys::{self, tag};
use crate::message::Message;
use crate::record::{Pending, Status, decode};
use crate::tx::{EngineError, Invocation, Tx};
use crate::{retry, suspend};

/// An operator cancels.
pub fn on_cancel(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(invocation) => match invocation.status() {
            Status::Completed => already_completed(id),
            _ if invocation.never_ran() => {
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

/// An operator pauses.
pub fn on_pause(tx: &mut Tx<'_>, request: RequestId, id: InvocationId) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(mut invocation) => match invocation.status() {
            Status::Running => {
                if invocation.record.input_open {
                    suspend::close_input(tx, &mut invocation);
                }
                invocation.record.pause_requested = true;
                tx.put(&invocation);
                Reply::Accept
            }
            status if status == Status::Completed || invocation.never_ran() => {
                Reply::Conflict(format!("The invocation '{id}' is not running, cannot be paused."))
            }
            Status::BackingOff | Status::Limited => {
                retry::pause(tx, &mut invocation)?;
                Reply::Accept
            }
            _ => Reply::Done,
        },
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// An operator resumes.
pub fn on_resume(
    tx: &mut Tx<'_>,
    request: RequestId,
    id: InvocationId,
    deployment: ResumeOn,
) -> Result<(), EngineError> {
    let reply = match tx.load(id)? {
        None => Reply::NotFound(id),
        Some(mut invocation) => match invocation.status() {
            Status::Completed => {
                Reply::Conflict(format!("The invocation '{id}' is completed, cannot be resumed."))
            }
            _ if invocation.never_ran() => Reply::TooEarly(format!(
                "The invocation '{id}' is either inboxed or scheduled, cannot be resumed."
            )),
            Status::Running => {
                if std::mem::take(&mut invocation.record.pause_requested) {
                    tx.put(&invocation);
                }
                Reply::Done
            }
            _ => {
                match pin(tx, &mut invocation, deployment, &format!("resume the invocation '{id}'"))
                {
                    Pinned::Yes => {
                        // One that queues for units will start, wherever it is pinned by then.
                        if invocation.status() == Status::Limited {
                            tx.put(&invocation);
                        } else {
                            attempt::start(tx, &mut invocation)?;
                        }
                        Reply::Done
                    }
                    Pinned::Refused(text) => Reply::Invalid(text),
                }
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
        _ if invocation.never_ran() => forget_at_end(&mut invocation),
        _ => {}
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
    if cancel && invocation.never_ran() {
        forget_at_end(&mut invocation);
        return complete::complete(tx, &mut invocation, End::failure(409, "canceled"));
    }
    let ty = MessageType::SIGNAL_NOTIFICATION;
    append_notification(tx, &mut invocation, ty, notification, journal::Reply::Full)?;
    // The handler has to clean up first.
    invocation.record.pause_requested &= !cancel;
    if cancel && status == Status::Paused {
        return attempt::start(tx, &mut invocation);
    }
    tx.put(&invocation);
    Ok(())
}

/// What became of the choice of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Its attempts go there.
    Yes,
    /// They cannot; the text says why.
    Refused(String),
}

/// Pins an invocation without a live attempt to another deployment. What is not pinned yet goes to the
/// latest deployment anyway, and may go on doing so. `trying` is what the operator is about to do.
pub fn pin(tx: &Tx<'_>, invocation: &mut Invocation, deployment: ResumeOn, trying: &str) -> Pinned {
    let schema = tx.context.schema;
    let record = &mut invocation.record;
    let id = match deployment {
        ResumeOn::Keep => return Pinned::Yes,
        ResumeOn::Latest if record.pinned_deployment.is_empty() => return Pinned::Yes,
        ResumeOn::Latest => schema.services.get(&record.service).map(|service| service.deployment),
        ResumeOn::Deployment(id) => Some(id),
    };
    let Some(deployment) = id.and_then(|id| schema.deployments.get(&id)) else {
        return Pinned::Refused(format!(
            "The given deployment was not found when trying to {trying}."
        ));
    };
    if deployment.services.binary_search(&record.service).is_err() {
        return Pinned::Refused(format!(
            "The deployment '{}' has no service '{}', cannot {trying} there.",
            deployment.id, record.service
        ));
    }
    let pinned = Bytes::copy_from_slice(&deployment.id.0.to_be_bytes());
    if record.pinned_deployment != pinned {
        record.pinned_deployment = pinned;
        record.protocol_version = deployment.protocol_version;
    }
    Pinned::Yes
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
