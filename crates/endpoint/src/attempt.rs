//! What a handler sees: its input, durable operations, and waiting for their results.
//!
//! - Owns: the ids, counted in program order; the local view of state; what is awaited.
//! - Does not own: matching with the journal (`journal.rs`).
//! - Invariant: the same code over the same journal issues the same commands. So a handler must not
//!   decide by anything but its input and the results it waited for.
//!
//! Start with [`Attempt::run`] and [`Attempt::wait`].

mod state;
mod waiting;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        CallCommand, CompleteAwakeableCommand, CompletePromiseCommand, Failure, Future,
        GetPromiseCommand, Header, OneWayCallCommand, PeekPromiseCommand, ProposeRunCompletion,
        RunCommand, SleepCommand, Start, complete_awakeable_command, complete_promise_command,
        notification, propose_run_completion,
    },
    signal,
};

use crate::{
    definition::HandlerFn,
    journal::{Compare, Journal, value},
};

/// Why a handler does not return a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// Something awaited is not there yet. Comes from [`Attempt::wait`] and is handed on with `?`.
    Wait,
    /// The invocation fails for good.
    Terminal(Failure),
    /// The attempt fails; the server tries again, after `delay` if that is given.
    Retry {
        /// HTTP-like, 500 if nothing fits better.
        code: u32,
        /// Shown to operators.
        message: String,
        /// Overrides the retry policy once.
        delay: Option<Duration>,
    },
}

impl Stop {
    /// Fails the invocation with this code and message.
    pub fn terminal(code: u32, message: impl Into<String>) -> Self {
        Self::Terminal(Failure { code, message: message.into(), metadata: Vec::new() })
    }

    /// Fails the attempt with code 500; the retry policy decides about the next.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry { code: 500, message: message.into(), delay: None }
    }
}

/// Something that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(Source);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Completion(u32),
    Signal(u32),
}

/// One execution of a handler over what is known so far.
pub struct Attempt {
    start: Start,
    headers: Vec<Header>,
    input: Bytes,
    /// From version 7 on results of steps are acknowledged instead of echoed.
    acknowledges_runs: bool,
    pub(crate) journal: Journal,
    completion_id_next: u32,
    signal_index_next: u32,
    cancels_taken: usize,
    /// Where the ids of calls made since the last cancellation are told.
    calls: Vec<u32>,
    state: state::Overlay,
    awaited: Option<Future>,
}

impl Attempt {
    pub(crate) fn new(start: Start, protocol_version: u32) -> Self {
        Self {
            start,
            headers: Vec::new(),
            input: Bytes::new(),
            acknowledges_runs: protocol_version >= 7,
            journal: Journal::default(),
            completion_id_next: 1,
            signal_index_next: signal::AWAKEABLE_FIRST,
            cancels_taken: 0,
            calls: Vec::new(),
            state: state::Overlay::default(),
            awaited: None,
        }
    }

    pub(crate) fn set_input(&mut self, headers: Vec<Header>, input: Bytes) {
        (self.headers, self.input) = (headers, input);
    }

    /// Executes the handler from its start.
    pub(crate) fn execute(&mut self, handler: &HandlerFn) -> Result<Bytes, Stop> {
        self.journal.rewind();
        self.completion_id_next = 1;
        self.signal_index_next = signal::AWAKEABLE_FIRST;
        self.cancels_taken = 0;
        self.calls.clear();
        self.state.clear();
        self.awaited = None;
        handler(self)
    }

    /// Returns what the last execution waited for.
    pub(crate) fn awaited(&self) -> Option<&Future> {
        self.awaited.as_ref()
    }

    /// Returns the body of the call.
    pub fn input(&self) -> Bytes {
        self.input.clone()
    }

