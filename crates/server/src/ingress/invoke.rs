//! Calls and sends.
//!
//! - Owns: the order of checks after routing, and how an invocation gets its id.
//! - Does not own: what happens to the invocation (engine).
//! - Invariant: the caller may leave at any time; what was sent to the partition stays sent.

use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use reveille_engine::command::{Command, Invoke, Millis, Source, Target};
use reveille_engine::effect::Reply;
use reveille_engine::identity;
use reveille_engine::level::parse_limit_key;
use reveille_engine::schema::{HandlerKind, Schema};
use reveille_protocol::id::InvocationId;

use super::body::{Chunks, IDEMPOTENCY_KEY, encode_input};
use super::decode::{check_key_len, query_parameter};
use super::error::IngressError;
use super::response::{self, Answer};
use super::route::{self, InvokePath, Resolved};
use super::seen::Seen;
use super::{Ingress, random, validate};
use crate::text::{duration, time};

/// Header with the limit key.
const LIMIT_KEY: &str = "x-restate-limit-key";

/// Carries out a call or a send.
pub async fn invoke<B>(
    ingress: &Ingress,
    path: &InvokePath<'_>,
    parts: &Parts,
    body: B,
    seen: &mut Seen,
) -> Result<Answer, IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let (invoke, wait) = prepare(ingress, path, parts, body, seen).await?;
    // Only now: whoever is slow to send a body takes no place.
    let place = ingress.intake.enter()?;
    let (id, start_at) = (invoke.id, invoke.start_at);
    let command = move |request| Command::Invoke { request, invoke, wait };
    let asked = pin!(ingress.partitions.ask(id, command));
    let reply = place.during(asked).await?;
    match reply {
        Reply::Accepted { id, fresh, execution_time } => {
            // The delay of a request that joins an invocation does not count.
            let execution_time = execution_time.or(start_at.filter(|_| fresh));
            Ok(response::accepted(id, fresh, execution_time))
        }
        Reply::WorkflowAlreadyInvoked(id) => Err(IngressError::WorkflowAlreadyInvoked(id)),
        // The schema of now, not of the request: a call may wait for months.
        reply => result(&ingress.schema.borrow(), reply),
    }
}

/// Checks the request and turns it into an invocation; true when the caller waits for the result.
async fn prepare<B>(
    ingress: &Ingress,
    path: &InvokePath<'_>,
    parts: &Parts,
    body: B,
    seen: &mut Seen,
) -> Result<(Box<Invoke>, bool), IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let schema = ingress.schema.borrow().clone();
    let Resolved { service, handler, scope, key, wait } = route::resolve(&schema, path)?;
    let now = time::now();
    let start_at = start_at(parts, wait, now)?;
    let limit_key = limit_key(parts, scope.as_deref())?;
    let idempotency_key = idempotency_key(&parts.headers)?;
    if idempotency_key.is_some() && handler.kind == HandlerKind::Workflow {
        return Err(IngressError::IdempotencyKeyOnWorkflow);
    }
    // A GET seldom has a body; one that is there was meant, and is not dropped.
    let body = Chunks::read(body, ingress.request_size_limit).await?;
    validate::validate(&handler.input, parts.headers.get(CONTENT_TYPE), body.len())?;
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let input = encode_input(path_and_query, &parts.headers, &body);
    let (service, kind, handler) = (service.name.clone(), handler.kind, handler.name.clone());
    let target = Target { scope, service, key, handler };
    let (id, fresh) = id_of(&target, kind, idempotency_key.as_deref(), now);
    let invoke = Invoke {
        id,
        fresh,
        target,
        input,
        idempotency_key,
        limit_key,
        start_at,
        caller: None,
        source: Source::Ingress,
        trace: seen.begins(id, &parts.headers),
    };
    Ok((Box::new(invoke), wait))
}

/// Builds the answer from a reply that carries a result, or from one that refuses any command.
pub fn result(schema: &Schema, reply: Reply) -> Result<Answer, IngressError> {
    match reply {
        Reply::Result { id, completed, expires_at, service, handler } => {
            let output = schema.handler(&service, &handler).map(|(_, handler)| &handler.output);
            Ok(response::completed(id, completed, expires_at, output))
        }
        Reply::Unavailable(text) => Err(IngressError::Unavailable(text)),
        _ => Err(IngressError::UnexpectedReply),
    }
}

/// Reads the idempotency key; an empty one counts as absent.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, IngressError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok("") => Ok(None),
        Ok(key) => {
            check_key_len("idempotency key", key)?;
            Ok(Some(key.to_owned()))
        }
        Err(_) => Err(IngressError::IdempotencyKey(format!("{value:?}"))),
    }
}

/// Derives the id where the target is idempotent, else makes a fresh one.
fn id_of(
    target: &Target,
    kind: HandlerKind,
    idempotency_key: Option<&str>,
    now: Millis,
) -> (InvocationId, bool) {
    match (kind, target.key.as_deref(), idempotency_key) {
        (HandlerKind::Workflow, Some(key), _) => {
            let scope = target.scope.as_deref();
            (identity::workflow_run_id(scope, &target.service, key), false)
        }
        (_, _, Some(idempotency_key)) => (identity::idempotent_id(target, idempotency_key), false),
        (_, _, None) => {
            let (placement, random) = random::placement_and_random();
            (identity::fresh_id(target.routing_text(), placement, now, random), true)
        }
    }
}

/// Reads the delay of a send; `0s` is a delay too, and its acceptance tells the time.
fn start_at(parts: &Parts, wait: bool, now: Millis) -> Result<Option<Millis>, IngressError> {
    match query_parameter(parts.uri.query(), "delay") {
        None => Ok(None),
        Some(_) if wait => Err(IngressError::DelayOnCall),
        Some(text) => Ok(Some(now.saturating_add(duration::parse(&text)?))),
    }
}

/// Reads the limit key: the header counts before the query, an empty one is absent.
fn limit_key(parts: &Parts, scope: Option<&str>) -> Result<Option<String>, IngressError> {
    let header =
        parts.headers.get(LIMIT_KEY).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let query = || query_parameter(parts.uri.query(), "limit-key");
    match header.or_else(query).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(_) if scope.is_none() => Err(IngressError::LimitKeyWithoutScope),
        Some(text) => parse_limit_key(&text).map(Some).map_err(IngressError::LimitKey),
    }
}
