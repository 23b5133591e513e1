//! What is awaited: a tree and a waker for each durable future that was polled and has not ended.
//!
//! - Owns: [`Registration`], which a future holds; [`Core::progress`], which wakes those concerned.
//! - Invariant: what was delivered and not looked at is not waited for again, so that a future that the
//!   handler keeps without polling it holds nothing up. What steps do changes no entry: a cancellation finds
//!   the same ones on replay.

use std::{
    collections::BTreeMap,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Attempt, Core};
use crate::vm::{Await, Handle, Progress, Site, Stopped};

/// By the order in which futures were polled first.
#[derive(Default)]
pub(super) struct Registry {
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

struct Entry {
    tree: Await,
    waker: Waker,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Its future was woken and has not been polled since.
    Woken,
    /// As [`State::Woken`], by the cancellation of the invocation just now.
    Cancelled,
}

/// What became of a wait of the whole handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The handler was woken: poll it.
    Poll,
    /// More input is needed.
    Wait,
    /// As [`Step::Wait`], or the closure of a step that is awaited has to go on.
    WaitForSteps,
    /// As [`Step::Wait`], and nothing durable is awaited.
    WaitForNothing,
    /// The attempt is over.
    Over,
}

impl Core {
    /// Delivers the next thing that the handler waits for, and only that.
    pub fn progress(&mut self) -> Step {
        self.registry.forget_cancellation();
        if let Some(run) = self.executions.take_refused() {
            self.vm.set_aside(run);
        }
        let waiting =
            || self.registry.entries.values().filter(|entry| entry.state == State::Waiting);
        let trees: Vec<Await> = waiting().map(|entry| entry.tree.clone()).collect();
        if trees.is_empty() {
            return if self.vm.ended().is_some() { Step::Over } else { Step::WaitForNothing };
        }
        let site = self.last_site();
        match self.vm.progress(trees, site) {
            Ok(Progress::Ready) => {
                let Self { vm, registry, .. } = self;
                registry.wake(State::Woken, |tree| vm.is_over(tree));
                self.executions.news();
                Step::Poll
            }
            Ok(Progress::Cancelled) => {
                self.registry.wake(State::Cancelled, |_| true);
                self.executions.news();
                Step::Poll
            }
            Ok(Progress::Execute(run)) => {
                self.executions.add(run);
                self.ask(run)
            }
            Ok(Progress::Executing) => {
                let Self { vm, executions, .. } = self;
                match executions.unsure(|run| vm.is_executing(run)) {
                    Some(run) => self.ask(run),
                    None => Step::WaitForSteps,
                }
            }
            Ok(Progress::NeedInput) => Step::Wait,
            Ok(Progress::Nothing) => Step::WaitForNothing,
            Ok(Progress::Suspended) | Err(Stopped) => Step::Over,
        }
    }

    /// Lets the handler be polled to find out whether it goes on with a run.
    ///
    /// What waits for it is woken and goes on waiting: to everything else nothing has happened.
    fn ask(&mut self, run: Handle) -> Step {
        self.executions.ask(run);
        for entry in self.registry.entries.values().filter(|entry| entry.state == State::Waiting) {
            let mut is_concerned = false;
            entry.tree.leaves(&mut |leaf| is_concerned |= leaf == run);
            if is_concerned {
                entry.waker.wake_by_ref();
            }
        }
        Step::Poll
    }

    /// Whether the closure of this run may be polled, which it is next.
    pub fn go_on_with_run(&mut self, run: Handle) -> bool {
        let is_handed_out = self.executions.go_on_with(run);
        if is_handed_out {
            self.vm.go_on_with(run);
        }
        is_handed_out
    }

    /// The closure of a run ended, or was dropped.
    pub fn end_run(&mut self, run: Handle) {
        self.executions.end(run);
    }

    /// Something that changes whenever the handler does something that replay would have to repeat.
    pub fn mark(&self) -> usize {
        self.vm.handles_and_commands()
    }
}

impl Registry {
    /// What was not polled when the handler heard of a cancellation was not awaited: it never hears of it.
    ///
    /// Called when the handler has nothing more to go on with, so that it is the same on replay.
    fn forget_cancellation(&mut self) {
        for entry in self.entries.values_mut() {
            if entry.state == State::Cancelled {
                entry.state = State::Woken;
            }
        }
    }

    fn wake(&mut self, state: State, is_concerned: impl Fn(&Await) -> bool) {
        for entry in self.entries.values_mut() {
            if entry.state == State::Waiting && is_concerned(&entry.tree) {
                entry.state = state;
                entry.waker.wake_by_ref();
            }
        }
    }
}

/// The place of a durable future among what is awaited.
pub(crate) struct Registration {
    /// `None` for what belongs to no attempt: a group of nothing, which never waits.
    attempt: Option<Arc<Attempt>>,
    entry: Option<u64>,
}

impl Registration {
    pub fn new(attempt: Option<Arc<Attempt>>) -> Self {
        Self { attempt, entry: None }
    }

    /// Whether the invocation was cancelled while this future waited; it is told once.
    pub fn take_cancelled(&mut self) -> bool {
        let (Some(at), Some(attempt)) = (self.entry, &self.attempt) else { return false };
        let is_cancelled = {
            let core = attempt.core();
            let entry = core.registry.entries.get(&at);
            entry.is_some_and(|entry| entry.state == State::Cancelled)
        };
        if is_cancelled {
            self.leave();
        }
        is_cancelled
    }

    /// Waits for a tree; without one for ever, since the attempt is over.
    pub fn wait<T>(&mut self, tree: Option<Await>, site: Site, cx: &Context<'_>) -> Poll<T> {
        let (Some(tree), Some(attempt)) = (tree, &self.attempt) else { return Poll::Pending };
        let mut core = attempt.core();
        if attempt.check_place(&mut core, site).is_err() {
            return Poll::Pending;
        }
        let registry = &mut core.registry;
        let at = *self.entry.get_or_insert_with(|| {
            registry.next += 1;
            registry.next
        });
        let waker = match registry.entries.remove(&at) {
            Some(entry) if entry.waker.will_wake(cx.waker()) => entry.waker,
            _ => cx.waker().clone(),
        };
        registry.entries.insert(at, Entry { tree, waker, state: State::Waiting });
        Poll::Pending
    }

    /// Waits no longer.
    pub fn leave(&mut self) {
        if let (Some(at), Some(attempt)) = (mem::take(&mut self.entry), &self.attempt) {
            attempt.core().registry.entries.remove(&at);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.leave();
    }
}
