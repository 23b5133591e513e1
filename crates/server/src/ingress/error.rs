//! Every error text of the ingress, with its status.
//!
//! - Owns: [`IngressError`]: what the ingress itself refuses. Texts are those that clients of the
//!   peer match on, where the peer has one.
//! - Does not own: failures of invocations, and the JSON around a text ([`super::response`]).
//! - Invariant: an error of this kind changed nothing: no invocation was made, no wait completed.

use std::convert::Infallible;
use std::str::Utf8Error;

use http::StatusCode;
use reveille_engine::keys::NAME_BYTES_MAX;
use reveille_engine::level::{LimitKeyError, NameError};
use reveille_protocol::id::{AwakeableIdError, IdError, InvocationId};

use super::route::Query;
use crate::listener::BodyError;
use crate::partition::Refused;
use crate::text::duration::DurationError;

/// Why the ingress refused a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngressError {
    /// The path exists, the method does not. Fix the request.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// No such path. Fix the request.
    #[error("not found")]
    PathNotFound,
    /// A path that is no route at all. Fix the request.
    #[error("bad path: {0}")]
    PathTooShort(String),
    /// An old-style call or send with the wrong number of segments. Fix the request.
    #[error(
        "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler"
    )]
    PathOldStyle,
    /// A path below one of our own prefixes with the wrong shape. Fix the request.
    #[error(
        "bad path, expected /restate/call/:service/:handler, \
         /restate/call/:object/:key/:handler, /restate/send/:service/:handler, \
         /restate/send/:object/:key/:handler, /restate/scope/:scope/call/..., \
         /restate/scope/:scope/send/..., /restate/attach/:invocation-id, \
         /restate/output/:invocation-id, or POST to /restate/attach, /restate/output or \
         /restate/lookup"
    )]
    PathNewStyle,
    /// An awakeable path with the wrong shape. Fix the request.
    #[error(
        "bad path, expected either /restate/awakeables/:id/resolve or \
         /restate/awakeables/:id/reject"
    )]
    PathAwakeable,
    /// A native wait path with the wrong shape. Fix the request.
    #[error(
        "bad path, expected /reveille/waits/:id, /reveille/waits/:id/resolve or \
         /reveille/waits/:id/reject"
    )]
    PathWait,
    /// An older workflow path with the wrong shape. Fix the request.
    #[error(
        "bad path, expected either /restate/workflow/:workflow-name/:workflow-key/attach or \
         /restate/workflow/:workflow-name/:workflow-key/output"
    )]
    PathWorkflow,
    /// An older invocation path with the wrong shape. Fix the request.
    #[error(
        "bad path, expected /restate/invocation/:invocation-id, \
         /restate/invocation/:service/:handler/:idempotency-key or \
         /restate/invocation/:object/:key/:handler/:idempotency-key, followed by /attach or /output"
    )]
    PathInvocation,
    /// The key is not UTF-8 after decoding. Fix the request.
    #[error("bad path, cannot decode key: {0}")]
    KeyNotUtf8(Utf8Error),
    /// Use a shorter key.
    #[error("the {what} has {len} bytes, at most {NAME_BYTES_MAX} fit")]
    KeyTooLong {
        /// Object key or idempotency key.
        what: &'static str,
        /// Its length.
        len: usize,
    },
    /// Register the service, or fix the name.
    #[error("service '{0}' not found, make sure to register the service before calling it.")]
    ServiceNotFound(String),
    /// Register a revision that has the handler, or fix the name.
    #[error(
        "the service '{service}' exists, but the handler '{handler}' was not found, check that \
         the handler exists in the latest registered service version."
    )]
    HandlerNotFound {
        /// Service name as requested.
        service: String,
        /// Handler name as requested.
        handler: String,
    },
    /// Only other handlers may call it.
    #[error("the invoked service is not public")]
    NotPublic,
    /// Use a send.
    #[error(
        "cannot use the delay query parameter with calls. The delay is supported only with sends"
    )]
    DelayOnCall,
    /// Fix the query parameter.
    #[error("bad delay query parameter, must be a ISO8601 duration: {0}")]
    Delay(#[from] DurationError),
    /// Fix the header; the field is its debug form.
    #[error("bad header idempotency-key: {0}")]
    IdempotencyKey(String),
    /// Leave the header out.
    #[error(
        "cannot use the idempotency key with workflow handlers. The handler invocation will \
         already be idempotent by the workflow key itself."
    )]
    IdempotencyKeyOnWorkflow,
    /// Fix the id in path or body.
    #[error("bad invocation id '{id}': {reason}")]
    InvocationId {
        /// The id as sent.
        id: String,
        /// What is wrong with it.
        reason: IdError,
    },
    /// Fix the id in the path.
    #[error("bad awakeable id '{id}': {reason}")]
    AwakeableId {
        /// The id as sent.
        id: String,
        /// What is wrong with it.
        reason: AwakeableIdError,
    },
    /// Send a content type, or none, as the handler declares.
    #[error("input validation error: {0}")]
    Input(#[from] InputError),
    /// Send less, or raise `ingress.request-size-limit`.
    #[error("length limit exceeded")]
    BodyTooLarge,
    /// The body broke off or is malformed on the wire. Send it again.
    #[error("cannot read body: {0}")]
    BodyBroken(String),
    /// The body stopped arriving. Send it again.
    #[error("cannot read body: nothing arrived for {0} ms")]
    BodyStalled(u64),
    /// Other bodies take all the memory there is for them. Retry in a moment.
    #[error("cannot read body: too many large requests at the same time, retry in a moment")]
    BodiesTooMany,
    /// Send a token.
    #[error("this server asks for a token, send it as header `authorization: Bearer <token>`")]
    TokenMissing,
    /// Send a token that is let in.
    #[error("the token in header `authorization` is not one that this server lets in")]
    TokenWrong,
    /// The body that describes a target is malformed. Fix it.
    #[error("cannot read body: invalid {} body: {detail}", body_name(*query))]
    TargetBody {
        /// What was asked.
        query: Query,
        /// Where and why parsing stopped.
        detail: String,
    },
    /// The answer to a wait is not the JSON it claims to be. Fix it; the wait is still open.
    #[error(
        "bad JSON in the body: {detail} at line {line} column {column}; nothing was completed, \
         the wait is as it was"
    )]
    AnswerNotJson {
        /// What is wrong.
        detail: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 where the line is too short.
        column: usize,
    },
    /// Fix the scope in path or body.
    #[error("bad scope value: {0}")]
    Scope(NameError),
    /// Fix the header or the query parameter.
    #[error("invalid limit-key: {0}")]
    LimitKey(LimitKeyError),
    /// Use a scope, or leave the limit key out.
    #[error("limit-key requires a scope to be set")]
    LimitKeyWithoutScope,
    /// Nothing to read under this id: never existed, or expired.
    #[error("invocation not found")]
    InvocationNotFound,
    /// Ask again later, or attach.
    #[error("the invocation exists but has not completed yet")]
    NotReady,
    /// Nothing was changed. Try again in a moment.
    #[error("{0}")]
    Unavailable(String),
    /// The server has as much to do as it takes on at the same time. Try again in a moment.
    #[error(
        "the server is busy with as many requests as it lets in at the same time ({max}); try again in a moment, \
         or raise 'ingress.concurrent-requests-limit'"
    )]
    RequestsTooMany {
        /// The limit.
        max: usize,
    },
    /// The server does less than it is asked for, so that work queues. Retry later.
    #[error(
        "the server is overloaded: calls and sends are refused until it has caught up; try again in a moment"
    )]
    Overloaded,
    /// A defect: a partition answered something that does not fit the question.
    #[error("the partition gave an answer that does not fit the request; please report this")]
    UnexpectedReply,
    /// A workflow runs once per key. Attach to the invocation to get its result.
    #[error("the workflow method was already invoked")]
    WorkflowAlreadyInvoked(InvocationId),
    /// Nothing to wait for under this id: never existed, or expired.
    #[error("not found")]
    AttachNotFound(InvocationId),
}

