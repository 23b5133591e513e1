//! Await trees: what a suspended handler waits for, and when it must go on.
//!
//! A tree is settled leaf by leaf as notifications arrive; what is settled is removed, so that the
//! cost of a notification is the size of what is still awaited. Rules of `service-protocol` 4.7:
//!
//! | combinator | a node is done when |
//! |---|---|
//! | unknown, first completed | any child is done |
//! | all completed | all children are done |
//! | first succeeded or all failed | a child succeeded, or all failed |
//! | all succeeded or first failed | a child failed, or all succeeded |
//!
//! The handler goes on when the root is done, or when any *unknown* node is: user code hangs off it.
//! - Invariant: waking too early is wasteful, waking too late is a deadlock; in doubt, wake.

use reveille_protocol::message::{CombinatorType, Future, Notification, notification};
use reveille_protocol::signal;

#[cfg(test)]
mod tests;

/// One thing that can be awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A completion id.
    Completion(u32),
    /// A signal index.
    Signal(u32),
    /// A signal name.
    Named(String),
}

impl Leaf {
    /// The leaf that a notification settles.
    pub fn of(notification: &Notification) -> Option<Leaf> {
        Some(match notification.id.as_ref()? {
            notification::Id::CompletionId(id) => Leaf::Completion(*id),
            notification::Id::SignalId(index) => Leaf::Signal(*index),
            notification::Id::SignalName(name) => Leaf::Named(name.clone()),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Succeeded,
    Failed,
}

/// Settles a leaf wherever it occurs. Returns true when the handler must go on.
///
/// A cancellation is always enough, whether the tree lists it or not.
pub fn settle(tree: &mut Future, leaf: &Leaf, failed: bool) -> bool {
    let mut progress = *leaf == Leaf::Signal(signal::CANCEL);
    let outcome = if failed { State::Failed } else { State::Succeeded };
    settle_node(tree, leaf, outcome, &mut progress) != State::Pending || progress
}

/// True when nothing is awaited: the handler goes on at once.
pub fn is_empty(tree: &Future) -> bool {
    tree.waiting_completions.is_empty()
        && tree.waiting_signals.is_empty()
        && tree.waiting_named_signals.is_empty()
        && tree.nested_futures.iter().all(is_empty)
}

/// All leaves in depth-first order but the cancel signal, which every tree has.
pub fn leaves(tree: &Future) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(tree, &mut found);
    found
}

fn collect(node: &Future, found: &mut Vec<Leaf>) {
    found.extend(node.waiting_completions.iter().map(|id| Leaf::Completion(*id)));
    let signals = node.waiting_signals.iter().filter(|index| **index != signal::CANCEL);
    found.extend(signals.map(|index| Leaf::Signal(*index)));
    found.extend(node.waiting_named_signals.iter().cloned().map(Leaf::Named));
    for nested in &node.nested_futures {
        collect(nested, found);
    }
}

fn settle_node(node: &mut Future, leaf: &Leaf, outcome: State, progress: &mut bool) -> State {
    let mut children = Children::default();
    if has_leaf(node, leaf) {
        children.add(outcome);
    }
    let mut done = Vec::new();
    for (at, nested) in node.nested_futures.iter_mut().enumerate() {
        let state = settle_node(nested, leaf, outcome, progress);
        children.add(state);
        if state != State::Pending {
            done.push(at);
        }
    }
    if children.succeeded + children.failed == 0 {
        return State::Pending;
    }
    remove_leaf(node, leaf);
    for at in done.into_iter().rev() {
        node.nested_futures.remove(at);
    }
    let left = !is_empty(node);
    match node.combinator_type() {
        kind @ (CombinatorType::Unknown | CombinatorType::FirstCompleted) => {
            *progress |= kind == CombinatorType::Unknown;
            if children.succeeded > 0 { State::Succeeded } else { State::Failed }
        }
        CombinatorType::AllCompleted if left => State::Pending,
        CombinatorType::AllCompleted => State::Succeeded,
        CombinatorType::FirstSucceededOrAllFailed => match (children.succeeded, left) {
            (0, true) => State::Pending,
            (0, false) => State::Failed,
            _ => State::Succeeded,
        },
        CombinatorType::AllSucceededOrFirstFailed => match (children.failed, left) {
            (0, true) => State::Pending,
            (0, false) => State::Succeeded,
            _ => State::Failed,
        },
    }
}

#[derive(Default)]
struct Children {
    succeeded: u32,
    failed: u32,
}

impl Children {
    fn add(&mut self, state: State) {
        match state {
            State::Pending => {}
            State::Succeeded => self.succeeded += 1,
            State::Failed => self.failed += 1,
        }
    }
}

fn has_leaf(node: &Future, leaf: &Leaf) -> bool {
    match leaf {
        Leaf::Completion(id) => node.waiting_completions.contains(id),
        Leaf::Signal(index) => node.waiting_signals.contains(index),
        Leaf::Named(name) => node.waiting_named_signals.contains(name),
    }
}

fn remove_leaf(node: &mut Future, leaf: &Leaf) {
    match leaf {
        Leaf::Completion(id) => node.waiting_completions.retain(|other| other != id),
        Leaf::Signal(index) => node.waiting_signals.retain(|other| other != index),
        Leaf::Named(name) => node.waiting_named_signals.retain(|other| other != name),
    }
}
