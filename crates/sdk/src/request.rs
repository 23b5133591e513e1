//! Requests to other handlers, and invocations as seen from a handler.
//!
//! - Owns: [`Target`], [`Caller`], [`Request`], [`Call`], [`Sent`], [`Invocation`], [`Lookup`].
//! - Does not own: the typed clients, which the macros generate on top of these.
//! - Invariant: a request is made where `call` or `send` stands, not where its result is awaited.

use std::{
    marker::PhantomData,
    panic::Location,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use reveille_protocol::message::{IdempotentRequestTarget, WorkflowTarget};

use crate::{
    attempt::{Attempt, Registration},
    durable::{
        Durable, DurableFuture, DurableResult, read_invocation_id, read_option, read_value,
        registered_future,
    },
    error::TerminalError,
    payload::{Decode, Encode},
    vm::{Await, CallRequest, Handle, InvocationTarget, SendRequest, Site, Vm},
};

/// Names a handler, and the key of its object or workflow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The service, object or workflow.
    pub service: String,
    /// The handler.
    pub handler: String,
    /// The key; `None` for plain services.
    pub key: Option<String>,
}

impl Target {
    /// Names a handler of a plain service.
    pub fn service(service: impl Into<String>, handler: impl Into<String>) -> Self {
        Self { service: service.into(), handler: handler.into(), key: None }
    }

    /// Names a handler of an object or workflow.
    pub fn keyed(
        service: impl Into<String>,
        key: impl Into<String>,
        handler: impl Into<String>,
    ) -> Self {
        Self { key: Some(key.into()), ..Self::service(service, handler) }
    }
}

/// Represents something through which handlers can be called: a context, or a client outside of any.
///
/// Typed clients are generic over it.
pub trait Caller {
    /// A request that has not been made yet, with a result of type `O`.
    type Request<'a, O: Decode>
    where
        Self: 'a;

    /// Prepares a request.
    #[track_caller]
    fn request<I: Encode + ?Sized, O: Decode>(
        &self,
        target: Target,
        input: &I,
    ) -> Self::Request<'_, O>;
}

/// A request that has not been made yet.
#[must_use = "nothing is requested before `call` or `send`"]
pub struct Request<'a, O> {
    attempt: &'a Arc<Attempt>,
    request: CallRequest,
    output: PhantomData<fn() -> O>,
}

impl<'a, O: Decode> Request<'a, O> {
    #[track_caller]
    pub(crate) fn new<I: Encode + ?Sized>(
        attempt: &'a Arc<Attempt>,
        target: Target,
        input: &I,
    ) -> Self {
        let Target { service, handler, key } = target;
        let parameter = input.encode().unwrap_or_else(|error| {
            let message = format!("the input of {service}/{handler} cannot be written: {error}");
            attempt.fail(&message, Location::caller());
            Default::default()
        });
        let key = key.unwrap_or_default();
        let request = CallRequest { service, handler, key, parameter, ..CallRequest::default() };
        Self { attempt, request, output: PhantomData }
    }

    /// Adds a header, which the handler sees.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Makes requests with the same key one invocation. It must not be empty.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.request.idempotency_key = Some(key.into());
        self
    }

    /// Puts the invocation into a scope, which is part of its identity. It must not be empty.
    ///
    /// Needs version 7 of the service protocol; with an older server the attempt fails.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.request.scope = Some(scope.into());
        self
    }

    /// Counts the invocation under a limit key of its scope. It must not be empty.
    ///
    /// Needs version 7 of the service protocol; with an older server the attempt fails.
    pub fn limit_key(mut self, key: impl Into<String>) -> Self {
        self.request.limit_key = Some(key.into());
        self
    }

    /// Calls the handler: await the result.
    ///
    /// When this handler is cancelled, so is the one that it called.
    #[track_caller]
    pub fn call(self) -> Call<O> {
        let site = Location::caller();
        let Self { attempt, request, .. } = self;
        let handles = attempt.syscall(site, |vm| vm.call(request, site));
        let (id, result) = handles.unzip();
        let result = DurableFuture::new(attempt, result, read_value, site);
        Call { result, id, registration: Registration::new(Some(attempt.clone())) }
    }

    /// Lets the handler run on its own: await its invocation.
    #[track_caller]
    pub fn send(self) -> Sent<O> {
        self.send_at(0, Location::caller())
    }

    /// As [`Self::send`], to begin after a delay.
    #[track_caller]
    pub fn send_after(self, delay: Duration) -> Sent<O> {
        let invoke_time_ms = self.attempt.clock.later_ms(delay);
        self.send_at(invoke_time_ms, Location::caller())
    }

    fn send_at(self, invoke_time_ms: u64, site: Site) -> Sent<O> {
        let Self { attempt, request, .. } = self;
        let send = SendRequest { request, invoke_time_ms };
        let handle = attempt.syscall(site, |vm| vm.send(send, site));
        let id = DurableFuture::new(attempt, handle, read_invocation_id, site);
        let registration = Registration::new(Some(attempt.clone()));
        Sent { id, attempt: attempt.clone(), registration, output: PhantomData }
    }
}

/// A call whose result is awaited.
#[must_use = "the call has been made; await it for its result, or use `send`"]
pub struct Call<O> {
    result: DurableFuture<O>,
    id: Option<Handle>,
    registration: Registration,
}

impl<O> Call<O> {
    /// Gives the id of the called invocation, which is there long before its result.
    #[track_caller]
    pub fn invocation_id(&self) -> DurableFuture<String> {
        let attempt = self.result.attempt();
        DurableFuture::new(attempt, self.id, read_invocation_id, Location::caller())
    }
}

impl<O> Durable for Call<O> {
    type Value = O;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        self.result.origin()
    }

    fn tree(&self) -> Option<Await> {
        self.result.tree()
    }

    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<O>> {
        self.result.poll_known(cx)
    }
}

