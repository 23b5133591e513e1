//! Paths: which request means what.
//!
//! - Owns: the route table ([`route`]) and how a call or send path is read once the kind of the
//!   service is known ([`resolve`]).
//! - Does not own: headers, queries and bodies ([`super::invoke`], [`super::query`],
//!   [`super::wait`]).
//! - Invariant: the method is checked before the shape of the path, and both before any name.

use http::Method;
use reveille_engine::command::Target;
use reveille_engine::effect::Verb;
use reveille_engine::schema::{HandlerSchema, Schema, ServiceSchema};
use reveille_protocol::id::InvocationId;

use super::decode::{decode_key, decode_scope};
use super::error::IngressError;
use crate::metrics::RequestKind;

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// A browser asks what it may do.
    Preflight,
    /// Readiness and the list of services.
    Health,
    /// A call or a send.
    Invoke(InvokePath<'p>),
    /// A question about an invocation that the path names.
    Query(Query, QueryTarget),
    /// A question about an invocation that the body names.
    QueryByBody(Query),
    /// An answer to an awakeable.
    Complete {
        /// How it is answered.
        verb: Verb,
        /// The awakeable id as sent.
        id: &'p str,
        /// Which path it came on.
        face: WaitFace,
    },
    /// The state of an awakeable; the field is its id as sent.
    DescribeWait(&'p str),
}

impl Route<'_> {
    /// What a request on this route counts as.
    pub fn kind(&self) -> RequestKind {
        match self {
            Route::Preflight => RequestKind::Preflight,
            Route::Health => RequestKind::Health,
            Route::Invoke(path) if path.is_send() => RequestKind::Send,
            Route::Invoke(_) => RequestKind::Call,
            Route::Query(query, _) | Route::QueryByBody(query) => match query {
                Query::Attach => RequestKind::Attach,
                Query::Output => RequestKind::Output,
                Query::Lookup => RequestKind::Lookup,
            },
            Route::Complete { .. } => RequestKind::Complete,
            Route::DescribeWait(_) => RequestKind::Describe,
        }
    }
}

/// What is asked about an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// Wait for the result.
    Attach,
    /// Read the result without waiting.
    Output,
    /// Compute the id.
    Lookup,
}

/// Which invocation a question is about.
#[derive(Debug, PartialEq, Eq)]
pub enum QueryTarget {
    /// By its id.
    Invocation(InvocationId),
    /// The run of a workflow.
    Workflow {
        /// Its scope.
        scope: Option<String>,
        /// Workflow name.
        name: String,
        /// Workflow key.
        key: String,
    },
    /// By an explicit idempotency key.
    Idempotent {
        /// What was invoked.
        target: Target,
        /// The key it was invoked with.
        idempotency_key: String,
    },
}

/// Two faces of the wait paths: the statuses and the accepted bodies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFace {
    /// `/reveille/waits`: the status tells the outcome.
    Native,
    /// `/restate/awakeables`: 202 whenever the wait exists, unless the caller prefers strict.
    Compatible,
}

/// A call or send path before it is known which segment is the key.
#[derive(Debug, PartialEq, Eq)]
pub struct InvokePath<'p> {
    /// Scope as it stands in the path.
    pub scope: Option<&'p str>,
    /// How the path says whether to wait.
    pub style: Style,
    /// First segment.
    pub service: &'p str,
    /// The segments behind the service.
    pub tail: Tail<'p>,
}

impl InvokePath<'_> {
    /// Whether the path looks like a send: a handler that is called `send` on the old path does, too.
    fn is_send(&self) -> bool {
        match (self.style, self.tail) {
            (Style::Send, _) | (Style::Old, Tail::Two(_, "send") | Tail::Three(..)) => true,
            (Style::Call | Style::Old, _) => false,
        }
    }
}

/// How a path says whether to wait for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `/restate/call/...`
    Call,
    /// `/restate/send/...`
    Send,
    /// `/{service}/...`, a send when it ends in `/send`.
    Old,
}

