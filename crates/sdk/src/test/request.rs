//! Typed requests to a test server.
//!
//! - Owns: [`TestRequest`], [`TestInvocation`].
//! - Invariant: time passes while a result is awaited, up to the moment at which it is there.

use std::{marker::PhantomData, time::Duration};

use bytes::Bytes;
use reveille_protocol::id::InvocationId;

use super::{TestServer, world::Submission};
use crate::{
    Caller, Target, TerminalError,
    payload::{Decode, Encode},
    vm::millis,
};

impl Caller for TestServer {
    type Request<'a, O: Decode> = TestRequest<'a, O>;

    #[track_caller]
    fn request<I: Encode + ?Sized, O: Decode>(
        &self,
        target: Target,
        input: &I,
    ) -> TestRequest<'_, O> {
        let input = input.encode().unwrap_or_else(|error| panic!("the input: {error}"));
        let submission =
            Submission { target, input, headers: Vec::new(), idempotency_key: None, delay_ms: 0 };
        TestRequest { server: self, submission, output: PhantomData }
    }
}

/// A request that has not been made yet.
#[must_use = "nothing is requested before `call` or `send`"]
pub struct TestRequest<'a, O> {
    server: &'a TestServer,
    submission: Submission,
    output: PhantomData<fn() -> O>,
}

impl<'a, O: Decode> TestRequest<'a, O> {
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.submission.headers.push((name.into(), value.into()));
        self
    }

    /// Makes requests with the same key one invocation.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.submission.idempotency_key = Some(key.into());
        self
    }

    /// Lets the handler run on its own, up to its first wait.
    pub async fn send(self) -> TestInvocation<'a, O> {
        let Self { server, submission, output } = self;
        let id = server.world().invoke(submission);
        server.settle().await;
        TestInvocation { server, id, output }
    }

    /// As [`Self::send`], to begin after a delay.
    pub async fn send_after(mut self, delay: Duration) -> TestInvocation<'a, O> {
        self.submission.delay_ms = millis(delay);
        self.send().await
    }

    /// Calls the handler and awaits its result.
    ///
    /// # Panics
    ///
    /// As [`TestInvocation::result`].
    pub async fn call(self) -> Result<O, TerminalError> {
        self.send().await.result().await
    }
}

/// An invocation of a test server.
pub struct TestInvocation<'a, O> {
    server: &'a TestServer,
    id: InvocationId,
    output: PhantomData<fn() -> O>,
}

impl<O: Decode> TestInvocation<'_, O> {
    /// Returns its id.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Cancels it: what it awaits fails.
    pub async fn cancel(&self) {
        self.server.world().cancel(self.id);
        self.server.settle().await;
    }

    /// Gives its result if it has one, without time passing.
    pub async fn output(&self) -> Option<Result<O, TerminalError>> {
        self.server.settle().await;
        let result = self.server.world().result(self.id)?;
        Some(self.read(result.map_err(TerminalError::from_failure)))
    }

    /// Awaits its result, and lets time pass for that.
    ///
    /// # Panics
    ///
    /// When it waits for something that nobody does, with a list of what is waited for.
    pub async fn result(&self) -> Result<O, TerminalError> {
        loop {
            if let Some(result) = self.output().await {
                return result;
            }
            if !self.server.pass().await {
                let waits = self.server.waits().await;
                panic!("{} waits for what never comes: {waits:#?}", self.id);
            }
        }
    }

    fn read(&self, result: Result<Bytes, TerminalError>) -> Result<O, TerminalError> {
        let read = |bytes| O::decode(bytes).unwrap_or_else(|error| panic!("the result: {error}"));
        result.map(read)
    }
}
