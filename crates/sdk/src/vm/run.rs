//! Runs: side effects whose result is proposed to the server and stored before the code sees it.
//!
//! - Owns: which run is to be executed, proposals, the decision whether a failed one is tried again.
//! - Does not own: the execution of closures (the driver).
//! - Invariant: a run is handed out once per attempt, and never while its completion is there. One that was
//!   set aside is neither waited for nor told.

use std::{mem, time::Duration};

use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{
        ErrorBehavior, Failure, ProposeRunCompletion, RunCommand, notification::Id,
        propose_run_completion,
    },
    version::ServiceProtocolVersion,
};

use super::{
    AttemptError, Handle, Site, Stopped, Vm,
    error::INTERNAL,
    inbox::{Run, completion},
    output::{Payload, is_large},
};

/// When a run that fails is tried again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryLimits {
    pub initial_delay: Duration,
    pub factor: f64,
    pub delay_max: Duration,
    /// The number of executions; `None` is no limit.
    pub attempts_max: Option<u32>,
    /// The time since the first execution; `None` is no limit.
    pub duration_max: Option<Duration>,
    pub on_exhausted: OnExhausted,
}

/// What a run becomes that is not tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExhausted {
    /// Its last error is its result.
    Fail,
    /// The invocation waits for an operator (v7).
    Pause,
}

impl Vm {
    /// Announces a side effect.
    pub fn run(&mut self, name: &str, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        self.issue(RunCommand { result_completion_id: id, name: name.to_owned() }, site)?;
        if !self.inbox.has_completion(id) {
            self.inbox.runs.insert(id, Run::Waiting);
        }
        Ok(self.handle(Id::CompletionId(id), "run", site))
    }

    /// Proposes the result of a run that was executed; it is awaited as before.
    pub fn propose(
        &mut self,
        handle: Handle,
        result: Result<Bytes, Failure>,
    ) -> Result<(), Stopped> {
        self.check_open()?;
        let Id::CompletionId(id) = *self.id(handle) else { return Ok(()) };
        let result = match result {
            Ok(content) => Ok(content),
            Err(failure) => Err(self.admit(failure)?),
        };
        // From v7 on the server acknowledges instead of sending the result back.
        let ack = self.version >= ServiceProtocolVersion::V7;
        let outcome = ack.then(|| completion(&result));
        self.inbox.runs.insert(id, Run::Proposed(outcome));
        let mut proposal = ProposeRunCompletion { result_completion_id: id, result: None };
        let mut payload = None;
        match result {
            Ok(content) if is_large(&content) => {
                payload = Some(Payload { tag: 14, is_value: false, content });
            }
            Ok(content) => proposal.result = Some(propose_run_completion::Result::Value(content)),
            Err(error) => proposal.result = Some(propose_run_completion::Result::Failure(error)),
        }
        self.output.message(MessageType::PROPOSE_RUN_COMPLETION, ack, &proposal, payload);
        Ok(())
    }

    /// A run failed, not for good: proposes its failure, or ends the attempt so that it is tried again.
    ///
    /// `elapsed` is the time that the execution took.
    pub fn retry(
        &mut self,
        handle: Handle,
        mut error: AttemptError,
        elapsed: Duration,
        limits: Option<&RetryLimits>,
    ) -> Result<(), Stopped> {
        self.check_open()?;
        error.related = self.handles[handle.0].command.clone();
        let Some(limits) = limits else {
            self.fail(error);
            return Err(Stopped);
        };
        let (count, elapsed) = self.executions(elapsed);
        let is_exhausted = limits.attempts_max.is_some_and(|max| max <= count)
            || limits.duration_max.is_some_and(|max| max <= elapsed);
        if !is_exhausted {
            // A delay that the step asked for wins.
            error.retry_delay.get_or_insert_with(|| limits.delay(count));
            self.fail(error);
            return Err(Stopped);
        }
        match limits.on_exhausted {
            OnExhausted::Fail => {
                let (code, message) = (error.code, error.message);
                self.propose(handle, Err(Failure { code, message, metadata: Vec::new() }))
            }
            OnExhausted::Pause => {
                self.need(ServiceProtocolVersion::V7, "pausing when a run is exhausted")?;
                error.behavior = ErrorBehavior::Pause;
                self.fail(error);
                Err(Stopped)
            }
        }
    }

    /// How often a run was executed, this time included, and for how long all that took.
    fn executions(&self, elapsed: Duration) -> (u32, Duration) {
        let retries = self.start.retry_count_since_last_stored_entry;
        // Once this attempt has stored something, earlier attempts were not about this run.
        if self.is_past_replay || retries == 0 {
            return (1, elapsed);
        }
        let since = Duration::from_millis(self.start.duration_since_last_stored_entry);
        (retries.saturating_add(1), elapsed.saturating_add(since))
    }

    /// The code lost interest in a run that is being executed: the execution was dropped.
    pub fn abandon(&mut self, handle: Handle) {
        let Id::CompletionId(id) = *self.id(handle) else { return };
        if matches!(self.inbox.runs.get(&id), Some(Run::Executing | Run::SetAside)) {
            self.inbox.runs.remove(&id);
        }
    }

    /// Whether the closure of a run is being executed, as far as the code goes on with it.
    pub fn is_executing(&self, handle: Handle) -> bool {
        matches!(self.run_of(handle), Some(Run::Executing))
    }

    /// The code keeps a run that is being executed, and does not go on with it: it holds nothing up.
    pub fn set_aside(&mut self, handle: Handle) {
        self.exchange(handle, Run::Executing, Run::SetAside);
    }

    /// The code goes on with a run, if it was set aside.
    pub fn go_on_with(&mut self, handle: Handle) {
        self.exchange(handle, Run::SetAside, Run::Executing);
    }

    fn exchange(&mut self, handle: Handle, from: Run, to: Run) {
        let Id::CompletionId(id) = *self.id(handle) else { return };
        if let Some(run) = self.inbox.runs.get_mut(&id)
            && mem::discriminant(run) == mem::discriminant(&from)
        {
            *run = to;
        }
    }

    /// Makes an error out of a message, with the code for what is nobody's in particular.
    pub fn internal(message: impl Into<String>) -> AttemptError {
        AttemptError::new(INTERNAL, message)
    }
}

impl RetryLimits {
    /// The delay after so many executions: initial × factor^(count − 1), bounded.
    fn delay(&self, count: u32) -> Duration {
        let exponent = i32::try_from(count - 1).unwrap_or(i32::MAX);
        let seconds = self.initial_delay.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.delay_max).min(self.delay_max)
    }
}