/// What the handler's declared input refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The handler takes no input; the field is the debug form of the content type.
    #[error("Expected body and content-type to be empty, but wasn't with content-type '{0}'")]
    NotEmpty(String),
    /// A content type is needed.
    #[error("Empty content-type")]
    ContentTypeEmpty,
    /// Another content type is needed.
    #[error("Content-type '{actual}' does not match '{expected}'")]
    ContentTypeMismatch {
        /// As sent.
        actual: String,
        /// As declared.
        expected: String,
    },
}

/// The response status for "exists, but has not completed yet"; clients test for it.
pub const STATUS_NOT_READY: u16 = 470;

/// What stands in the receipt of an unknown wait; a wrong secret must not be told apart.
pub const NO_SUCH_WAIT: &str = "no such wait";

/// Who an error comes from: the value of `x-restate-error-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorSource {
    /// The server refused or could not route.
    Ingress,
    /// The outcome of the invocation.
    Invocation,
}

impl ErrorSource {
    /// Returns the value in headers and bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorSource::Ingress => "ingress",
            ErrorSource::Invocation => "invocation",
        }
    }
}

impl IngressError {
    /// Returns the response status, which is also the `code` in the body.
    pub fn status(&self) -> StatusCode {
        use IngressError as E;
        match self {
            E::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            E::PathNotFound
            | E::ServiceNotFound(_)
            | E::HandlerNotFound { .. }
            | E::InvocationNotFound
            | E::AttachNotFound(_) => StatusCode::NOT_FOUND,
            E::BodyStalled(_) => StatusCode::REQUEST_TIMEOUT,
            E::TokenMissing | E::TokenWrong => StatusCode::UNAUTHORIZED,
            E::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            E::NotReady => StatusCode::from_u16(STATUS_NOT_READY).expect("a three-digit status"),
            E::WorkflowAlreadyInvoked(_) => StatusCode::CONFLICT,
            E::Unavailable(_) | E::BodiesTooMany | E::RequestsTooMany { .. } | E::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            E::UnexpectedReply => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns who the error comes from, and the invocation if there is one.
    pub fn source_and_invocation(&self) -> (ErrorSource, Option<InvocationId>) {
        match self {
            IngressError::WorkflowAlreadyInvoked(id) | IngressError::AttachNotFound(id) => {
                (ErrorSource::Invocation, Some(*id))
            }
            _ => (ErrorSource::Ingress, None),
        }
    }
}

impl From<BodyError> for IngressError {
    fn from(error: BodyError) -> IngressError {
        match error {
            BodyError::Broken(error) => IngressError::BodyBroken(error.to_string()),
            BodyError::Stalled(pause_ms) => IngressError::BodyStalled(pause_ms),
            BodyError::TooMany => IngressError::BodiesTooMany,
        }
    }
}

/// Bodies that are there from the start.
impl From<Infallible> for IngressError {
    fn from(never: Infallible) -> IngressError {
        match never {}
    }
}

impl From<Refused> for IngressError {
    fn from(refused: Refused) -> IngressError {
        IngressError::Unavailable(refused.to_string())
    }
}

fn body_name(query: Query) -> &'static str {
    match query {
        Query::Attach | Query::Output => "request",
        Query::Lookup => "lookup",
    }
}
