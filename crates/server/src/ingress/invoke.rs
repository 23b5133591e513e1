//! Calls and sends.
//!
//! - Owns: the order of checks after routing, and how an invocation gets its id.
//! - Does not own: what happens to the invocation (engine).
//! - Invariant: the caller may leave at any time; what was sent to the partition stays sent.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use reveille_engine::command::{Command, Invoke, Millis, Source, Target};
use reveille_engine::effect::Reply;
use reveille_engine::identity;
use reveille_engine::schema::{HandlerKind, Schema};
use reveille_protocol::id::InvocationId;

use super::body::{Chunks, IDEMPOTENCY_KEY, encode_input};
use super::decode::{check_key_len, query_parameter};
use super::error::IngressError;
use super::response::{self, Answer};
use super::route::{self, InvokePath, Resolved};
use super::{Ingress, random, validate};
use crate::text::{duration, time};

/// Carries out a call or a send.
pub async fn invoke<B>(
    ingress: &Ingress,
    path: &InvokePath<'_>,
    parts: &Parts,
    body: B,
) -> Result<Answer, IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let (invoke, wait) = prepare(ingress, path, parts, body).await?;
    let (id, start_at) = (invoke.id, invoke.start_at);
    let reply = ingress
        .partitions
        .ask(id, move |request| Command::Invoke { request, invoke: Box::new(invoke), wait })
        .await?;
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
) -> Result<(Invoke, bool), IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let schema = ingress.schema.borrow().clone();
    let Resolved { service, handler, key, wait } = route::resolve(&schema, path)?;
    let now = time::now();
    let start_at = start_at(parts, wait, now)?;
    refuse_limit_key(parts)?;
    let idempotency_key = idempotency_key(&parts.headers)?;
    if idempotency_key.is_some() && handler.kind == HandlerKind::Workflow {
        return Err(IngressError::IdempotencyKeyOnWorkflow);
    }
    // A GET seldom has a body; one that is there was meant, and is not dropped.
    let body = Chunks::read(body, ingress.request_size_limit).await?;
    validate::validate(&handler.input, parts.headers.get(CONTENT_TYPE), body.len())?;
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let input = encode_input(path_and_query, &parts.headers, &body);
    let target = Target { service: service.name.clone(), key, handler: handler.name.clone() };
    let (id, fresh) = id_of(&target, handler.kind, idempotency_key.as_deref(), now);
    let source = Source::Ingress;
    let caller = None;
    let invoke = Invoke { id, fresh, target, input, idempotency_key, start_at, caller, source };
    Ok((invoke, wait))
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
            (identity::workflow_run_id(&target.service, key), false)
        }
        (_, _, Some(idempotency_key)) => (identity::idempotent_id(target, idempotency_key), false),
        (_, key, None) => {
            let (placement, random) = random::placement_and_random();
            (identity::fresh_id(key, placement, now, random), true)
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

/// Limit keys belong to scopes, which we do not have: ignoring one would run what should wait.
fn refuse_limit_key(parts: &Parts) -> Result<(), IngressError> {
    let asked = parts.headers.contains_key("x-restate-limit-key")
        || query_parameter(parts.uri.query(), "limit-key").is_some();
    if asked { Err(IngressError::LimitKeyWithoutScope) } else { Ok(()) }
}
