//! Attach, output and lookup: questions about invocations that exist, or may.
//!
//! - Owns: the JSON that names a target, and the answers to "not there" and "not yet".
//! - Invariant: a question never creates anything.

use bytes::Bytes;
use http_body::Body;
use reveille_engine::command::{Command, Target};
use reveille_engine::effect::Reply;
use reveille_engine::identity;
use reveille_engine::level::check_name;
use reveille_protocol::id::InvocationId;
use serde::Deserialize;

use super::Ingress;
use super::body::Chunks;
use super::error::IngressError;
use super::invoke;
use super::response::{self, Answer};
use super::route::{self, Query, QueryTarget};
use crate::limits::TARGET_BODY_BYTES;

/// Answers a question whose target stands in the path.
pub async fn by_path(
    ingress: &Ingress,
    query: Query,
    target: QueryTarget,
) -> Result<Answer, IngressError> {
    if let QueryTarget::Idempotent { target, .. } = &target {
        let schema = ingress.schema.borrow();
        let service = route::find_service(&schema, &target.service)?;
        if service.kind.keyed() != target.key.is_some() {
            return Err(IngressError::PathInvocation);
        }
    }
    answer(ingress, query, id_of(&target)).await
}

/// Answers a question whose target stands in the body. Whether the service exists is not checked.
pub async fn by_body<B>(ingress: &Ingress, query: Query, body: B) -> Result<Answer, IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let limit = ingress.request_size_limit.min(TARGET_BODY_BYTES);
    let body = Chunks::read(body, limit).await?.into_bytes();
    let target = parse_target(query, &body)?;
    answer(ingress, query, id_of(&target)).await
}

async fn answer(ingress: &Ingress, query: Query, id: InvocationId) -> Result<Answer, IngressError> {
    let reply = match query {
        Query::Lookup => return Ok(response::looked_up(id)),
        Query::Attach => {
            ingress.partitions.ask(id, move |request| Command::Attach { request, id }).await?
        }
        Query::Output => {
            ingress.partitions.ask(id, move |request| Command::Output { request, id }).await?
        }
    };
    match (query, reply) {
        (Query::Attach, Reply::NotFound(id)) => Err(IngressError::AttachNotFound(id)),
        (_, Reply::NotFound(_)) => Err(IngressError::InvocationNotFound),
        (_, Reply::NotReady(_)) => Err(IngressError::NotReady),
        (_, reply) => invoke::result(&ingress.schema.borrow(), reply),
    }
}

fn id_of(target: &QueryTarget) -> InvocationId {
    match target {
        QueryTarget::Invocation(id) => *id,
        QueryTarget::Workflow { scope, name, key } => {
            identity::workflow_run_id(scope.as_deref(), name, key)
        }
        QueryTarget::Idempotent { target, idempotency_key } => {
            identity::idempotent_id(target, idempotency_key)
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "target", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum TargetBody {
    Workflow {
        workflow_name: String,
        workflow_key: String,
        scope: Option<String>,
    },
    IdempotentInvocation {
        service: String,
        key: Option<String>,
        handler: String,
        idempotency_key: String,
        scope: Option<String>,
    },
    Invocation {
        invocation_id: String,
    },
}

/// Parses the JSON that names a target. Unknown members are ignored.
pub fn parse_target(query: Query, body: &[u8]) -> Result<QueryTarget, IngressError> {
    let body: TargetBody = serde_json::from_slice(body)
        .map_err(|error| IngressError::TargetBody { query, detail: error.to_string() })?;
    match body {
        TargetBody::Workflow { workflow_name: name, workflow_key: key, scope } => {
            check_scope(scope.as_deref())?;
            Ok(QueryTarget::Workflow { scope, name, key })
        }
        TargetBody::IdempotentInvocation { service, key, handler, idempotency_key, scope } => {
            check_scope(scope.as_deref())?;
            let target = Target { scope, service, key, handler };
            Ok(QueryTarget::Idempotent { target, idempotency_key })
        }
        TargetBody::Invocation { invocation_id } => {
            Ok(QueryTarget::Invocation(route::parse_invocation_id(&invocation_id)?))
        }
    }
}

fn check_scope(scope: Option<&str>) -> Result<(), IngressError> {
    scope.map_or(Ok(()), check_name).map_err(IngressError::Scope)
}
