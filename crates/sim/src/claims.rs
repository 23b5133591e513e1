//! What the outside is told must be durable: each effect is compared with the durable history at
//! the moment it leaves.
//!
//! - Owns: one rule per effect and reply that makes a claim.
//! - Invariant: looks at the history, not at the current rows, since later batches may be durable
//!   already when the effects of an earlier one are released.

use reveille_engine::command::{Millis, WaitTarget};
use reveille_engine::effect::{AttemptStart, Effect, Receipt, ReceiptOutcome, Reply};
use reveille_engine::identity::SecretKey;
use reveille_engine::keys;
use reveille_engine::message::Outcome;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Notification, ProposeRunCompletionAck, Start, notification};

use crate::model::Model;
use crate::observer::Observer;
use crate::trace::{Checked, invariant, violation};

/// Checks an effect of a partition that is about to leave.
pub fn check_effect(
    observer: &Observer,
    model: &Model,
    secret_key: &SecretKey,
    partition: u16,
    effect: &Effect,
) -> Checked {
    match effect {
        Effect::Completed { id, completed, .. } => {
            ended_with(observer, model, *id, &completed.outcome)
        }
        Effect::StartAttempt(start) => started(observer, secret_key, start),
        Effect::Forward(id, _, frame) => forwarded(observer, *id, frame),
        Effect::Send(to, seq, message) => {
            if observer.sent.get(&(partition, *to, *seq)) == Some(message) {
                return Ok(());
            }
            let text = format!("message {seq} from {partition} to {to} left before it was durable");
            violation(invariant::DURABLE, text)
        }
        Effect::Acknowledge(from, seq) => {
            let row = observer.rows[usize::from(partition)].get(&keys::inbound_seq(*from));
            let durable = row.and_then(|row| row.as_ref().try_into().ok());
            if durable.map(u64::from_be_bytes).unwrap_or_default() >= *seq {
                return Ok(());
            }
            let text = format!("message {seq} from {from} was confirmed before it was durable");
            violation(invariant::DURABLE, text)
        }
        _ => Ok(()),
    }
}

fn ended_with(observer: &Observer, model: &Model, id: InvocationId, outcome: &Outcome) -> Checked {
    let Some(lives) = observer.lives.get(&id) else {
        return violation(invariant::DURABLE, format!("{id} ended before it was durable"));
    };
    if lives.iter().any(|life| life.outcome.as_ref() == Some(outcome)) {
        return Ok(());
    }
    // A life that was forgotten in the step of its end left no result behind.
    if lives.iter().any(|life| life.forgotten && life.outcome.is_none()) {
        return model.check_outcome(observer, id, outcome);
    }
    violation(invariant::DURABLE, format!("{id} was said to end with {outcome:?}, which is not so"))
}

fn started(observer: &Observer, secret_key: &SecretKey, start: &AttemptStart) -> Checked {
    let id = start.id;
    let decoded = start.frames.first().and_then(|frame| frame.decode::<Start>().ok());
    let Some(decoded) = decoded else {
        return violation(invariant::RULES, format!("an attempt of {id} starts without a start"));
    };
    let lives = observer.lives.get(&id).map(Vec::as_slice).unwrap_or_default();
    let life = lives.iter().find(|life| {
        decoded.id.get(24..) == Some(secret_key.secret(id, life.created_at).as_slice())
    });
    let Some(life) = life else {
        return violation(invariant::DURABLE, format!("{id} was started before it was durable"));
    };
    let replay = &start.frames[1..];
    if !life.journal.starts_with(replay) {
        let text = format!("attempt {} of {id} replays what is not durable", start.attempt);
        return violation(invariant::DURABLE, text);
    }
    if life.record.attempt < start.attempt.number {
        let text = format!("attempt {} of {id} was started before it was durable", start.attempt);
        return violation(invariant::DURABLE, text);
    }
    Ok(())
}

