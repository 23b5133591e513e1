//! Await trees: what a handler waits for, and when that is over.
//!
//! - Owns: [`Await`], its reduction by what is known, its two forms on the wire.
//! - Does not own: what is known (`vm/inbox.rs`).
//! - Invariant: reduction never turns a tree that is over into one that waits.
//!
//! Start with [`Await::reduce`].

use reveille_protocol::{
    message::{CombinatorType, Future, notification::Id},
    version::ServiceProtocolVersion,
};

use super::Handle;

/// How the children of a node combine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combinator {
    /// Over with the first child, whatever it gave.
    FirstCompleted,
    /// Over when every child is, whatever they gave.
    AllCompleted,
    /// Over with the first success, or when every child failed.
    FirstSucceeded,
    /// Over with the first failure, or when every child succeeded.
    AllSucceeded,
    /// Over with the first child, and then the code decides what that means: a deadline, which is a
    /// failure although the sleep behind it is none.
    CodeDecides,
}

/// What is awaited: one thing, or several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Await {
    /// One thing.
    Single(Handle),
    /// Several; a node without children is over.
    Node(Combinator, Vec<Await>),
}

/// What became of something that is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Nothing yet.
    Pending,
    /// A value.
    Succeeded,
    /// A failure.
    Failed,
}

impl Await {
    /// Removes what is over from the tree and returns what became of it.
    ///
    /// Sets `news` when a node is over whose result depends on the order of notifications: the code has
    /// to look at it before anything else becomes known.
    pub fn reduce(&mut self, known: &impl Fn(Handle) -> Status, news: &mut bool) -> Status {
        let (combinator, children) = match self {
            Self::Single(handle) => return known(*handle),
            Self::Node(combinator, children) => (*combinator, children),
        };
        let was_empty = children.is_empty();
        let mut decided = None;
        children.retain_mut(|child| {
            let status = child.reduce(known, news);
            if decided.is_none() && decides(combinator, status) {
                decided = Some(status);
            }
            status == Status::Pending || decided.is_some()
        });
        if let Some(status) = decided {
            *news = true;
            return status;
        }
        match combinator {
            _ if !children.is_empty() => Status::Pending,
            Combinator::FirstSucceeded if !was_empty => Status::Failed,
            _ => Status::Succeeded,
        }
    }

    /// Visits what stands at the leaves, in order.
    pub fn leaves(&self, visit: &mut impl FnMut(Handle)) {
        match self {
            Self::Single(handle) => visit(*handle),
            Self::Node(_, children) => children.iter().for_each(|child| child.leaves(visit)),
        }
    }

    /// The form on the wire. Before v7 there is only the root, which lists every leaf: those of its own
    /// first, then those of its children.
    pub fn to_wire(&self, version: ServiceProtocolVersion, id: &impl Fn(Handle) -> Id) -> Future {
        let mut root = Future::default();
        match self {
            Self::Single(handle) => {
                push(&mut root, id(*handle));
                root.combinator_type = CombinatorType::FirstCompleted.into();
            }
            Self::Node(combinator, children) => {
                root.combinator_type = wire_combinator(*combinator).into();
                let (leaves, nodes): (Vec<_>, Vec<_>) =
                    children.iter().partition(|child| matches!(child, Self::Single(_)));
                leaves.iter().for_each(|leaf| leaf.leaves(&mut |leaf| push(&mut root, id(leaf))));
                for node in nodes {
                    let node = node.to_wire(version, id);
                    if version < ServiceProtocolVersion::V7 {
                        root.waiting_completions.extend(node.waiting_completions);
                        root.waiting_signals.extend(node.waiting_signals);
                        root.waiting_named_signals.extend(node.waiting_named_signals);
                    } else {
                        root.nested_futures.push(node);
                    }
                }
            }
        }
        root
    }
}

/// Whether a child with this status ends a node at once.
fn decides(combinator: Combinator, status: Status) -> bool {
    match combinator {
        Combinator::FirstCompleted | Combinator::CodeDecides => status != Status::Pending,
        Combinator::AllCompleted => false,
        Combinator::FirstSucceeded => status == Status::Succeeded,
        Combinator::AllSucceeded => status == Status::Failed,
    }
}

fn push(node: &mut Future, id: Id) {
    match id {
        Id::CompletionId(id) => node.waiting_completions.push(id),
        Id::SignalId(id) => node.waiting_signals.push(id),
        Id::SignalName(name) => node.waiting_named_signals.push(name),
    }
}

fn wire_combinator(combinator: Combinator) -> CombinatorType {
    match combinator {
        Combinator::FirstCompleted => CombinatorType::FirstCompleted,
        Combinator::AllCompleted => CombinatorType::AllCompleted,
        Combinator::FirstSucceeded => CombinatorType::FirstSucceededOrAllFailed,
        Combinator::AllSucceeded => CombinatorType::AllSucceededOrFirstFailed,
        Combinator::CodeDecides => CombinatorType::Unknown,
    }
}
