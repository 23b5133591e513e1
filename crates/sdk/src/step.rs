//! Steps: code whose result is stored, so that it is executed once.
//!
//! - Owns: [`Run`], the future that executes its closure in its own poll, and [`RetryPolicy`].
//! - Does not own: when a closure may be executed, and when its result is stored (the machine).
//! - Invariant: the result of a closure is seen only after the server has stored it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    attempt::{Attempt, RunWaker},
    durable::{Durable, DurableFuture, DurableResult, poll_registered, read_value},
    error::{HandlerError, HandlerResult},
    payload::{Decode, Encode},
    vm::{Await, OnExhausted, RetryLimits, Site},
};

/// Says when a step that fails is executed again; by default after 50 ms, then twice as long each time,
/// up to 10 s, without end.
///
/// Between executions the invocation costs nothing: its handler is replayed up to the step.
///
/// ```
/// # use std::time::Duration;
/// # use reveille::RetryPolicy;
/// let policy = RetryPolicy::new().initial_delay(Duration::from_secs(1)).attempts_max(5);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryPolicy(RetryLimits);

impl RetryPolicy {
    /// Makes the default policy.
    pub const fn new() -> Self {
        Self(RetryLimits {
            initial_delay: Duration::from_millis(50),
            factor: 2.0,
            delay_max: Duration::from_secs(10),
            attempts_max: None,
            duration_max: None,
            on_exhausted: OnExhausted::Fail,
        })
    }

    /// Sets the delay before the second execution.
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.0.initial_delay = delay;
        self
    }

    /// Sets what each delay is multiplied with for the next one.
    pub const fn factor(mut self, factor: f64) -> Self {
        self.0.factor = factor;
        self
    }

    /// Sets the longest delay.
    pub const fn delay_max(mut self, delay: Duration) -> Self {
        self.0.delay_max = delay;
        self
    }

    /// Sets the number of executions. The error of the last one is the result of the step.
    pub const fn attempts_max(mut self, attempts: u32) -> Self {
        self.0.attempts_max = Some(attempts);
        self
    }

    /// Sets for how long to try. The error of the last execution is the result of the step.
    pub const fn duration_max(mut self, duration: Duration) -> Self {
        self.0.duration_max = Some(duration);
        self
    }

    /// Lets the invocation wait for an operator in place of failing the step.
    ///
    /// Needs version 7 of the service protocol; with an older server the attempt fails.
    pub const fn pause_when_exhausted(mut self) -> Self {
        self.0.on_exhausted = OnExhausted::Pause;
        self
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A step; made by [`crate::Context::run`].
///
/// It is executed while it is awaited. One that is kept goes on when it is awaited again, and is executed
/// anew when the handler was suspended in between; one that is dropped stops. Without
/// [a policy](Self::retry) an error fails the attempt, and the policy of the handler decides.
#[must_use = "a step is executed when it is awaited"]
pub struct Run<'a, T> {
    result: DurableFuture<T>,
    name: String,
    site: Site,
    /// Gone once it has ended.
    execution: Option<Pin<Box<dyn Future<Output = HandlerResult<T>> + Send + 'a>>>,
    started_at: Option<Instant>,
    policy: Option<RetryPolicy>,
    attempt: Arc<Attempt>,
}

impl<'a, T: Encode + Decode> Run<'a, T> {
    pub(crate) fn new<F>(
        attempt: &Arc<Attempt>,
        name: String,
        closure: impl FnOnce() -> F + Send + 'a,
        site: Site,
    ) -> Self
    where
        F: Future<Output = HandlerResult<T>> + Send + 'a,
    {
        let handle = attempt.syscall(site, |vm| vm.run(&name, site));
        let result = DurableFuture::new(attempt, handle, read_value, site);
        // The closure is called by the first poll.
        let execution = Box::pin(async move { closure().await });
        let (execution, attempt) = (Some(execution as _), attempt.clone());
        Self { result, name, site, execution, started_at: None, policy: None, attempt }
    }

    /// Sets when it is executed again after an error that is not terminal.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Polls the closure, if it is this step's turn.
    fn execute(&mut self, cx: &Context<'_>) {
        let (Some(handle), Some(execution)) = (self.result.handle(), &mut self.execution) else {
            return;
        };
        if !self.attempt.core().go_on_with_run(handle) {
            return;
        }
        self.started_at.get_or_insert_with(Instant::now);
        let (flags, outer) = (self.attempt.flags.clone(), cx.waker().clone());
        let waker = Waker::from(Arc::new(RunWaker { flags, outer }));
        let inside = InsideRun::enter(&self.attempt, &self.name);
        let Poll::Ready(result) = execution.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return;
        };
        // What the closure borrowed is free before anything is said about its result.
        self.execution = None;
        // Values are encoded, and errors printed, by code of users: within the step, and not under the lock.
        let result = result.and_then(|value| Ok(value.encode()?)).map_err(HandlerError::split);
        drop(inside);
        let elapsed = self.started_at.take().map(|at| at.elapsed()).unwrap_or_default();
        let mut core = self.attempt.core();
        core.end_run(handle);
        // Stopped or not, the driver looks at the machine next.
        let _ = match result {
            Ok(content) => core.vm.propose(handle, Ok(content)),
            Err(Ok(terminal)) => core.vm.propose(handle, Err(terminal.into_failure())),
            Err(Err(error)) => {
                let limits = self.policy.as_ref().map(|policy| &policy.0);
                core.vm.retry(handle, error, elapsed, limits)
            }
        };
    }
}

/// Marks that the closure of a step is running, so that durable operations in it can be refused.
struct InsideRun<'a>(&'a Attempt);

impl<'a> InsideRun<'a> {
    fn enter(attempt: &'a Attempt, name: &str) -> Self {
        attempt.core().set_inside_run(Some(name.to_owned()));
        Self(attempt)
    }
}

impl Drop for InsideRun<'_> {
    fn drop(&mut self) {
        self.0.core().set_inside_run(None);
    }
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        self.execution = None;
        let mut core = self.attempt.core();
        if let Some(handle) = self.result.handle() {
            core.end_run(handle);
            core.vm.abandon(handle);
        }
    }
}

impl<T: Encode + Decode> Durable for Run<'_, T> {
    type Value = T;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        Some((&self.attempt, self.site))
    }

    fn tree(&self) -> Option<Await> {
        self.result.tree()
    }

    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<T>> {
        if let Poll::Ready(result) = self.result.poll_known(cx) {
            return Poll::Ready(result);
        }
        self.execute(cx);
        Poll::Pending
    }
}

impl<T: Encode + Decode> Future for Run<'_, T> {
    type Output = DurableResult<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_registered(self.get_mut(), |this| &mut this.result.registration, cx)
    }
}
