//! A minimal deployment for the demonstration, tests and benchmarks.
//!
//! A handler is a plain synchronous function over [`Attempt`]. It is executed from its start
//! whenever something arrives that it may wait for; what it did before is matched with its journal
//! by position and not done again. That makes a handler of *n* steps cost *n* executions, which is
//! cheap for the few steps of its users and needs neither tasks nor locks. It is no SDK: no
//! serialization, no typed clients, no combinators besides [`Attempt::race`].
//!
//! - Owns: the definition of services ([`ServiceDef`]), what a handler may do ([`Attempt`]), its
//!   journal (`journal.rs`), the protocol state machine (`machine.rs`), HTTP (`http.rs`).
//! - Does not own: message shapes and framing (crate `reveille-protocol`).
//! - Invariant: everything but `http.rs` is free of I/O, so each attempt is testable as a script.
//!
//! ```
//! use reveille_endpoint::{Attempt, Endpoint, ServiceDef, Stop};
//!
//! fn review(attempt: &mut Attempt) -> Result<bytes::Bytes, Stop> {
//!     let (id, answered) = attempt.awakeable();
//!     let asked = attempt.run("ask", || format!("{id:?}").into());
//!     attempt.wait(asked)?;
//!     attempt.wait(answered)
//! }
//!
//! let service = ServiceDef::service("Approval").handler("review", review);
//! let endpoint = Endpoint::builder().service(service).build();
//! # let _ = endpoint;
//! ```

mod attempt;
mod definition;
mod http;
mod journal;
mod machine;
#[cfg(test)]
mod tests;

pub use reveille_protocol::{
    manifest::{HandlerType, Options, ProtocolMode},
    message::{Failure, FailureMetadata},
};

pub use self::{
    attempt::{Attempt, Handle, Stop},
    definition::{Endpoint, EndpointBuilder, ServiceDef},
};