    /// Returns the first header of the call with this name, which is compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.key.eq_ignore_ascii_case(name));
        header.map(|header| header.value.as_str())
    }

    /// Returns every header of the call, name and value, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|header| (header.key.as_str(), header.value.as_str()))
    }

    /// Returns the key of the object or workflow; empty in a plain service.
    pub fn key(&self) -> &str {
        &self.start.key
    }

    /// Returns the textual id of the invocation.
    pub fn invocation_id(&self) -> &str {
        &self.start.debug_id
    }

    /// Returns the number of failed attempts since the journal last grew.
    pub fn retry_count(&self) -> u32 {
        self.start.retry_count_since_last_stored_entry
    }

    /// Makes an id that the outside completes, and the handle to wait for that.
    pub fn awakeable(&mut self) -> (String, Handle) {
        let index = self.signal_index_next;
        self.signal_index_next += 1;
        let id = [&self.start.id[..], &index.to_be_bytes()].concat();
        let text = format!("sign_1{}", URL_SAFE_NO_PAD.encode(id));
        (text, Handle(Source::Signal(index)))
    }

    /// Takes a durable step: executes the closure once, unless a stored result is there.
    pub fn run(&mut self, name: &str, step: impl FnOnce() -> Bytes) -> Handle {
        self.try_run(name, || Ok(step()))
    }

    /// Takes a durable step that may fail for good; the failure is its stored result.
    pub fn try_run(&mut self, name: &str, step: impl FnOnce() -> Result<Bytes, Failure>) -> Handle {
        let id = self.next_completion_id();
        self.journal.command(MessageType::RUN_COMMAND, Compare::Payload, || RunCommand {
            result_completion_id: id,
            name: name.to_owned(),
        });
        let is_done = self.journal.completion(id).is_some() || self.journal.is_proposed(id);
        // A step of code that no longer fits the journal must not have effects.
        if !is_done && self.journal.found_mismatch().is_none() {
            let (result, stored) = match step() {
                Ok(content) => (
                    propose_run_completion::Result::Value(content.clone()),
                    notification::Result::Value(value(content)),
                ),
                Err(failure) => (
                    propose_run_completion::Result::Failure(failure.clone()),
                    notification::Result::Failure(failure),
                ),
            };
            let proposal = ProposeRunCompletion { result_completion_id: id, result: Some(result) };
            let frame = Frame::message(MessageType::PROPOSE_RUN_COMPLETION, &proposal);
            self.journal.propose(id, stored, frame, self.acknowledges_runs);
        }
        Handle(Source::Completion(id))
    }

    /// Starts a timer.
    pub fn sleep(&mut self, duration: Duration) -> Handle {
        let id = self.next_completion_id();
        self.journal.command(MessageType::SLEEP_COMMAND, Compare::Type, || SleepCommand {
            wake_up_time: epoch_ms(SystemTime::now() + duration),
            result_completion_id: id,
            name: String::new(),
        });
        Handle(Source::Completion(id))
    }

    /// Calls a handler; the key is empty for a plain service.
    pub fn call(&mut self, service: &str, key: &str, handler: &str, parameter: Bytes) -> Handle {
        let id_notification = self.next_completion_id();
        let id = self.next_completion_id();
        self.calls.push(id_notification);
        self.journal.command(MessageType::CALL_COMMAND, Compare::Payload, || CallCommand {
            service_name: service.to_owned(),
            handler_name: handler.to_owned(),
            parameter,
            key: key.to_owned(),
            invocation_id_notification_idx: id_notification,
            result_completion_id: id,
            ..CallCommand::default()
        });
        Handle(Source::Completion(id))
    }

    /// Calls a handler after `delay` without ever waiting for its result.
    ///
    /// The handle is completed with the id of the new invocation.
    pub fn send(
        &mut self,
        service: &str,
        key: &str,
        handler: &str,
        parameter: Bytes,
        delay: Duration,
    ) -> Handle {
        let id = self.next_completion_id();
        let invoke_time = if delay.is_zero() { 0 } else { epoch_ms(SystemTime::now() + delay) };
        // The time is part of the payload, so a delayed send is compared by its type alone.
        let compare = if delay.is_zero() { Compare::Payload } else { Compare::Type };
        self.journal.command(MessageType::ONE_WAY_CALL_COMMAND, compare, || OneWayCallCommand {
            service_name: service.to_owned(),
            handler_name: handler.to_owned(),
            parameter,
            invoke_time,
            key: key.to_owned(),
            invocation_id_notification_idx: id,
            ..OneWayCallCommand::default()
        });
        Handle(Source::Completion(id))
    }

    /// Returns the handle of a promise of this workflow.
    pub fn promise(&mut self, name: &str) -> Handle {
        let id = self.next_completion_id();
        self.journal.command(MessageType::GET_PROMISE_COMMAND, Compare::Payload, || {
            GetPromiseCommand {
                key: name.to_owned(),
                result_completion_id: id,
                name: String::new(),
            }
        });
        Handle(Source::Completion(id))
    }

    /// Reads a promise of this workflow as it is; nothing while it is open.
    pub fn peek_promise(&mut self, name: &str) -> Handle {
        let id = self.next_completion_id();
        self.journal.command(MessageType::PEEK_PROMISE_COMMAND, Compare::Payload, || {
            PeekPromiseCommand {
                key: name.to_owned(),
                result_completion_id: id,
                name: String::new(),
            }
        });
        Handle(Source::Completion(id))
    }

    /// Completes a promise of this workflow; waiting tells whether it was still open.
    pub fn resolve_promise(&mut self, name: &str, content: Bytes) -> Handle {
        let completion = complete_promise_command::Completion::Value(value(content));
        self.complete_promise(name, completion)
    }

    /// Fails a promise of this workflow; waiting tells whether it was still open.
    pub fn reject_promise(&mut self, name: &str, failure: Failure) -> Handle {
        self.complete_promise(name, complete_promise_command::Completion::Failure(failure))
    }

    fn complete_promise(
        &mut self,
        name: &str,
        completion: complete_promise_command::Completion,
    ) -> Handle {
        let id = self.next_completion_id();
        self.journal.command(MessageType::COMPLETE_PROMISE_COMMAND, Compare::Payload, || {
            CompletePromiseCommand {
                key: name.to_owned(),
                completion: Some(completion),
                result_completion_id: id,
                name: String::new(),
            }
        });
        Handle(Source::Completion(id))
    }

    /// Completes an awakeable of any invocation.
    pub fn complete_awakeable(&mut self, id: &str, content: Bytes) {
        self.finish_awakeable(id, complete_awakeable_command::Result::Value(value(content)));
    }

    /// Fails an awakeable of any invocation.
    pub fn reject_awakeable(&mut self, id: &str, failure: Failure) {
        self.finish_awakeable(id, complete_awakeable_command::Result::Failure(failure));
    }

    fn finish_awakeable(&mut self, id: &str, result: complete_awakeable_command::Result) {
        self.journal.command(MessageType::COMPLETE_AWAKEABLE_COMMAND, Compare::Payload, || {
            CompleteAwakeableCommand {
                awakeable_id: id.to_owned(),
                result: Some(result),
                name: String::new(),
            }
        });
    }

    fn next_completion_id(&mut self) -> u32 {
        let id = self.completion_id_next;
        self.completion_id_next += 1;
        id
    }
}

fn epoch_ms(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
