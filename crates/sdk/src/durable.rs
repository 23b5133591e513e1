//! Durable futures: what a handler awaits, and what survives the end of its process.
//!
//! - Owns: [`Durable`], the plain [`DurableFuture`], [`Timeout`] and [`Map`].
//! - Does not own: several at once with a tree ([`crate::combine`]), steps ([`crate::step`]).
//! - Invariant: a future ends only with what the machine has let in, never with what it knows otherwise.

use std::{
    future::Future,
    marker::PhantomData,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    attempt::{Attempt, Registration},
    error::TerminalError,
    payload::Decode,
    vm::{Await, Combinator, Handle, Outcome, Site},
};

/// Represents the result of something durable: a value, or the failure that is its outcome.
pub type DurableResult<T> = Result<T, TerminalError>;

/// A future whose result is stored by the server, so that it is there again when the handler is replayed.
///
/// All of them can be awaited, put into `futures::join!`, `select!` or `FuturesUnordered`, and given
/// [a timeout](Self::timeout). Which of several ends first is decided by the order in which the server
/// stored the results, and is the same on every replay. Awaiting one anywhere but in its handler fails
/// the attempt, with an explanation.
///
/// When the invocation is cancelled, every durable future that is awaited at that moment ends with
/// [a failure](TerminalError::is_cancelled). What it waited for goes on: it can be awaited again. One that
/// is only kept at that moment hears nothing.
pub trait Durable: Future<Output = DurableResult<Self::Value>> + Unpin {
    /// What it gives.
    type Value;

    /// Its attempt, and where it was made; `None` for a group of nothing.
    #[doc(hidden)]
    fn origin(&self) -> Option<(&Arc<Attempt>, Site)>;

    /// What it waits for; `None` when it will never end, since the attempt is over.
    #[doc(hidden)]
    fn tree(&self) -> Option<Await>;

    /// Polls without waiting for more than what is known.
    #[doc(hidden)]
    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<Self::Value>>;

    /// Ends with [a failure](TerminalError::is_timeout) of code 408 when it takes longer than that.
    ///
    /// The clock starts now. It is durable too: it runs while the handler is suspended. What is waited
    /// for goes on; with `(&mut future).timeout(..)` it can be awaited again.
    #[track_caller]
    fn timeout(self, duration: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        let attempt = self.origin().map(|(attempt, _)| attempt.clone());
        let sleep = attempt.as_ref().map(|attempt| sleep(attempt, duration, Location::caller()));
        let registration = Registration::new(attempt);
        Timeout { future: self, sleep, duration, registration }
    }

    /// Turns the value into another one.
    fn map_value<U, F: FnOnce(Self::Value) -> U + Unpin>(self, map: F) -> Map<Self, F>
    where
        Self: Sized,
    {
        let attempt = self.origin().map(|(attempt, _)| attempt.clone());
        let registration = Registration::new(attempt);
        Map { future: self, map: Some(map), registration }
    }

    /// Hides which future it is, so that different ones can stand in one list.
    fn into_boxed<'a>(self) -> BoxedDurable<'a, Self::Value>
    where
        Self: Sized + Send + 'a,
    {
        Box::new(self)
    }
}

/// Any durable future with a value of type `T`; made by [`Durable::into_boxed`].
pub type BoxedDurable<'a, T> = Box<dyn Durable<Value = T, Output = DurableResult<T>> + Send + 'a>;

/// Polls a durable future on its own: with its tree among what is awaited.
pub(crate) fn poll_registered<D: Durable>(
    future: &mut D,
    registration: fn(&mut D) -> &mut Registration,
    cx: &mut Context<'_>,
) -> Poll<DurableResult<D::Value>> {
    if registration(future).take_cancelled() {
        return Poll::Ready(Err(TerminalError::cancelled()));
    }
    let result = future.poll_known(cx);
    if result.is_ready() {
        registration(future).leave();
        return result;
    }
    let Some((_, site)) = future.origin() else { return Poll::Pending };
    let tree = future.tree();
    registration(future).wait(tree, site, cx)
}

macro_rules! registered_future {
    ($(<$($generic:ident $(: $bound:path)?),*> $type:ty;)*) => {
        $(impl<$($generic $(: $bound)?),*> ::std::future::Future for $type
        where
            $type: $crate::durable::Durable,
        {
            type Output = $crate::durable::DurableResult<
                <$type as $crate::durable::Durable>::Value,
            >;

            fn poll(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<Self::Output> {
                let this = self.get_mut();
                $crate::durable::poll_registered(this, |this| &mut this.registration, cx)
            }
        })*
    };
}
pub(crate) use registered_future;

/// How an outcome becomes a value; the text says what is wrong with it.
pub(crate) type Read<T> = fn(Outcome) -> Result<DurableResult<T>, String>;

/// The result of one durable operation: of a sleep, an awakeable, a signal, a promise, a read of state.
///
/// The operation began when the future was made. To drop it is to lose interest, no more.
#[must_use = "the operation has begun; await it for its result"]
pub struct DurableFuture<T> {
    /// `None` when the attempt was over already.
    handle: Option<Handle>,
    read: Read<T>,
    site: Site,
    pub(crate) registration: Registration,
    attempt: Arc<Attempt>,
    is_over: bool,
    value: PhantomData<fn() -> T>,
}

impl<T> DurableFuture<T> {
    pub(crate) fn new(
        attempt: &Arc<Attempt>,
        handle: Option<Handle>,
        read: Read<T>,
        site: Site,
    ) -> Self {
        let registration = Registration::new(Some(attempt.clone()));
        let (attempt, value) = (attempt.clone(), PhantomData);
        Self { handle, read, site, registration, attempt, is_over: false, value }
    }

    pub(crate) fn attempt(&self) -> &Arc<Attempt> {
        &self.attempt
    }

    pub(crate) fn handle(&self) -> Option<Handle> {
        self.handle
    }
}

impl<T> Durable for DurableFuture<T> {
    type Value = T;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        Some((&self.attempt, self.site))
    }

    fn tree(&self) -> Option<Await> {
        self.handle.filter(|_| !self.is_over).map(Await::Single)
    }

    fn poll_known(&mut self, _cx: &mut Context<'_>) -> Poll<DurableResult<T>> {
        let Some(handle) = self.handle else { return Poll::Pending };
        let outcome = self.attempt.core().vm.take(handle);
        // Reading is the code of users, which runs without the lock.
        match outcome.map(self.read) {
            None => Poll::Pending,
            Some(Ok(result)) => {
                self.is_over = true;
                Poll::Ready(result)
            }
            Some(Err(message)) => {
                self.attempt.core().vm.fail_at(handle, &message);
                Poll::Pending
            }
        }
    }
}

