//! Waiting: results by the order in which they became known, and cancellation among them.
//!
//! Invariant: whatever is decided here depends on positions in the journal only, so it is decided
//! the same way in every execution.

use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{CombinatorType, Future, SendSignalCommand, Void, notification, send_signal_command},
    signal,
};

use super::{Attempt, Handle, Source, Stop};
use crate::journal::Compare;

impl Attempt {
    /// Waits for one result. Without a value it is empty; a failure becomes [`Stop::Terminal`].
    pub fn wait(&mut self, handle: Handle) -> Result<Bytes, Stop> {
        self.wait_optional(handle).map(Option::unwrap_or_default)
    }

    /// Waits for one result that may be nothing, as that of [`Self::peek_promise`].
    pub fn wait_optional(&mut self, handle: Handle) -> Result<Option<Bytes>, Stop> {
        let (_, position) = self.first(&[handle])?;
        match self.journal.result(position) {
            notification::Result::Value(value) => Ok(Some(value.content.clone())),
            notification::Result::InvocationId(id) => Ok(Some(id.clone().into())),
            notification::Result::Void(_) | notification::Result::StateKeys(_) => Ok(None),
            notification::Result::Failure(failure) => Err(Stop::Terminal(failure.clone())),
        }
    }

    /// Waits for the first of several results and returns its index; read it with [`Self::wait`].
    pub fn race(&mut self, handles: &[Handle]) -> Result<usize, Stop> {
        self.first(handles).map(|(index, _)| index)
    }

    /// Finds the handle that was completed first, unless a cancellation came before it.
    fn first(&mut self, handles: &[Handle]) -> Result<(usize, usize), Stop> {
        let known = handles.iter().enumerate().filter_map(|(index, handle)| {
            let position = match handle.0 {
                Source::Completion(id) => self.journal.completion(id),
                Source::Signal(index) => self.journal.signal(index),
            };
            position.map(|position| (index, position))
        });
        let first = known.min_by_key(|(_, position)| *position);
        match (first, self.journal.cancel(self.cancels_taken)) {
            (Some((_, position)), Some(cancel)) if cancel < position => self.cancelled(),
            (Some(first), _) => Ok(first),
            (None, Some(_)) => self.cancelled(),
            (None, None) => self.pend(handles, true),
        }
    }

    /// Takes the cancellation and passes it on to the calls that were made since the last one.
    fn cancelled<T>(&mut self) -> Result<T, Stop> {
        self.cancels_taken += 1;
        for id_notification in std::mem::take(&mut self.calls) {
            let Some(position) = self.journal.completion(id_notification) else {
                return self.pend(&[Handle(Source::Completion(id_notification))], false);
            };
            let notification::Result::InvocationId(target) = self.journal.result(position) else {
                continue;
            };
            let target_invocation_id = target.clone();
            self.journal.command(MessageType::SEND_SIGNAL_COMMAND, Compare::Payload, || {
                SendSignalCommand {
                    target_invocation_id,
                    signal_id: Some(send_signal_command::SignalId::Idx(signal::CANCEL)),
                    result: Some(send_signal_command::Result::Void(Void {})),
                    entry_name: String::new(),
                }
            });
        }
        Err(Stop::terminal(409, "Cancelled"))
    }

    fn pend<T>(&mut self, handles: &[Handle], cancellable: bool) -> Result<T, Stop> {
        let mut future = Future::default();
        for handle in handles {
            match handle.0 {
                Source::Completion(id) => future.waiting_completions.push(id),
                Source::Signal(index) => future.waiting_signals.push(index),
            }
        }
        if cancellable {
            future.waiting_signals.push(signal::CANCEL);
        }
        future.combinator_type = CombinatorType::FirstCompleted.into();
        self.awaited = Some(future);
        Err(Stop::Wait)
    }
}