/// A request that was sent; gives the invocation that runs on its own.
#[must_use = "the request has been sent; await this only to learn its invocation"]
pub struct Sent<O> {
    id: DurableFuture<String>,
    attempt: Arc<Attempt>,
    registration: Registration,
    output: PhantomData<fn() -> O>,
}

impl<O> Durable for Sent<O> {
    type Value = Invocation<O>;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        self.id.origin()
    }

    fn tree(&self) -> Option<Await> {
        self.id.tree()
    }

    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<Invocation<O>>> {
        let attempt = &self.attempt;
        self.id.poll_known(cx).map_ok(|id| Invocation::new(attempt, id))
    }
}

registered_future! {
    <O> Call<O>;
    <O> Sent<O>;
}

/// Another invocation, by its id, with a result of type `O`.
pub struct Invocation<O> {
    attempt: Arc<Attempt>,
    id: String,
    output: PhantomData<fn() -> O>,
}

impl<O> Invocation<O> {
    pub(crate) fn new(attempt: &Arc<Attempt>, id: String) -> Self {
        Self { attempt: attempt.clone(), id, output: PhantomData }
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Cancels it: its next await fails, and it may undo what it did. One that ended is left alone.
    #[track_caller]
    pub fn cancel(&self) {
        let site = Location::caller();
        let _: Option<()> = self.attempt.syscall(site, |vm| vm.cancel(&self.id, site));
    }

    /// Sends a signal to it, which it awaits with [`crate::Context::signal`].
    #[track_caller]
    pub fn signal<T: Encode + ?Sized>(&self, name: &str, value: &T) {
        let site = Location::caller();
        if let Some(content) = self.attempt.encode(value, "a signal", site) {
            let send = |vm: &mut Vm| vm.send_signal(&self.id, name, Ok(content), site);
            let _: Option<()> = self.attempt.syscall(site, send);
        }
    }

    /// Sends a signal that makes its await fail.
    #[track_caller]
    pub fn signal_failure(&self, name: &str, error: TerminalError) {
        let site = Location::caller();
        let failure = error.into_failure();
        let send = |vm: &mut Vm| vm.send_signal(&self.id, name, Err(failure), site);
        let _: Option<()> = self.attempt.syscall(site, send);
    }
}

impl<O: Decode> Invocation<O> {
    /// Awaits its result; fails with code 404 when it is not known, or not any more.
    #[track_caller]
    pub fn attach(&self) -> DurableFuture<O> {
        attach(&self.attempt, self.target(), Location::caller())
    }

    /// Gives its result if it has one by now; fails with code 404 when it is not known, or not any more.
    #[track_caller]
    pub fn output(&self) -> DurableFuture<Option<O>> {
        output(&self.attempt, self.target(), Location::caller())
    }

    fn target(&self) -> InvocationTarget {
        InvocationTarget::InvocationId(self.id.clone())
    }
}

/// Another invocation, by what it was requested with, with a result of type `O`.
///
/// For those whose id is not at hand; made by [`crate::Context::workflow_run`] and
/// [`crate::Context::idempotent_invocation`]. Nothing is begun by that.
pub struct Lookup<O> {
    attempt: Arc<Attempt>,
    target: InvocationTarget,
    output: PhantomData<fn() -> O>,
}

impl<O> Lookup<O> {
    pub(crate) fn run(attempt: &Arc<Attempt>, workflow: String, key: String) -> Self {
        let target = WorkflowTarget { workflow_name: workflow, workflow_key: key, scope: None };
        let target = InvocationTarget::WorkflowTarget(target);
        Self { attempt: attempt.clone(), target, output: PhantomData }
    }

    pub(crate) fn request(attempt: &Arc<Attempt>, target: Target, idempotency_key: String) -> Self {
        let Target { service, handler, key } = target;
        let target = InvocationTarget::IdempotentRequestTarget(IdempotentRequestTarget {
            service_name: service,
            service_key: key,
            handler_name: handler,
            idempotency_key,
            scope: None,
        });
        Self { attempt: attempt.clone(), target, output: PhantomData }
    }

    /// Looks within a scope, if it was requested with one. It must not be empty.
    ///
    /// Needs version 7 of the service protocol; with an older server the attempt fails.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        match &mut self.target {
            InvocationTarget::WorkflowTarget(target) => target.scope = Some(scope.into()),
            InvocationTarget::IdempotentRequestTarget(target) => target.scope = Some(scope.into()),
            InvocationTarget::InvocationId(_) => {}
        }
        self
    }
}

impl<O: Decode> Lookup<O> {
    /// Awaits its result; fails with code 404 when there is no such invocation, or not any more.
    #[track_caller]
    pub fn attach(&self) -> DurableFuture<O> {
        attach(&self.attempt, self.target.clone(), Location::caller())
    }

    /// Gives its result if it has one by now; fails with code 404 when there is no such invocation, or not
    /// any more.
    #[track_caller]
    pub fn output(&self) -> DurableFuture<Option<O>> {
        output(&self.attempt, self.target.clone(), Location::caller())
    }
}

fn attach<O: Decode>(
    attempt: &Arc<Attempt>,
    target: InvocationTarget,
    site: Site,
) -> DurableFuture<O> {
    let handle = attempt.syscall(site, |vm| vm.attach(target, site));
    DurableFuture::new(attempt, handle, read_value, site)
}

fn output<O: Decode>(
    attempt: &Arc<Attempt>,
    target: InvocationTarget,
    site: Site,
) -> DurableFuture<Option<O>> {
    let handle = attempt.syscall(site, |vm| vm.invocation_output(target, site));
    DurableFuture::new(attempt, handle, read_option, site)
}
