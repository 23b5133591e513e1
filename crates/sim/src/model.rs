//! The reference model: what the handlers did, what was offered to them, and which results follow.
//!
//! - Owns: the results that the model SDK computed, values offered to waits, state as the journals
//!   say, promises, kills and cancellations.
//! - Does not own: what is durable ([`crate::observer`]).
//! - Invariant: learns from the SDK and the clients and from durable journals, never from the
//!   engine's other tables, with which it is compared.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use reveille_engine::message::Outcome;
use reveille_engine::record::InvocationRecord;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{
    AttachInvocationCommand, CallCommand, CompleteAwakeableCommand, GetInvocationOutputCommand,
    GetPromiseCommand, Notification, PeekPromiseCommand, SendSignalCommand,
    attach_invocation_command, complete_awakeable_command, notification, send_signal_command,
};

use crate::edits::Asked;
use crate::life::LifeKey;
use crate::observer::{Change, Observer};
use crate::state_model::State;
use crate::trace::{Checked, invariant, violation};

/// Names an object or workflow.
pub type Key = (String, String);

/// What the model knows.
#[derive(Default)]
pub struct Model {
    /// Results that the SDK sent, by invocation.
    pub results: BTreeMap<InvocationId, Vec<Outcome>>,
    /// Results of handlers that are functions of their journals, by `Start.id`.
    pub determined: BTreeMap<Bytes, Outcome>,
    /// Invocations that somebody wanted to kill.
    pub killed: BTreeSet<InvocationId>,
    /// Invocations that somebody wanted to cancel.
    pub cancelled: BTreeSet<InvocationId>,
    /// Values offered to awakeables with the right id.
    pub offered: BTreeMap<(InvocationId, u32), Vec<notification::Result>>,
    /// Values offered with a wrong secret.
    pub forged: Vec<notification::Result>,
    /// Commands that the SDK sent, by `Start.id` and index: every attempt's variant.
    pub commands: BTreeMap<(Bytes, usize), Vec<Frame>>,
    /// Notifications that the SDK received, by `Start.id`, in order.
    pub notifications: BTreeMap<Bytes, Vec<Notification>>,
    /// Who called whom.
    pub callers: BTreeMap<InvocationId, InvocationId>,
    /// States that exclusive handlers can have left.
    pub end_views: BTreeMap<LifeKey, Vec<State>>,
    /// States that exclusive handlers can have begun with, in view of what they were shown.
    pub begin_views: BTreeMap<LifeKey, Vec<State>>,
    /// State edits that clients asked for.
    pub edits: Vec<Asked>,
    /// Completed promises: the first value that any handler saw, until the workflow is forgotten.
    promises: BTreeMap<(Key, String), notification::Result>,
}

impl Model {
    /// Takes in what became durable, and compares.
    pub fn follow(&mut self, observer: &mut Observer) -> Checked {
        for change in std::mem::take(&mut observer.changed) {
            match change {
                Change::Appended(id, commands, frame) => {
                    self.appended(observer, id, commands, &frame)?;
                }
                Change::Completed(id, outcome) => self.check_outcome(observer, id, &outcome)?,
                Change::Forgotten(id) => {
                    if let Some(key) = observer.last(id).map(|life| instance(&life.record)) {
                        self.promises.retain(|(other, _), _| *other != key);
                    }
                }
            }
        }
        Ok(())
    }

    fn appended(
        &mut self,
        observer: &Observer,
        id: InvocationId,
        commands: usize,
        frame: &Frame,
    ) -> Checked {
        let Some(life) = observer.last(id) else { return Ok(()) };
        if let Some(caller) = life.record.caller.as_ref().and_then(|caller| caller.to_caller()) {
            self.callers.insert(id, caller.id);
        }
        match frame.ty {
            MessageType::CALL_NOTIFICATION => self.call_result(observer, id, frame),
            MessageType::GET_PROMISE_NOTIFICATION | MessageType::PEEK_PROMISE_NOTIFICATION => {
                self.promise(observer, id, frame)
            }
            MessageType::SIGNAL_NOTIFICATION => self.signal(id, frame),
            MessageType::ATTACH_INVOCATION_NOTIFICATION
            | MessageType::GET_INVOCATION_OUTPUT_NOTIFICATION => {
                self.attached_result(observer, id, frame)
            }
            ty if ty.is_command() && ty != MessageType::INPUT_COMMAND => {
                self.sent_by_sdk(id, commands - 1, frame)
            }
            _ => Ok(()),
        }
    }

    /// A stored command is one that the SDK sent at this position.
    fn sent_by_sdk(&self, id: InvocationId, index: usize, frame: &Frame) -> Checked {
        let low = (Bytes::copy_from_slice(id.as_bytes()), 0);
        let known = self
            .commands
            .range(low..)
            .take_while(|((start_id, _), _)| start_id.starts_with(id.as_bytes()))
            .any(|((_, at), frames)| *at == index && frames.contains(frame));
        if known {
            return Ok(());
        }
        let text = format!("command {index} of {id} ({}) was never sent", frame.ty);
        violation(invariant::REPLAY, text)
    }

