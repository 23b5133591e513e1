//! Options of services and handlers, as the server is told about them.
//!
//! - Owns: [`Options`], [`InvocationRetry`].
//! - Invariant: what is not set is decided by the service, and then by the server.

use std::time::Duration;

use reveille_protocol::manifest::{self, RetryPolicyOnMaxAttempts};

use crate::vm::millis;

/// Options of a service, or of one handler, which wins over its service.
///
/// All durations are told to the server in whole milliseconds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Options(pub(crate) manifest::Options);

impl Options {
    /// Makes options that leave everything to the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the documentation, usually Markdown.
    pub fn documentation(mut self, text: impl Into<String>) -> Self {
        self.0.documentation = Some(text.into());
        self
    }

    /// Adds a pair for programs that look at services.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// Sets how long a handler may be silent before it is asked to suspend.
    pub fn inactivity_timeout(mut self, duration: Duration) -> Self {
        self.0.inactivity_timeout_ms = Some(millis(duration));
        self
    }

    /// Sets how long a handler may go on after it was asked to suspend.
    pub fn abort_timeout(mut self, duration: Duration) -> Self {
        self.0.abort_timeout_ms = Some(millis(duration));
        self
    }

    /// Sets how long the journal is kept after the end.
    pub fn journal_retention(mut self, duration: Duration) -> Self {
        self.0.journal_retention_ms = Some(millis(duration));
        self
    }

    /// Sets how long the result of a request with an idempotency key is kept.
    pub fn idempotency_retention(mut self, duration: Duration) -> Self {
        self.0.idempotency_retention_ms = Some(millis(duration));
        self
    }

    /// Sets how long the result of a workflow is kept, and its key taken. For `run` handlers only.
    pub fn workflow_retention(mut self, duration: Duration) -> Self {
        self.0.workflow_completion_retention_ms = Some(millis(duration));
        self
    }

    /// Sets whether only other handlers may call it.
    pub fn private(mut self, private: bool) -> Self {
        self.0.ingress_private = Some(private);
        self
    }

    /// Sets whether state is fetched when it is read, in place of being sent with each attempt.
    pub fn lazy_state(mut self, lazy: bool) -> Self {
        self.0.enable_lazy_state = Some(lazy);
        self
    }

    /// Sets when a handler that fails is tried again.
    pub fn retry(mut self, retry: InvocationRetry) -> Self {
        let InvocationRetry { initial_delay, delay_max, attempts_max, factor, pauses } = retry;
        self.0.retry_policy_initial_interval_ms = initial_delay.map(millis);
        self.0.retry_policy_max_interval_ms = delay_max.map(millis);
        self.0.retry_policy_max_attempts = attempts_max;
        self.0.retry_policy_exponentiation_factor = factor;
        self.0.retry_policy_on_max_attempts = pauses.map(|pauses| match pauses {
            true => RetryPolicyOnMaxAttempts::Pause,
            false => RetryPolicyOnMaxAttempts::Kill,
        });
        self
    }
}

/// Says when a handler that fails is tried again. What is not set is decided by the server.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct InvocationRetry {
    initial_delay: Option<Duration>,
    delay_max: Option<Duration>,
    attempts_max: Option<u64>,
    factor: Option<f64>,
    pauses: Option<bool>,
}

impl InvocationRetry {
    /// Makes a policy that leaves everything to the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the delay before the second attempt.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = Some(delay);
        self
    }

    /// Sets the longest delay.
    pub fn delay_max(mut self, delay: Duration) -> Self {
        self.delay_max = Some(delay);
        self
    }

    /// Sets the number of attempts, the first one included.
    pub fn attempts_max(mut self, attempts: u64) -> Self {
        self.attempts_max = Some(attempts);
        self
    }

    /// Sets what each delay is multiplied with for the next one.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = Some(factor);
        self
    }

    /// Lets the invocation wait for an operator after the last attempt.
    pub fn then_pause(mut self) -> Self {
        self.pauses = Some(true);
        self
    }

    /// Lets the invocation fail after the last attempt.
    pub fn then_fail(mut self) -> Self {
        self.pauses = Some(false);
        self
    }
}
