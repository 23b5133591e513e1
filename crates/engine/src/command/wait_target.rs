//! What a completion from outside names: a wait, by whoever may answer it.
//!
//! - Invariant: every name leads to one invocation, so to one partition.

use reveille_protocol::id::{AwakeableId, InvocationId};

use crate::identity;

/// What a completion from outside names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitTarget {
    /// An awakeable by its secret id.
    Awakeable(AwakeableId),
    /// Any wait of an invocation, named by an administrator.
    Admin(InvocationId, WaitName),
    /// A promise of a workflow, named by an administrator; its run may not have begun.
    Promise(Box<PromiseTarget>),
}

/// A durable promise, by what users call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseTarget {
    /// Scope, checked ([`crate::level`]); `None` outside of scopes.
    pub scope: Option<String>,
    /// Name of the workflow, which exists.
    pub service: String,
    /// Key of the workflow.
    pub key: String,
    /// Name of the promise, at most [`crate::keys::NAME_BYTES_MAX`] bytes, as the key.
    pub name: String,
}

impl PromiseTarget {
    /// The run of the workflow, whether it has begun or not.
    pub fn run(&self) -> InvocationId {
        identity::workflow_run_id(self.scope.as_deref(), &self.service, &self.key)
    }
}

impl WaitTarget {
    /// The invocation that waits.
    pub fn invocation(&self) -> InvocationId {
        match self {
            WaitTarget::Awakeable(id) => id.invocation,
            WaitTarget::Admin(id, _) => *id,
            WaitTarget::Promise(promise) => promise.run(),
        }
    }
}

/// Index of an awakeable, or name of a signal or promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitName {
    /// Signal index, 17 or higher.
    Index(u32),
    /// Signal or promise name.
    Name(String),
}
