//! The shell around the engine: it translates sockets, clocks and disks into engine commands and
//! carries out engine effects.
//!
//! Start at [`server::Server`], listeners in front of a [`core::Core`]; [`embedded`] has handlers in the same
//! process instead. Then:
//! - [`partition`] drives the engine: mailbox in, batches to the store, effects out.
//! - [`ingress`] answers those who invoke, attach and complete.
//! - [`invoker`] runs attempts against deployments.
//! - [`registry`] discovers and stores deployments.
//! - [`listener`] serves connections for both, within bounds; [`access`] checks tokens.
//! - [`tls`] and [`request_identity`] say who we are and whom we trust.
//! - [`kafka`] reads topics whose records become invocations.
//! - [`admin`] is the operator's API.
//! - [`metrics`] is what all of them count, [`traces`] what they tell a collector.
//! - [`text`] reads and prints durations and times.
//! - [`config`] and [`limits`] hold every setting and every bound.

pub mod access;
pub mod admin;
pub mod config;
pub mod core;
pub mod embedded;
mod gather;
pub mod ingress;
pub mod invoker;
pub mod kafka;
mod lambda;
pub mod limits;
pub mod listener;
pub mod metrics;
pub mod partition;
pub mod registry;
pub mod request_identity;
pub mod security;
pub mod server;
pub mod text;
pub mod tls;
pub mod traces;