/// The segments behind the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail<'p> {
    /// A handler.
    One(&'p str),
    /// Key and handler, or handler and `send`.
    Two(&'p str, &'p str),
    /// Key, handler and `send`.
    Three(&'p str, &'p str, &'p str),
}

/// Parses method and path, percent-encoded as they came.
pub fn route<'p>(method: &Method, path: &'p str) -> Result<Route<'p>, IngressError> {
    use IngressError as E;
    if method == Method::OPTIONS {
        return Ok(Route::Preflight);
    }
    let mut buffer = [""; SEGMENTS_MAX];
    let (methods, route) = match split(path, &mut buffer) {
        ["restate"] | [_] | [] => (Methods::GetPost, Err(too_short(path))),
        ["restate", "health"] => (Methods::Get, Ok(Route::Health)),
        ["restate", "call", tail @ ..] => (Methods::GetPost, new_style(Style::Call, tail)),
        ["restate", "send", tail @ ..] => (Methods::GetPost, new_style(Style::Send, tail)),
        ["restate", "scope", scope, "call", tail @ ..] => {
            (Methods::GetPost, scoped(scope, Style::Call, tail))
        }
        ["restate", "scope", scope, "send", tail @ ..] => {
            (Methods::GetPost, scoped(scope, Style::Send, tail))
        }
        ["restate", "attach"] => (Methods::Post, Ok(Route::QueryByBody(Query::Attach))),
        ["restate", "attach", id] => (Methods::Get, by_id(Query::Attach, id)),
        ["restate", "output"] => (Methods::Post, Ok(Route::QueryByBody(Query::Output))),
        ["restate", "output", id] => (Methods::Get, by_id(Query::Output, id)),
        ["restate", "lookup"] => (Methods::Post, Ok(Route::QueryByBody(Query::Lookup))),
        ["restate", "scope" | "attach" | "output" | "lookup", ..] => {
            (Methods::GetPost, Err(E::PathNewStyle))
        }
        // What follows the verb is ignored, as some proxies append a slash or a segment.
        ["restate", "awakeables" | "a", id, verb, ..] => {
            (Methods::Post, complete(id, verb, WaitFace::Compatible))
        }
        ["restate", "awakeables" | "a", ..] => (Methods::Post, Err(E::PathAwakeable)),
        ["restate", "workflow", name, key, verb, ..] => (Methods::Get, workflow(name, key, verb)),
        ["restate", "workflow", ..] => (Methods::Get, Err(E::PathWorkflow)),
        ["restate", "invocation", target @ .., verb] => (Methods::Get, older(target, verb)),
        ["restate", "invocation"] => (Methods::Get, Err(E::PathInvocation)),
        ["reveille", "waits", id] => (Methods::Get, Ok(Route::DescribeWait(id))),
        ["reveille", "waits", id, verb, ..] => {
            (Methods::Post, complete(id, verb, WaitFace::Native))
        }
        ["reveille", "waits"] => (Methods::GetPost, Err(E::PathWait)),
        ["restate" | "reveille", ..] => (Methods::Any, Err(E::PathNotFound)),
        [service, tail @ ..] => (Methods::GetPost, old_style(service, tail)),
    };
    if methods.allow(method) { route } else { Err(E::MethodNotAllowed) }
}

/// A call or send whose service and handler exist and may be invoked from outside.
#[derive(Debug)]
pub struct Resolved<'s> {
    /// The service.
    pub service: &'s ServiceSchema,
    /// The handler.
    pub handler: &'s HandlerSchema,
    /// The decoded scope, if there is one.
    pub scope: Option<String>,
    /// The decoded key of objects and workflows.
    pub key: Option<String>,
    /// True when the caller waits for the result.
    pub wait: bool,
}

/// Finds service and handler of a call or send; the kind of the service decides on the key.
pub fn resolve<'s>(
    schema: &'s Schema,
    path: &InvokePath<'_>,
) -> Result<Resolved<'s>, IngressError> {
    let service = find_service(schema, path.service)?;
    let (key, handler, wait) = match (path.style, service.kind.keyed(), path.tail) {
        (Style::Call, false, Tail::One(handler)) => (None, handler, true),
        (Style::Call, true, Tail::Two(key, handler)) => (Some(key), handler, true),
        (Style::Send, false, Tail::One(handler)) => (None, handler, false),
        (Style::Send, true, Tail::Two(key, handler)) => (Some(key), handler, false),
        (Style::Call | Style::Send, _, _) => return Err(IngressError::PathNewStyle),
        (Style::Old, false, Tail::One(handler)) => (None, handler, true),
        (Style::Old, false, Tail::Two(handler, "send")) => (None, handler, false),
        (Style::Old, true, Tail::Two(key, handler)) => (Some(key), handler, true),
        (Style::Old, true, Tail::Three(key, handler, "send")) => (Some(key), handler, false),
        (Style::Old, _, _) => return Err(IngressError::PathOldStyle),
    };
    let key = key.map(decode_key).transpose()?;
    let handler = service.handlers.get(handler).ok_or_else(|| IngressError::HandlerNotFound {
        service: path.service.to_owned(),
        handler: handler.to_owned(),
    })?;
    if !handler.options.public {
        return Err(IngressError::NotPublic);
    }
    let scope = path.scope.map(decode_scope).transpose()?;
    Ok(Resolved { service, handler, scope, key, wait })
}

/// Finds a service by its name as it stands in the path; names are never decoded.
pub fn find_service<'s>(schema: &'s Schema, name: &str) -> Result<&'s ServiceSchema, IngressError> {
    schema.services.get(name).ok_or_else(|| IngressError::ServiceNotFound(name.to_owned()))
}

