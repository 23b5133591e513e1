//! The ingress: how the outside invokes handlers, asks for results and answers waits.
//!
//! ```text
//! serve      sockets, HTTP/1.1 and h2c, shutdown
//!   handle   this file: one request in, one response out
//!     route    which request means what
//!     invoke   calls and sends           -> Command::Invoke
//!     query    attach, output, lookup    -> Command::Attach, Command::Output
//!     wait     answers to awakeables     -> Command::CompleteWait, Command::DescribeWait
//!   response every response; error: every error text
//! ```
//!
//! - Owns: translation between HTTP and engine commands; nothing is decided here.
//! - Does not own: partitions, the schema.
//! - Invariant: whatever a request brings, it gets an answer, and every answer allows browsers to
//!   read it. Neither payloads nor awakeable ids are ever logged.

mod body;
mod decode;
mod error;
mod invoke;
mod query;
mod random;
mod response;
mod route;
mod serve;
mod validate;
mod wait;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::Body;
use reveille_engine::schema::Schema;
use tokio::sync::watch;

use self::error::IngressError;
use self::response::Answer;
use self::route::Route;
use crate::partition::Partitions;

pub use self::serve::serve;

/// What the ingress works with; a clone shares it.
#[derive(Clone)]
pub struct Ingress {
    /// Where commands go.
    pub partitions: Partitions,
    /// The latest schema.
    pub schema: watch::Receiver<Arc<Schema>>,
    /// Largest request body in bytes; anything longer is answered with 413.
    pub request_size_limit: usize,
}

impl Ingress {
    /// Answers one request.
    async fn handle<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Display,
    {
        let (parts, body) = request.into_parts();
        let mut answer = match self.dispatch(&parts, body).await {
            Ok(answer) => answer,
            Err(error) => response::refused(&error),
        };
        response::cors(&mut answer, response::origin(&parts.headers));
        tracing::trace!(method = %parts.method, status = answer.status().as_u16(), "answered");
        answer
    }

    async fn dispatch<B>(&self, parts: &Parts, body: B) -> Result<Answer, IngressError>
    where
        B: Body<Data = Bytes>,
        B::Error: Display,
    {
        match route::route(&parts.method, parts.uri.path())? {
            Route::Preflight => Ok(response::preflight(&parts.headers)),
            Route::Health => Ok(response::health(self.schema.borrow().services.keys())),
            Route::Invoke(path) => invoke::invoke(self, &path, parts, body).await,
            Route::Query(query, target) => query::by_path(self, query, target).await,
            Route::QueryByBody(query) => query::by_body(self, query, body).await,
            Route::Complete { verb, id, face } => {
                wait::complete(self, (verb, id, face), parts, body).await
            }
            Route::DescribeWait(id) => wait::describe(self, id).await,
        }
    }
}
