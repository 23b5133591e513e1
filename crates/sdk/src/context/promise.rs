//! Durable promises: write-once cells of a workflow key.
//!
//! - Owns: [`Promise`].
//! - Invariant: the first completion counts; a later one fails and changes nothing.

use std::{marker::PhantomData, panic::Location, sync::Arc};

use crate::{
    attempt::Attempt,
    durable::{DurableFuture, read_nothing, read_option, read_value},
    error::TerminalError,
    payload::{Decode, Encode},
    vm::Vm,
};

/// A promise of a workflow key. Await it, or its [`value`](Self::value), or complete it.
pub struct Promise<'a, T> {
    attempt: &'a Arc<Attempt>,
    name: String,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> Promise<'a, T> {
    pub(crate) fn new(attempt: &'a Arc<Attempt>, name: String) -> Self {
        Self { attempt, name, value: PhantomData }
    }

    /// Rejects it: whoever awaits it gets the failure.
    ///
    /// The result tells whether this was the first completion; it need not be awaited.
    #[track_caller]
    pub fn reject(&self, error: TerminalError) -> DurableFuture<()> {
        let site = Location::caller();
        let failure = error.into_failure();
        let complete = |vm: &mut Vm| vm.complete_promise(&self.name, Err(failure), site);
        let handle = self.attempt.syscall(site, complete);
        DurableFuture::new(self.attempt, handle, read_nothing, site)
    }
}

impl<T: Encode> Promise<'_, T> {
    /// Resolves it.
    ///
    /// The result tells whether this was the first completion; it need not be awaited.
    #[track_caller]
    pub fn resolve(&self, value: &T) -> DurableFuture<()> {
        let site = Location::caller();
        let content = self.attempt.encode(value, "a promise", site);
        let handle = content.and_then(|content| {
            self.attempt.syscall(site, |vm| vm.complete_promise(&self.name, Ok(content), site))
        });
        DurableFuture::new(self.attempt, handle, read_nothing, site)
    }
}

impl<T: Decode> Promise<'_, T> {
    /// Gives its value once it has one.
    #[track_caller]
    pub fn value(&self) -> DurableFuture<T> {
        let site = Location::caller();
        let handle = self.attempt.syscall(site, |vm| vm.promise(&self.name, site));
        DurableFuture::new(self.attempt, handle, read_value, site)
    }

    /// Gives its value if it has one by now.
    #[track_caller]
    pub fn peek(&self) -> DurableFuture<Option<T>> {
        let site = Location::caller();
        let handle = self.attempt.syscall(site, |vm| vm.peek_promise(&self.name, site));
        DurableFuture::new(self.attempt, handle, read_option, site)
    }
}

impl<T: Decode> IntoFuture for Promise<'_, T> {
    type Output = Result<T, TerminalError>;
    type IntoFuture = DurableFuture<T>;

    #[track_caller]
    fn into_future(self) -> DurableFuture<T> {
        self.value()
    }
}