/// One more than the longest path with a fixed shape has.
const SEGMENTS_MAX: usize = 8;

/// Splits a path: slashes at its start and end do not count, empty segments inside do.
///
/// Segments beyond the buffer are left out: no fixed shape is that long, and the open ones ignore
/// what is at their end.
fn split<'b, 'p>(path: &'p str, buffer: &'b mut [&'p str; SEGMENTS_MAX]) -> &'b [&'p str] {
    let path = path.trim_matches('/');
    let mut len = 0;
    for (slot, segment) in buffer.iter_mut().zip(path.split('/')) {
        *slot = segment;
        len += 1;
    }
    &buffer[..len]
}

#[derive(Clone, Copy)]
enum Methods {
    Get,
    Post,
    GetPost,
    Any,
}

impl Methods {
    fn allow(self, method: &Method) -> bool {
        match self {
            Methods::Get => method == Method::GET,
            Methods::Post => method == Method::POST,
            Methods::GetPost => method == Method::GET || method == Method::POST,
            Methods::Any => true,
        }
    }
}

fn too_short(path: &str) -> IngressError {
    let trimmed = path.trim_end_matches('/');
    IngressError::PathTooShort(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
}

fn new_style<'p>(style: Style, segments: &[&'p str]) -> Result<Route<'p>, IngressError> {
    let (service, tail) = match *segments {
        [service, handler] => (service, Tail::One(handler)),
        [service, key, handler] => (service, Tail::Two(key, handler)),
        _ => return Err(IngressError::PathNewStyle),
    };
    Ok(Route::Invoke(InvokePath { scope: None, style, service, tail }))
}

fn scoped<'p>(
    scope: &'p str,
    style: Style,
    segments: &[&'p str],
) -> Result<Route<'p>, IngressError> {
    Ok(match new_style(style, segments)? {
        Route::Invoke(path) => Route::Invoke(InvokePath { scope: Some(scope), ..path }),
        route => route,
    })
}

fn old_style<'p>(service: &'p str, tail: &[&'p str]) -> Result<Route<'p>, IngressError> {
    let tail = match *tail {
        [one] => Tail::One(one),
        [one, two] => Tail::Two(one, two),
        [one, two, three] => Tail::Three(one, two, three),
        _ => return Err(IngressError::PathOldStyle),
    };
    Ok(Route::Invoke(InvokePath { scope: None, style: Style::Old, service, tail }))
}

fn by_id<'p>(query: Query, id: &str) -> Result<Route<'p>, IngressError> {
    Ok(Route::Query(query, QueryTarget::Invocation(parse_invocation_id(id)?)))
}

/// Parses an invocation id from a path or a body.
pub fn parse_invocation_id(id: &str) -> Result<InvocationId, IngressError> {
    id.parse().map_err(|reason| IngressError::InvocationId { id: id.to_owned(), reason })
}

fn complete<'p>(id: &'p str, verb: &str, face: WaitFace) -> Result<Route<'p>, IngressError> {
    let verb = match verb {
        "resolve" => Verb::Resolve,
        "reject" => Verb::Reject,
        _ => return Err(IngressError::PathNotFound),
    };
    Ok(Route::Complete { verb, id, face })
}

fn older_verb(verb: &str) -> Option<Query> {
    match verb {
        "attach" => Some(Query::Attach),
        "output" => Some(Query::Output),
        _ => None,
    }
}

fn workflow<'p>(name: &str, key: &str, verb: &str) -> Result<Route<'p>, IngressError> {
    let query = older_verb(verb).ok_or(IngressError::PathNotFound)?;
    let key = decode_key(key)?;
    Ok(Route::Query(query, QueryTarget::Workflow { scope: None, name: name.to_owned(), key }))
}

/// Reads the older invocation paths; the idempotency key in them is never decoded.
fn older<'p>(target: &[&str], verb: &str) -> Result<Route<'p>, IngressError> {
    // With one segment before it, this can only be a verb; else it may be a key without a verb.
    let unknown =
        if target.len() == 1 { IngressError::PathNotFound } else { IngressError::PathInvocation };
    let query = older_verb(verb).ok_or(unknown)?;
    let (service, key, handler, idempotency_key) = match *target {
        [id] => return by_id(query, id),
        [service, handler, idempotency_key] => (service, None, handler, idempotency_key),
        [object, key, handler, idempotency_key] => {
            (object, Some(decode_key(key)?), handler, idempotency_key)
        }
        _ => return Err(IngressError::PathInvocation),
    };
    let (service, handler) = (service.to_owned(), handler.to_owned());
    let target = Target { scope: None, service, key, handler };
    let idempotency_key = idempotency_key.to_owned();
    Ok(Route::Query(query, QueryTarget::Idempotent { target, idempotency_key }))
}
