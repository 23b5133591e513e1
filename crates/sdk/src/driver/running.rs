//! A handler that runs: polled within its attempt, and never panicking further than to here.
//!
//! - Owns: what a panic of a handler becomes: an error that is tried again.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use crate::{
    attempt::Attempt,
    definition::{Entry, Handler, HandlerFuture},
    error::{HandlerError, HandlerResult},
};

/// A handler that has been entered, or that panicked when it was.
pub(super) enum Running {
    Future(HandlerFuture),
    Panicked(String),
}

impl Running {
    /// Enters a handler.
    pub fn new(handler: &Handler, entry: Entry) -> Self {
        match catch_unwind(AssertUnwindSafe(|| (handler.enter)(entry))) {
            Ok(future) => Self::Future(future),
            Err(panic) => Self::Panicked(panic_message(&*panic)),
        }
    }

    /// Polls it, as the handler of this attempt.
    pub fn poll(&mut self, attempt: &Attempt, waker: &Waker) -> Poll<HandlerResult<Bytes>> {
        let future = match self {
            Self::Future(future) => future,
            Self::Panicked(message) => {
                return Poll::Ready(Err(HandlerError::from(std::mem::take(message))));
            }
        };
        let guard = attempt.polled();
        // Fairness is the driver's matter: a budget that is used up would wake the handler later, which
        // looks like something that is not durable.
        let future = pin!(tokio::task::unconstrained(future.as_mut()));
        let polled =
            catch_unwind(AssertUnwindSafe(|| future.poll(&mut Context::from_waker(waker))));
        drop(guard);
        polled.unwrap_or_else(|panic| {
            let message = panic_message(&*panic);
            // It must not be polled again.
            *self = Self::Panicked(message.clone());
            Poll::Ready(Err(HandlerError::from(message)))
        })
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", text.unwrap_or("(no message)"))
}