/// A durable future with a bound on the time it takes; made by [`Durable::timeout`].
#[must_use = "the operation has begun; await it for its result"]
pub struct Timeout<F> {
    future: F,
    /// `None` beside a group of nothing, which has its result at once.
    sleep: Option<DurableFuture<()>>,
    duration: Duration,
    registration: Registration,
}

impl<F: Durable> Durable for Timeout<F> {
    type Value = F::Value;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        self.sleep.as_ref()?.origin()
    }

    fn tree(&self) -> Option<Await> {
        let both = vec![self.future.tree()?, self.sleep.as_ref()?.tree()?];
        Some(Await::Node(Combinator::CodeDecides, both))
    }

    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<F::Value>> {
        if let Poll::Ready(result) = self.future.poll_known(cx) {
            return Poll::Ready(result);
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        sleep.poll_known(cx).map(|_| Err(TerminalError::timeout(self.duration)))
    }
}

/// A durable future with another value; made by [`Durable::map_value`].
#[must_use = "the operation has begun; await it for its result"]
pub struct Map<F, M> {
    future: F,
    map: Option<M>,
    registration: Registration,
}

impl<F: Durable, M: FnOnce(F::Value) -> U + Unpin, U> Durable for Map<F, M> {
    type Value = U;

    fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
        self.future.origin()
    }

    fn tree(&self) -> Option<Await> {
        self.future.tree()
    }

    fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<U>> {
        match self.future.poll_known(cx) {
            Poll::Ready(Ok(value)) => match self.map.take() {
                Some(map) => Poll::Ready(Ok(map(value))),
                None => Poll::Pending,
            },
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

macro_rules! references {
    ($($type:ty),*) => {
        $(impl<F: Durable + ?Sized> Durable for $type {
            type Value = F::Value;

            fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
                (**self).origin()
            }

            fn tree(&self) -> Option<Await> {
                (**self).tree()
            }

            fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<F::Value>> {
                (**self).poll_known(cx)
            }
        })*
    };
}

references! { &mut F, Box<F> }

registered_future! {
    <T> DurableFuture<T>;
    <F: Durable> Timeout<F>;
}

impl<F: Durable, M: FnOnce(F::Value) -> U + Unpin, U> Future for Map<F, M> {
    type Output = DurableResult<U>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_registered(self.get_mut(), |this| &mut this.registration, cx)
    }
}

/// Begins a sleep.
pub(crate) fn sleep(attempt: &Arc<Attempt>, duration: Duration, site: Site) -> DurableFuture<()> {
    let wake_up_time_ms = attempt.clock.later_ms(duration);
    let handle = attempt.syscall(site, |vm| vm.sleep(wake_up_time_ms, site));
    DurableFuture::new(attempt, handle, read_nothing, site)
}

pub(crate) fn read_nothing(outcome: Outcome) -> Result<DurableResult<()>, String> {
    match outcome {
        Outcome::Failure(failure) => Ok(Err(TerminalError::from_failure(failure))),
        _ => Ok(Ok(())),
    }
}

/// A value of nothing is no bytes.
pub(crate) fn read_value<T: Decode>(outcome: Outcome) -> Result<DurableResult<T>, String> {
    let bytes = match outcome {
        Outcome::Failure(failure) => return Ok(Err(TerminalError::from_failure(failure))),
        Outcome::Value(value) => value.content,
        Outcome::Void(_) => crate::payload::Bytes::new(),
        _ => return Err("it has an unexpected kind of result".to_owned()),
    };
    T::decode(bytes).map(Ok).map_err(|error| error.to_string())
}

/// `None` for what is not there (yet).
pub(crate) fn read_option<T: Decode>(outcome: Outcome) -> Result<DurableResult<Option<T>>, String> {
    match outcome {
        Outcome::Void(_) => Ok(Ok(None)),
        outcome => Ok(read_value::<T>(outcome)?.map(Some)),
    }
}

pub(crate) fn read_invocation_id(outcome: Outcome) -> Result<DurableResult<String>, String> {
    match outcome {
        Outcome::InvocationId(id) => Ok(Ok(id)),
        Outcome::Failure(failure) => Ok(Err(TerminalError::from_failure(failure))),
        _ => Err("it is no invocation id".to_owned()),
    }
}

pub(crate) fn read_keys(outcome: Outcome) -> Result<DurableResult<Vec<String>>, String> {
    let Outcome::StateKeys(keys) = outcome else {
        return Err("it is no list of keys".to_owned());
    };
    let text = |key: crate::payload::Bytes| String::from_utf8(key.into());
    let keys: Result<_, _> = keys.keys.into_iter().map(text).collect();
    keys.map(Ok).map_err(|error| error.to_string())
}
