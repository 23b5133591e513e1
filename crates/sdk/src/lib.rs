//! Package `reveille`: handlers that outlive their process. The guide follows.
//!
#![doc = include_str!("../README.md")]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod attempt;
#[cfg(feature = "client")]
pub mod client;
mod clock;
pub mod combine;
mod context;
mod definition;
mod driver;
mod durable;
#[cfg(feature = "embedded")]
pub mod embedded;
mod endpoint;
mod error;
mod options;
pub mod payload;
mod random;
mod request;
mod step;
#[cfg(feature = "test")]
pub mod test;
mod vm;

pub use combine::{all, all_settled, any, race};
pub use context::{
    Context, ObjectContext, Promise, SharedObjectContext, SharedWorkflowContext, WorkflowContext,
};
pub use definition::{Definition, Service};
pub use durable::{BoxedDurable, Durable, DurableFuture, DurableResult, Map, Timeout};
#[cfg(feature = "embedded")]
pub use embedded::{Embedded, EmbeddedBuilder, EmbeddedError};
#[cfg(feature = "lambda")]
pub use endpoint::LambdaError;
pub use endpoint::{Endpoint, EndpointBuilder, EndpointError, ProtocolMode};
pub use error::{BoxError, HandlerError, HandlerResult, TerminalError};
pub use options::{InvocationRetry, Options};
pub use random::Random;
pub use request::{Call, Caller, Invocation, Lookup, Request, Sent, Target};
pub use reveille_macros::{object, service, workflow};
pub use step::{RetryPolicy, Run};
