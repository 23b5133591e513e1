//! End-to-end tests: the real binary, unmodified SDKs, and one set of programs: those of
//! `examples/typescript`, and the same in the languages of `tests/sdk`.
//!
//! - [`matrix`]: every scenario, for each SDK, way of serving and protocol version.
//! - [`contract`]: what malformed requests are answered, as a table.
//! - [`commands`]: the commands for operators, as the binary runs them.
//! - [`crash`], [`load`]: `kill -9` of server, service and both.
//! - [`upgrade`]: what SDKs announce, and a new revision while somebody waits on the old one.
//! - [`imitated`]: what the Java and Go SDKs announce and send, without running them.
//! - [`faults`]: deployments that answer nonsense.
//! - [`lambda`]: deployments that are Lambda functions.
//! - [`security`]: signed requests as the SDK checks them, TLS, tokens.
//! - [`openapi`]: the documents in OpenAPI, before a validator.
//! - [`process`]: start, stop, and what a second server on one directory says.
//!
//! Environment: `SCENARIO=text` selects scenarios, `CRASH_SECONDS` (60) and `CRASH_SEED` steer the
//! crash test under load, `REVEILLE_NODE` and `REVEILLE_PYTHON` choose the Node and Python executables.

mod commands;
mod contract;
mod crash;
mod faults;
mod harness;
mod imitated;
mod lambda;
mod load;
mod matrix;
mod openapi;
mod process;
mod scenarios;
mod security;
mod upgrade;