fn forwarded(observer: &Observer, id: InvocationId, frame: &Frame) -> Checked {
    let lives = observer.lives.get(&id).map(Vec::as_slice).unwrap_or_default();
    // A life that ended and lost its journal in one step leaves the entries of that step nowhere.
    if lives.iter().any(|life| !life.is_open()) {
        return Ok(());
    }
    let mut entries = lives.iter().flat_map(|life| &life.journal);
    let durable = if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
        let ack = frame.decode::<ProposeRunCompletionAck>().unwrap_or_default();
        let completed = notification::Id::CompletionId(ack.completion_id);
        entries.any(|entry| {
            entry.ty == MessageType::RUN_NOTIFICATION
                && entry.decode::<Notification>().is_ok_and(|n| n.id.as_ref() == Some(&completed))
        })
    } else {
        entries.any(|entry| entry == frame)
    };
    if durable {
        return Ok(());
    }
    violation(invariant::DURABLE, format!("{id} was told {} before it was durable", frame.ty))
}

/// Checks a reply to somebody outside. `asked_at` is when the request was sent.
pub fn check_reply(
    observer: &Observer,
    model: &Model,
    reply: &Reply,
    asked_at: Millis,
    now: Millis,
) -> Checked {
    match reply {
        Reply::Accepted { id, .. }
        | Reply::WorkflowAlreadyInvoked(id)
        | Reply::NotReady(id)
        | Reply::Taken { id, .. } => {
            if observer.lives.contains_key(id) {
                return Ok(());
            }
            violation(invariant::DURABLE, format!("{id} was confirmed before it was durable"))
        }
        Reply::Result { id, completed, .. } => ended_with(observer, model, *id, &completed.outcome),
        Reply::NotFound(id) => {
            let Some(life) = observer.last(*id) else { return Ok(()) };
            let expires_at = life.record.completed_at + life.record.completion_retention_ms;
            let kept = life.is_open() || (!life.forgotten && expires_at > now);
            if kept && life.created_at < asked_at && observer.lives[id].len() == 1 {
                return violation(invariant::NOT_LOST, format!("{id} exists and was not found"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks the receipt of a completion. `right` is false when the secret was made up.
pub fn check_receipt(
    observer: &Observer,
    wait: &WaitTarget,
    right: bool,
    value: &notification::Result,
    receipt: &Receipt,
) -> Checked {
    let id = wait.invocation();
    let WaitTarget::Awakeable(awakeable) = wait else { return Ok(()) };
    let index = awakeable.index;
    if !right {
        if receipt.outcome == ReceiptOutcome::Unknown {
            return Ok(());
        }
        let text = format!("a wrong secret for {id} got {:?}", receipt.outcome);
        return violation(invariant::SECRET, text);
    }
    let lives = observer.lives.get(&id).map(Vec::as_slice).unwrap_or_default();
    match receipt.outcome {
        ReceiptOutcome::Completed => {
            let durable = lives.iter().any(|life| life.awakeables.get(&index) == Some(value));
            if durable || observer.replaced.contains(&(id, index)) {
                return Ok(());
            }
            let text = format!("awakeable {index} of {id} was confirmed before it was durable");
            violation(invariant::DURABLE, text)
        }
        ReceiptOutcome::Conflict | ReceiptOutcome::Replayed => {
            if lives.iter().any(|life| life.awakeables.contains_key(&index)) {
                return Ok(());
            }
            let text = format!("awakeable {index} of {id} was said to be decided, which is not so");
            violation(invariant::DURABLE, text)
        }
        ReceiptOutcome::Gone if lives.iter().all(|life| life.is_open()) => {
            violation(invariant::DURABLE, format!("{id} was said to be gone, which is not so"))
        }
        ReceiptOutcome::Unknown => {
            if lives.len() == 1 && lives[0].is_open() {
                let text = format!("awakeable {index} of {id} was refused though it is open");
                return violation(invariant::NOT_LOST, text);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
