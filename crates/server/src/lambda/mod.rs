//! Deployments that are AWS Lambda functions.
//!
//! To the invoker a function is a deployment over HTTP/1.1 whose connection ends in this process: a
//! [`gateway`] takes each request, wraps it into an event, invokes the function with it and unwraps the
//! answer. So discovery, attempts, timeouts and failures are those of every other deployment.
//!
//! ```text
//! attempt --HTTP/1.1--> gateway --HTTPS, signed--> Lambda --event--> SDK
//! ```
//!
//! - Owns: the address of a function, credentials, signatures, events.
//! - Does not own: when a request is made and what becomes of its response ([`crate::invoker`]).
//! - Invariant: a credential leaves this module as a signature only.

mod credentials;
mod event;
pub(crate) mod function;
mod gateway;
mod sign;
#[cfg(test)]
mod tests;
mod zstd;

pub(crate) use gateway::connect;
