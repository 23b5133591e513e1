//! Contexts of handlers with a key: objects and workflows.
//!
//! - Owns: state, and which context may write it.
//! - Invariant: a shared handler, which runs beside others, reads state and never writes it.

use std::{ops::Deref, panic::Location, sync::Arc};

use super::{Context, Promise};
use crate::{
    attempt::Attempt,
    durable::{DurableFuture, read_keys, read_option},
    payload::{Decode, Encode},
};

/// What a shared handler of an object can do: everything of [`Context`], and read the state of its key.
pub struct SharedObjectContext {
    base: Context,
}

/// What a handler of an object can do, alone on its key: everything of [`SharedObjectContext`], and write
/// the state of its key.
pub struct ObjectContext {
    base: SharedObjectContext,
}

/// What a shared handler of a workflow can do: everything of [`Context`], read the state of its key, and
/// everything with its promises.
pub struct SharedWorkflowContext {
    base: Context,
}

/// What the `run` handler of a workflow can do: everything of [`SharedWorkflowContext`], and write the
/// state of its key.
pub struct WorkflowContext {
    base: SharedWorkflowContext,
}

macro_rules! contexts {
    ($($context:ident => $base:ident)*) => {
        $(
            impl $context {
                pub(crate) fn new(attempt: Arc<Attempt>) -> Self {
                    Self { base: $base::new(attempt) }
                }
            }

            impl Deref for $context {
                type Target = $base;

                fn deref(&self) -> &$base {
                    &self.base
                }
            }
        )*
    };
}

contexts! {
    SharedObjectContext => Context
    ObjectContext => SharedObjectContext
    SharedWorkflowContext => Context
    WorkflowContext => SharedWorkflowContext
}

macro_rules! readers {
    ($($context:ident)*) => {
        $(impl $context {
            /// Returns the key.
            pub fn key(&self) -> &str {
                &self.attempt().info.key
            }

            /// Reads a value of the state of this key; `None` when there is none.
            #[track_caller]
            pub fn get<T: Decode>(&self, name: &str) -> DurableFuture<Option<T>> {
                let site = Location::caller();
                let handle = self.attempt().syscall(site, |vm| vm.get_state(name, site));
                DurableFuture::new(self.attempt(), handle, read_option, site)
            }

            /// Lists the names of the values of this key, sorted.
            #[track_caller]
            pub fn keys(&self) -> DurableFuture<Vec<String>> {
                let site = Location::caller();
                let handle = self.attempt().syscall(site, |vm| vm.state_keys(site));
                DurableFuture::new(self.attempt(), handle, read_keys, site)
            }
        })*
    };
}

readers! { SharedObjectContext SharedWorkflowContext }

macro_rules! writers {
    ($($context:ident)*) => {
        $(impl $context {
            /// Writes a value of the state of this key.
            #[track_caller]
            pub fn set<T: Encode + ?Sized>(&self, name: &str, value: &T) {
                let site = Location::caller();
                if let Some(content) = self.attempt().encode(value, "state", site) {
                    let set = self.attempt().syscall(site, |vm| vm.set_state(name, content, site));
                    let _: Option<()> = set;
                }
            }

            /// Removes a value of the state of this key.
            #[track_caller]
            pub fn clear(&self, name: &str) {
                let site = Location::caller();
                let cleared = self.attempt().syscall(site, |vm| vm.clear_state(name, site));
                let _: Option<()> = cleared;
            }

            /// Removes the whole state of this key.
            #[track_caller]
            pub fn clear_all(&self) {
                let site = Location::caller();
                let cleared = self.attempt().syscall(site, |vm| vm.clear_all_state(site));
                let _: Option<()> = cleared;
            }
        })*
    };
}

writers! { ObjectContext WorkflowContext }

impl SharedWorkflowContext {
    /// Names a promise of this workflow key: a value that is set once, and awaited by any handler of it.
    pub fn promise<T>(&self, name: impl Into<String>) -> Promise<'_, T> {
        Promise::new(self.attempt(), name.into())
    }
}
