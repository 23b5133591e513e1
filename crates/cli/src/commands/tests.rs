//! The commands as their users meet them: arguments in; requests, output and exit code out.

mod deployments;
mod invocations;
mod kafka;
mod parsing;
mod rules;
mod services;
mod sql;
mod state;
mod waits;
mod whoami;
