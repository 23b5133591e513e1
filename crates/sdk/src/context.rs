//! Contexts: what a handler may do, by the kind of its service.
//!
//! ```text
//! ObjectContext   -> SharedObjectContext   -> Context
//! WorkflowContext -> SharedWorkflowContext -> Context
//! ```
//!
//! Each dereferences to the next, which can do less: a function that takes a `&Context` takes any. What a
//! handler must not do does not compile.
//!
//! - Owns: [`Context`]: time, steps, waits, randomness, other handlers.
//! - Does not own: state ([`SharedObjectContext`]), promises ([`SharedWorkflowContext`]).

mod keyed;
mod promise;

use std::{
    future::ready,
    panic::Location,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

pub use self::{
    keyed::{ObjectContext, SharedObjectContext, SharedWorkflowContext, WorkflowContext},
    promise::Promise,
};
use crate::{
    attempt::Attempt,
    durable::{Durable, DurableFuture, read_value, sleep},
    error::{HandlerResult, TerminalError},
    payload::{Decode, Encode},
    random::Random,
    request::{Caller, Invocation, Lookup, Request, Target},
    step::Run,
};

/// What every handler can do.
///
/// Operations begin where they are called, in the order of the code; awaiting is for their results. On
/// replay they have to be the same in the same order, so everything that is not the same every time, such
/// as time, randomness and the outside world, goes through here: [`Self::now`], [`Self::rand`],
/// [`Self::run`].
///
/// ```
/// # use reveille::{Context, Durable, HandlerResult};
/// # use std::time::Duration;
/// # async fn send_mail(_: &str, _: &str) -> HandlerResult<()> { Ok(()) }
/// async fn ask(ctx: &Context, reviewer: String) -> HandlerResult<bool> {
///     let (id, answer) = ctx.awakeable::<bool>();
///     ctx.run("mail", || send_mail(&reviewer, &id)).await?;
///     match answer.timeout(Duration::from_secs(3 * 24 * 3600)).await {
///         Err(error) if error.is_timeout() => Ok(false),
///         answer => Ok(answer?),
///     }
/// }
/// ```
pub struct Context {
    attempt: Arc<Attempt>,
}

impl Context {
    pub(crate) fn new(attempt: Arc<Attempt>) -> Self {
        Self { attempt }
    }

    pub(crate) fn attempt(&self) -> &Arc<Attempt> {
        &self.attempt
    }

    /// Returns the id of this invocation: `inv_…`.
    pub fn invocation_id(&self) -> &str {
        &self.attempt.info.invocation_id
    }

    /// Returns the headers of the request, in order; names as the caller wrote them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.attempt.info.headers.iter();
        headers.map(|header| (header.key.as_str(), header.value.as_str()))
    }

    /// Returns the first header of a name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the scope of this invocation (known from version 7 of the service protocol on).
    pub fn scope(&self) -> Option<&str> {
        self.attempt.info.scope.as_deref()
    }

    /// Returns the limit key of this invocation (known from version 7 of the service protocol on).
    pub fn limit_key(&self) -> Option<&str> {
        self.attempt.info.limit_key.as_deref()
    }

    /// Returns the idempotency key of this invocation (known from version 7 of the protocol on).
    pub fn idempotency_key(&self) -> Option<&str> {
        self.attempt.info.idempotency_key.as_deref()
    }

    /// Executes a step, whose result is stored: it is executed until it succeeds once, and never again.
    ///
    /// The closure may borrow. It must not use a context. An error is tried again by
    /// [a policy](Run::retry), or else by that of the handler; a [`TerminalError`] is a result too.
    #[track_caller]
    pub fn run<'a, T, F>(
        &self,
        name: impl Into<String>,
        closure: impl FnOnce() -> F + Send + 'a,
    ) -> Run<'a, T>
    where
        T: Encode + Decode,
        F: Future<Output = HandlerResult<T>> + Send + 'a,
    {
        Run::new(&self.attempt, name.into(), closure, Location::caller())
    }

    /// As [`Self::run`], for a closure that does not wait.
    ///
    /// It blocks the thread for as long as it takes; give what is long to `spawn_blocking` in a `run`.
    #[track_caller]
    pub fn run_sync<'a, T: Encode + Decode + Send + 'a>(
        &self,
        name: impl Into<String>,
        closure: impl FnOnce() -> HandlerResult<T> + Send + 'a,
    ) -> Run<'a, T> {
        let closure = move || ready(closure());
        Run::new(&self.attempt, name.into(), closure, Location::caller())
    }

    /// Waits. The clock starts now; the handler may be suspended meanwhile, for years if need be.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> DurableFuture<()> {
        sleep(&self.attempt, duration, Location::caller())
    }

    /// Returns the time of a step named `now`: the same one on every replay, to the millisecond.
    #[track_caller]
    pub fn now(&self) -> impl Durable<Value = SystemTime> + use<> {
        let clock = self.attempt.clock.clone();
        let closure = move || ready(Ok(clock.now_ms()));
        let run = Run::new(&self.attempt, "now".to_owned(), closure, Location::caller());
        run.map_value(|now_ms| UNIX_EPOCH + Duration::from_millis(now_ms))
    }

    /// Returns randomness that is the same on every replay.
    pub fn rand(&self) -> Random<'_> {
        Random(&self.attempt)
    }

    /// Returns a UUID that is the same on every replay, good as an idempotency key.
    #[track_caller]
    pub fn uuid(&self) -> Uuid {
        self.rand().uuid()
    }

    /// Makes a wait that is answered from outside: an id to give away, and its answer.
    ///
    /// Whoever has the id can answer, once: over HTTP, or from a handler with
    /// [`Self::resolve_awakeable`]. Give it away in a step.
    #[track_caller]
    pub fn awakeable<T: Decode>(&self) -> (String, DurableFuture<T>) {
        let site = Location::caller();
        let (id, handle) = self.attempt.syscall(site, |vm| vm.awakeable(site)).unzip();
        let answer = DurableFuture::new(&self.attempt, handle, read_value, site);
        (id.unwrap_or_default(), answer)
    }

    /// Answers an awakeable of any invocation. The first answer counts.
    #[track_caller]
    pub fn resolve_awakeable<T: Encode + ?Sized>(&self, id: &str, value: &T) {
        let site = Location::caller();
        if let Some(content) = self.attempt.encode(value, "an awakeable", site) {
            let done =
                self.attempt.syscall(site, |vm| vm.complete_awakeable(id, Ok(content), site));
            let _: Option<()> = done;
        }
    }

    /// Answers an awakeable of any invocation with a failure. The first answer counts.
    #[track_caller]
    pub fn reject_awakeable(&self, id: &str, error: TerminalError) {
        let site = Location::caller();
        let failure = error.into_failure();
        let done = self.attempt.syscall(site, |vm| vm.complete_awakeable(id, Err(failure), site));
        let _: Option<()> = done;
    }

    /// Awaits a signal that is sent to this invocation by name. Those of one name queue up.
    #[track_caller]
    pub fn signal<T: Decode>(&self, name: &str) -> DurableFuture<T> {
        let site = Location::caller();
        let handle = self.attempt.syscall(site, |vm| vm.signal(name, site));
        DurableFuture::new(&self.attempt, handle, read_value, site)
    }

    /// Returns another invocation by its id, to attach to, to cancel, or to send signals to.
    pub fn invocation<O>(&self, id: impl Into<String>) -> Invocation<O> {
        Invocation::new(&self.attempt, id.into())
    }

    /// Looks up the run of a workflow by its key, to await its result or to get it.
    ///
    /// ```
    /// # use reveille::{Context, HandlerResult};
    /// async fn outcome(ctx: &Context, user: &str) -> HandlerResult<Option<String>> {
    ///     Ok(ctx.workflow_run("Signup", user).output().await?)
    /// }
    /// ```
    pub fn workflow_run<O>(
        &self,
        workflow: impl Into<String>,
        key: impl Into<String>,
    ) -> Lookup<O> {
        Lookup::run(&self.attempt, workflow.into(), key.into())
    }

    /// Looks up the invocation of a request with this idempotency key, to await its result or to get it.
    ///
    /// ```
    /// # use reveille::{Context, HandlerResult, Target};
    /// async fn parcel(ctx: &Context, order: u32) -> HandlerResult<String> {
    ///     let target = Target::service("Shop", "order");
    ///     Ok(ctx.idempotent_invocation(target, format!("order-{order}")).attach().await?)
    /// }
    /// ```
    pub fn idempotent_invocation<O>(
        &self,
        target: Target,
        idempotency_key: impl Into<String>,
    ) -> Lookup<O> {
        Lookup::request(&self.attempt, target, idempotency_key.into())
    }

    /// Prepares a request to a handler by its name, without a typed client.
    #[track_caller]
    pub fn request<O: Decode>(
        &self,
        target: Target,
        input: &(impl Encode + ?Sized),
    ) -> Request<'_, O> {
        Request::new(&self.attempt, target, input)
    }
}

macro_rules! callers {
    ($($context:ty)*) => {
        $(impl Caller for $context {
            type Request<'a, O: Decode> = Request<'a, O>;

            #[track_caller]
            fn request<I: Encode + ?Sized, O: Decode>(
                &self,
                target: Target,
                input: &I,
            ) -> Request<'_, O> {
                Request::new(self.attempt(), target, input)
            }
        })*
    };
}

callers! { Context SharedObjectContext ObjectContext SharedWorkflowContext WorkflowContext }
