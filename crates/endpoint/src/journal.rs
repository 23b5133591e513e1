//! The journal of one attempt: commands matched by position, notifications in their order.
//!
//! - Owns: which commands exist, what is known about each completion and signal, frames to send.
//! - Does not own: ids (`attempt.rs` counts them), when handlers run (`machine.rs`).
//! - Invariant: the position of a notification never changes, so whoever decides by the lowest
//!   position decides the same in every execution and in every later attempt.
//!
//! Start with [`Journal::command`] and [`Journal::notify`].

use std::collections::{HashMap, hash_map::Entry};

use bytes::{Bytes, BytesMut};
use prost::Message;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{Notification, Value, notification},
    signal,
};

/// Whether a replayed command must equal the one the handler issues now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Byte for byte.
    Payload,
    /// Only its type, because a time or a value read is part of it.
    Type,
}

/// Code and journal disagree; only other code can repair that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Counts the input as 0.
    pub command_index: u32,
    pub issued: MessageType,
    pub recorded: Option<MessageType>,
}

struct Recorded {
    ty: MessageType,
    payload: Bytes,
    /// Compared already, or written by this attempt.
    verified: bool,
}

#[derive(Default)]
pub(crate) struct Journal {
    commands: Vec<Recorded>,
    /// How many commands the current execution has issued.
    issued: usize,
    notifications: Vec<notification::Result>,
    /// Position in `notifications` by completion id.
    completions: HashMap<u32, usize>,
    /// Position of the first delivery by signal index, without the cancel signal.
    signals: HashMap<u32, usize>,
    /// Positions of the cancel signals.
    cancels: Vec<usize>,
    /// Results of steps executed here that the server has not confirmed yet.
    proposals: Vec<(u32, notification::Result)>,
    out: BytesMut,
    mismatch: Option<Mismatch>,
}

impl Journal {
    /// Adds a command that the server replays.
    pub fn replay_command(&mut self, frame: Frame) {
        let Frame { ty, payload, .. } = frame;
        self.commands.push(Recorded { ty, payload, verified: false });
    }

    /// Adds a notification; false if its id or result is missing.
    ///
    /// Of several results for one id the first counts. Named signals are of no use here.
    pub fn notify(&mut self, notification: Notification) -> bool {
        let (Some(id), Some(result)) = (notification.id, notification.result) else {
            return false;
        };
        let position = self.notifications.len();
        let entry = match id {
            notification::Id::CompletionId(id) => {
                self.proposals.retain(|(proposed, _)| *proposed != id);
                self.completions.entry(id)
            }
            notification::Id::SignalId(signal::CANCEL) => {
                self.cancels.push(position);
                self.notifications.push(result);
                return true;
            }
            notification::Id::SignalId(index) => self.signals.entry(index),
            notification::Id::SignalName(_) => return true,
        };
        if let Entry::Vacant(vacant) = entry {
            vacant.insert(position);
            self.notifications.push(result);
        }
        true
    }

    /// Turns the proposal with this id into its notification; false if there is none.
    pub fn acknowledge(&mut self, completion_id: u32) -> bool {
        let Some(at) = self.proposals.iter().position(|(id, _)| *id == completion_id) else {
            return false;
        };
        let (id, result) = self.proposals.swap_remove(at);
        let id = Some(notification::Id::CompletionId(id));
        self.notify(Notification { id, result: Some(result) })
    }

    /// Begins an execution from the first command on.
    pub fn rewind(&mut self) {
        self.issued = 0;
    }

    /// Issues the next command: matches it with the journal, or writes it at the end.
    pub fn command<M: Message>(
        &mut self,
        ty: MessageType,
        compare: Compare,
        message: impl FnOnce() -> M,
    ) {
        let at = self.issued;
        self.issued += 1;
        let Some(recorded) = self.commands.get_mut(at) else {
            let frame = Frame::message(ty, &message());
            frame.encode(&mut self.out);
            self.commands.push(Recorded { ty, payload: frame.payload, verified: true });
            return;
        };
        let same = recorded.ty == ty
            && (recorded.verified
                || compare == Compare::Type
                || recorded.payload == message().encode_to_vec());
        recorded.verified = true;
        if !same {
            self.mismatch(ty);
        }
    }

    /// Notes that the code disagrees with the command issued last; the first one counts.
    pub fn mismatch(&mut self, issued: MessageType) {
        let recorded = self.issued.checked_sub(1).and_then(|at| self.commands.get(at));
        let recorded = recorded.map(|recorded| recorded.ty);
        let command_index = u32::try_from(self.issued).unwrap_or(u32::MAX);
        self.mismatch.get_or_insert(Mismatch { command_index, issued, recorded });
    }

    /// Returns the command that the next one will be matched with.
    pub fn next_recorded(&self) -> Option<Frame> {
        let recorded = self.commands.get(self.issued)?;
        Some(Frame::new(recorded.ty, recorded.payload.clone()))
    }

    /// Writes the result of a step that was executed just now.
    pub fn propose(&mut self, id: u32, result: notification::Result, mut frame: Frame, ack: bool) {
        frame.ack_requested = ack;
        frame.encode(&mut self.out);
        self.proposals.push((id, result));
    }

    /// Writes a message that is no journal entry.
    pub fn control<M: Message>(&mut self, ty: MessageType, message: &M) {
        Frame::message(ty, message).encode(&mut self.out);
    }

    /// Returns where the completion stands among the notifications, once it is known.
    pub fn completion(&self, id: u32) -> Option<usize> {
        self.completions.get(&id).copied()
    }

    /// Returns where the first delivery of the signal stands.
    pub fn signal(&self, index: u32) -> Option<usize> {
        self.signals.get(&index).copied()
    }

    /// Returns where the n-th cancellation stands.
    pub fn cancel(&self, number: usize) -> Option<usize> {
        self.cancels.get(number).copied()
    }

    pub fn result(&self, position: usize) -> &notification::Result {
        &self.notifications[position]
    }

    /// Tells whether the step was executed by this attempt and is not confirmed yet.
    pub fn is_proposed(&self, id: u32) -> bool {
        self.proposals.iter().any(|(proposed, _)| *proposed == id)
    }

    /// Tells whether the current execution has issued every command there is.
    pub fn is_exhausted(&self) -> bool {
        self.issued >= self.commands.len()
    }

    pub fn found_mismatch(&self) -> Option<&Mismatch> {
        self.mismatch.as_ref()
    }

    /// Returns the frames written since the last time, if any.
    pub fn take_output(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| self.out.split().freeze())
    }

    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }
}

/// Wraps bytes the way most messages carry them.
pub(crate) fn value(content: Bytes) -> Value {
    Value { content }
}
