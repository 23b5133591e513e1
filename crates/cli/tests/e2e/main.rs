//! End-to-end tests: the real binary, the unmodified TypeScript SDK, and the programs of
//! `examples/typescript` as they stand.
//!
//! - [`matrix`]: every scenario, for each way of serving and each protocol version.
//! - [`contract`]: what malformed requests are answered, as a table.
//! - [`commands`]: the commands for operators, as the binary runs them.
//! - [`crash`], [`load`]: `kill -9` of server, service and both.
//! - [`faults`]: deployments that answer nonsense.
//! - [`lambda`]: deployments that are Lambda functions.
//! - [`security`]: signed requests as the SDK checks them, TLS, tokens.
//! - [`process`]: start, stop, and what a second server on one directory says.
//!
//! Environment: `SCENARIO=text` selects scenarios, `CRASH_SECONDS` (60) and `CRASH_SEED` steer the
//! crash test under load, `REVEILLE_NODE` chooses the Node executable.

mod commands;
mod contract;
mod crash;
mod faults;
mod harness;
mod lambda;
mod load;
mod matrix;
mod process;
mod scenarios;
mod security;