    /// A call ends with a result of the callee, and with nothing else.
    fn call_result(&self, observer: &Observer, id: InvocationId, frame: &Frame) -> Checked {
        let Some(life) = observer.last(id) else { return Ok(()) };
        let Some((completion, result)) = completion_of(frame) else { return Ok(()) };
        let calls = life.journal.iter().filter(|entry| entry.ty == MessageType::CALL_COMMAND);
        let call = calls
            .filter_map(|entry| entry.decode::<CallCommand>().ok())
            .find(|call| call.result_completion_id == completion);
        let Some(call) = call else {
            let text = format!("{id} got the result of call {completion}, which it never made");
            return violation(invariant::NOT_LOST, text);
        };
        let ids =
            life.journal.iter().filter(|e| e.ty == MessageType::CALL_INVOCATION_ID_NOTIFICATION);
        let callee = ids.filter_map(completion_of).find_map(|(id, result)| match result {
            notification::Result::InvocationId(text)
                if id == call.invocation_id_notification_idx =>
            {
                text.parse::<InvocationId>().ok()
            }
            _ => None,
        });
        let (Some(callee), Some(outcome)) = (callee, outcome(&result)) else {
            return violation(invariant::NOT_LOST, format!("{id} called somebody without an id"));
        };
        if call.handler_name == "run" && is_failure(&outcome, 409, "already invoked") {
            return Ok(());
        }
        self.check_outcome(observer, callee, &outcome)
    }

    /// What an attached handler gets is a result of the other invocation, or that there is none.
    fn attached_result(&self, observer: &Observer, id: InvocationId, frame: &Frame) -> Checked {
        let Some((completion, result)) = completion_of(frame) else { return Ok(()) };
        let Some(outcome) = outcome(&result) else { return Ok(()) };
        let entries = observer.last(id).map(|life| life.journal.as_slice()).unwrap_or_default();
        let target = entries.iter().find_map(|entry| {
            let (id, target) = match entry.ty {
                MessageType::ATTACH_INVOCATION_COMMAND => {
                    let command: AttachInvocationCommand = entry.decode().ok()?;
                    (command.result_completion_id, command.target?)
                }
                MessageType::GET_INVOCATION_OUTPUT_COMMAND => {
                    let command: GetInvocationOutputCommand = entry.decode().ok()?;
                    (command.result_completion_id, command.target?)
                }
                _ => return None,
            };
            match target {
                attach_invocation_command::Target::InvocationId(text) if id == completion => {
                    text.parse::<InvocationId>().ok()
                }
                _ => None,
            }
        });
        match target {
            Some(_) if is_failure(&outcome, 404, "not found") => Ok(()),
            Some(target) => self.check_outcome(observer, target, &outcome),
            None => violation(invariant::NOT_LOST, format!("{id} attached to nobody")),
        }
    }

    fn signal(&self, id: InvocationId, frame: &Frame) -> Checked {
        let Ok(notification) = frame.decode::<Notification>() else { return Ok(()) };
        let (Some(notification::Id::SignalId(index)), Some(result)) =
            (notification.id, notification.result)
        else {
            return Ok(());
        };
        if index < 17 {
            return Ok(());
        }
        let offered = self.offered.get(&(id, index)).is_some_and(|all| all.contains(&result));
        if self.forged.contains(&result) {
            let text = format!("awakeable {index} of {id} was completed with a wrong secret");
            return violation(invariant::SECRET, text);
        }
        if offered {
            return Ok(());
        }
        let text = format!("awakeable {index} of {id} got {result:?}, which nobody offered");
        violation(invariant::FIRST_WINS, text)
    }

    /// A result is one that follows from the program, or from a kill or a cancellation.
    pub fn check_outcome(
        &self,
        observer: &Observer,
        id: InvocationId,
        outcome: &Outcome,
    ) -> Checked {
        if self.results.get(&id).is_some_and(|results| results.contains(outcome)) {
            return Ok(());
        }
        if is_failure(outcome, 409, "killed") && self.is_killed(id) {
            return Ok(());
        }
        if is_failure(outcome, 409, "canceled") && self.cancelled.contains(&id) {
            return Ok(());
        }
        let life = observer.last(id);
        if life.is_some_and(|life| self.is_copied_result(observer, life, outcome)) {
            return Ok(());
        }
        let gives_up = life.is_some_and(|life| life.record.service == "killer");
        if gives_up && is_failure(outcome, 500, "") {
            return Ok(());
        }
        let text =
            format!("{id} ended with {outcome:?}, its handler with {:?}", self.results.get(&id));
        violation(invariant::NOT_LOST, text)
    }

    /// True when somebody wanted to kill it, or one that called it.
    pub fn is_killed(&self, id: InvocationId) -> bool {
        let mut next = Some(id);
        for _ in 0..8 {
            let Some(id) = next else { return false };
            if self.killed.contains(&id) {
                return true;
            }
            next = self.callers.get(&id).copied();
        }
        false
    }

