//! Steps that are executed, and whether the handler goes on with them.
//!
//! A handler may keep a step that has begun without polling it any more: nothing must wait for that one. Which
//! it is cannot be seen from what is registered, since a future that waits is not polled either. It is asked
//! for: a step is made to be polled while nothing is new, and a handler that awaits it polls it then.
//!
//! - Owns: [`Executions`]: who was polled since when, and who is asked.
//! - Does not own: what follows for the attempt ([`super::Core::progress`]).
//! - Invariant: asking changes nothing but this, since no step is executed on replay that was stored.

use std::collections::BTreeMap;

use crate::vm::Handle;

/// The steps of an attempt whose closures were handed out and have not ended.
#[derive(Default)]
pub(super) struct Executions {
    /// Each with the number of the poll of the handler that polled it last; 0 is none.
    polled_in: BTreeMap<Handle, u64>,
    /// The number of the last poll of the handler.
    polls: u64,
    /// The first of the last polls in which the handler had nothing to go on with. What it polls in those it
    /// awaits.
    still_since: Option<u64>,
    /// Whether something was delivered since the last poll.
    has_news: bool,
    /// The step that the handler was woken for.
    asked: Option<Handle>,
}

impl Executions {
    pub fn add(&mut self, run: Handle) {
        self.polled_in.insert(run, 0);
    }

    pub fn end(&mut self, run: Handle) {
        self.polled_in.remove(&run);
    }

    /// Something was delivered: the handler goes on.
    pub fn news(&mut self) {
        self.has_news = true;
    }

    /// The handler is polled next; `is_run_woken` when a closure has woken it.
    pub fn begin_poll(&mut self, is_run_woken: bool) {
        self.polls += 1;
        let has_news = std::mem::take(&mut self.has_news);
        if has_news || !(is_run_woken || self.asked.is_some()) {
            self.still_since = None;
        } else {
            self.still_since.get_or_insert(self.polls);
        }
    }

    /// The handler polls this step, whose closure may be polled if it was handed out.
    pub fn go_on_with(&mut self, run: Handle) -> bool {
        let polled_in = self.polled_in.get_mut(&run);
        polled_in.map(|polled_in| *polled_in = self.polls).is_some()
    }

    /// The handler is woken for this step.
    pub fn ask(&mut self, run: Handle) {
        self.asked = Some(run);
    }

    /// The step that was asked for, if the handler did not poll it.
    pub fn take_refused(&mut self) -> Option<Handle> {
        self.asked.take().filter(|run| !self.is_awaited(self.polled_in.get(run)))
    }

    /// A step that has to be asked for: the first one that is executed, unless any is known to be awaited.
    pub fn unsure(&self, is_executing: impl Fn(Handle) -> bool) -> Option<Handle> {
        let executing = || self.polled_in.iter().filter(|(run, _)| is_executing(**run));
        if executing().any(|(_, polled_in)| self.is_awaited(Some(polled_in))) {
            return None;
        }
        executing().next().map(|(run, _)| *run)
    }

    fn is_awaited(&self, polled_in: Option<&u64>) -> bool {
        polled_in.zip(self.still_since).is_some_and(|(polled_in, since)| *polled_in >= since)
    }
}
