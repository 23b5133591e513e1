//! Several durable futures at once, with the tree of what is awaited told to the server.
//!
//! `futures::join!` and `select!` are as safe and as deterministic. These let the server know more: a
//! handler that waits for all of a hundred results is not woken up for each of them.
//!
//! - Owns: [`all`], [`race`], [`any`], [`all_settled`].
//! - Invariant: of several results the one that the server stored first wins.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    attempt::{Attempt, Registration},
    durable::{Durable, DurableResult, poll_registered},
    error::TerminalError,
    vm::{Await, Combinator, Site},
};

/// Ends with all values, in the order of the futures, or with the first failure.
pub fn all<F: Durable>(futures: impl IntoIterator<Item = F>) -> All<F> {
    All(Group::new(Combinator::AllSucceeded, futures))
}

/// Ends when every future has, with their results in the order of the futures.
///
/// It fails only when the invocation is cancelled.
pub fn all_settled<F: Durable>(futures: impl IntoIterator<Item = F>) -> AllSettled<F> {
    AllSettled(Group::new(Combinator::AllCompleted, futures))
}

/// Ends with the first result, whether value or failure, and the place of its future.
///
/// Without futures it fails.
pub fn race<F: Durable>(futures: impl IntoIterator<Item = F>) -> Race<F> {
    Race(Group::new(Combinator::FirstCompleted, futures))
}

/// Ends with the first value, and the place of its future; with the last failure when all fail.
///
/// Without futures it fails.
pub fn any<F: Durable>(futures: impl IntoIterator<Item = F>) -> Any<F> {
    Any(Group::new(Combinator::FirstSucceeded, futures))
}

/// One of several futures.
enum Slot<F: Durable> {
    Waiting(F),
    Ended(DurableResult<F::Value>),
    Taken,
}

struct Group<F: Durable> {
    combinator: Combinator,
    slots: Vec<Slot<F>>,
    /// The places of futures in the order in which they ended.
    ended: Vec<usize>,
    origin: Option<(Arc<Attempt>, Site)>,
    registration: Registration,
}

impl<F: Durable> Group<F> {
    fn new(combinator: Combinator, futures: impl IntoIterator<Item = F>) -> Self {
        let futures = Vec::from_iter(futures);
        let origin = futures.iter().find_map(F::origin);
        let origin = origin.map(|(attempt, site)| (attempt.clone(), site));
        let registration = Registration::new(origin.as_ref().map(|(attempt, _)| attempt.clone()));
        let slots = futures.into_iter().map(Slot::Waiting).collect();
        Self { combinator, slots, ended: Vec::new(), origin, registration }
    }

    fn tree(&self) -> Option<Await> {
        let waiting = self.slots.iter().filter_map(|slot| match slot {
            Slot::Waiting(future) => Some(future.tree()),
            _ => None,
        });
        Some(Await::Node(self.combinator, waiting.collect::<Option<_>>()?))
    }

    /// Polls every future that has not ended.
    fn poll(&mut self, cx: &mut Context<'_>) {
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if let Slot::Waiting(future) = slot
                && let Poll::Ready(result) = future.poll_known(cx)
            {
                *slot = Slot::Ended(result);
                self.ended.push(place);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ended.len() == self.slots.len()
    }

    fn take(&mut self, place: usize) -> Option<DurableResult<F::Value>> {
        match std::mem::replace(&mut self.slots[place], Slot::Taken) {
            Slot::Ended(result) => Some(result),
            other => {
                self.slots[place] = other;
                None
            }
        }
    }

    /// The first future in the order of their ends whose result is as wanted.
    fn find(&self, wanted: fn(&DurableResult<F::Value>) -> bool) -> Option<usize> {
        let is_wanted = |place: &&usize| match &self.slots[**place] {
            Slot::Ended(result) => wanted(result),
            _ => false,
        };
        self.ended.iter().find(is_wanted).copied()
    }

    fn take_all(&mut self) -> Vec<DurableResult<F::Value>> {
        (0..self.slots.len()).filter_map(|place| self.take(place)).collect()
    }
}

fn nothing_to_wait_for() -> TerminalError {
    TerminalError::new("`race` and `any` of no futures have no result")
}

macro_rules! groups {
    ($($(#[$docs:meta])* $name:ident -> $value:ty, $result:expr;)*) => {
        $(
            $(#[$docs])*
            #[must_use = "the operations have begun; await this for their results"]
            pub struct $name<F: Durable>(Group<F>);

            impl<F: Durable> Durable for $name<F> {
                type Value = $value;

                fn origin(&self) -> Option<(&Arc<Attempt>, Site)> {
                    self.0.origin.as_ref().map(|(attempt, site)| (attempt, *site))
                }

                fn tree(&self) -> Option<Await> {
                    self.0.tree()
                }

                fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<DurableResult<$value>> {
                    let result: fn(&mut Group<F>) -> Option<DurableResult<$value>> = $result;
                    self.0.poll(cx);
                    result(&mut self.0).map_or(Poll::Pending, Poll::Ready)
                }
            }

            impl<F: Durable> Future for $name<F> {
                type Output = DurableResult<$value>;

                fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                    poll_registered(self.get_mut(), |this| &mut this.0.registration, cx)
                }
            }

            // Futures are moved only before they are polled, and they are `Unpin` themselves.
            impl<F: Durable> Unpin for $name<F> {}
        )*
    };
}

groups! {
    /// Made by [`all`].
    All -> Vec<F::Value>, |group| {
        if let Some(place) = group.find(Result::is_err) {
            let failed = group.take(place)?;
            return failed.err().map(Err);
        }
        group.is_over().then(|| group.take_all().into_iter().collect())
    };
    /// Made by [`all_settled`].
    AllSettled -> Vec<DurableResult<F::Value>>, |group| {
        group.is_over().then(|| Ok(group.take_all()))
    };
    /// Made by [`race`].
    Race -> (usize, F::Value), |group| match group.find(|_| true) {
        Some(place) => group.take(place).map(|result| result.map(|value| (place, value))),
        None => group.slots.is_empty().then(|| Err(nothing_to_wait_for())),
    };
    /// Made by [`any`].
    Any -> (usize, F::Value), |group| {
        if let Some(place) = group.find(Result::is_ok) {
            return group.take(place).map(|result| result.map(|value| (place, value)));
        }
        if !group.is_over() {
            return None;
        }
        // Which one came last is not the same on replay: failures before the last one wake nobody.
        match group.slots.len().checked_sub(1) {
            Some(place) => group.take(place).map(|result| result.map(|value| (place, value))),
            None => Some(Err(nothing_to_wait_for())),
        }
    };
}