    /// The SDK sends a result. Whatever the attempt, it is the same, since all that a handler sees
    /// was durable before; only shared handlers see state that others change.
    pub fn on_result(
        &mut self,
        id: InvocationId,
        start_id: &Bytes,
        shared: bool,
        outcome: Outcome,
    ) -> Checked {
        let results = self.results.entry(id).or_default();
        if !results.contains(&outcome) {
            results.push(outcome.clone());
        }
        let first = self.determined.entry(start_id.clone()).or_insert_with(|| outcome.clone());
        if shared || *first == outcome {
            return Ok(());
        }
        let text = format!("{id} ended with {first:?} in one attempt, with {outcome:?} in another");
        violation(invariant::REPLAY, text)
    }

    /// Somebody offers a value to an awakeable, by its right id.
    pub fn offer(&mut self, id: InvocationId, index: u32, value: notification::Result) {
        let offered = self.offered.entry((id, index)).or_default();
        if !offered.contains(&value) {
            offered.push(value);
        }
    }

    /// A handler completes an awakeable.
    pub fn learn_completion(&mut self, frame: &Frame) {
        let Ok(command) = frame.decode::<CompleteAwakeableCommand>() else { return };
        let Ok(awakeable) = command.awakeable_id.parse::<AwakeableId>() else { return };
        let value = match command.result {
            Some(complete_awakeable_command::Result::Value(value)) => {
                notification::Result::Value(value)
            }
            Some(complete_awakeable_command::Result::Failure(failure)) => {
                notification::Result::Failure(failure)
            }
            None => return,
        };
        self.offer(awakeable.invocation, awakeable.index, value);
    }

    /// A handler signals somebody.
    pub fn learn_signal(&mut self, frame: &Frame) {
        let Ok(command) = frame.decode::<SendSignalCommand>() else { return };
        if let (Ok(id), Some(send_signal_command::SignalId::Idx(_))) =
            (command.target_invocation_id.parse(), command.signal_id)
        {
            self.cancelled.insert(id);
        }
    }

    /// The SDK sends a command of an invocation.
    pub fn on_command(&mut self, start_id: &Bytes, index: usize, frame: &Frame) {
        let frames = self.commands.entry((start_id.clone(), index)).or_default();
        if !frames.contains(frame) {
            frames.push(frame.clone());
        }
    }

    /// The SDK receives the notification at this position: always the same, in all attempts.
    pub fn on_notification(
        &mut self,
        id: InvocationId,
        start_id: &Bytes,
        position: usize,
        notification: &Notification,
    ) -> Checked {
        let known = self.notifications.entry(start_id.clone()).or_default();
        match known.get(position) {
            Some(before) if before != notification => {
                let text = format!(
                    "notification {position} of {id} was {before:?}, now it is {notification:?}"
                );
                violation(invariant::DURABLE, text)
            }
            Some(_) => Ok(()),
            None => {
                known.push(notification.clone());
                Ok(())
            }
        }
    }

    /// All handlers see the same value of a promise.
    fn promise(&mut self, observer: &Observer, id: InvocationId, frame: &Frame) -> Checked {
        let Some(life) = observer.last(id) else { return Ok(()) };
        let Some((completion, result)) = completion_of(frame) else { return Ok(()) };
        if matches!(result, notification::Result::Void(_)) {
            return Ok(());
        }
        let name = life.journal.iter().find_map(|entry| match entry.ty {
            MessageType::GET_PROMISE_COMMAND => {
                let command: GetPromiseCommand = entry.decode().ok()?;
                (command.result_completion_id == completion).then_some(command.key)
            }
            MessageType::PEEK_PROMISE_COMMAND => {
                let command: PeekPromiseCommand = entry.decode().ok()?;
                (command.result_completion_id == completion).then_some(command.key)
            }
            _ => None,
        });
        let Some(name) = name else {
            return violation(
                invariant::NOT_LOST,
                format!("{id} got a promise it did not ask for"),
            );
        };
        let key = (instance(&life.record), name);
        let first = self.promises.entry(key.clone()).or_insert_with(|| result.clone());
        if *first == result {
            return Ok(());
        }
        let text = format!("promise {key:?} was {first:?}, {id} sees {result:?}");
        violation(invariant::FIRST_WINS, text)
    }
}

/// A result as an outcome; `None` when it is neither a value nor a failure.
pub fn outcome(result: &notification::Result) -> Option<Outcome> {
    match result {
        notification::Result::Value(value) => Some(Outcome::Success(value.content.clone())),
        notification::Result::Failure(failure) => Some(Outcome::Failure(failure.clone())),
        _ => None,
    }
}

fn completion_of(frame: &Frame) -> Option<(u32, notification::Result)> {
    let notification: Notification = frame.decode().ok()?;
    match notification.id? {
        notification::Id::CompletionId(id) => Some((id, notification.result?)),
        _ => None,
    }
}

fn is_failure(outcome: &Outcome, code: u32, text: &str) -> bool {
    matches!(outcome, Outcome::Failure(f) if f.code == code && f.message.contains(text))
}

/// Names an object or workflow: scope and service, and the key.
pub fn instance(record: &InvocationRecord) -> Key {
    let service = match &record.scope {
        Some(scope) => format!("{scope}@{}", record.service),
        None => record.service.clone(),
    };
    (service, record.key.clone().unwrap_or_default())
}
