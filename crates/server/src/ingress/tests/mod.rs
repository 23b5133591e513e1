//! Tests of the ingress: tables for the pure parts, a scripted partition for the rest.
//!
//! Start with [`exchange`]: one request against one scripted reply, printed as text.

mod access;
mod input;
mod intake;
mod invoke;
mod query;
mod response;
mod route;
mod serve;
mod validate;
mod wait;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use prost::Message;
use reveille_engine::command::{Command, RequestId};
use reveille_engine::effect::{Completed, Reply};
use reveille_engine::schema::{
    HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts, OutputRule, RetryPolicy,
    Schema, ServiceKind, ServiceSchema,
};
use reveille_protocol::id::{DeploymentId, InvocationId};
use reveille_protocol::message::InputCommand;
use tokio::sync::{mpsc, watch};

use super::response::Answer;
use super::{Ingress, IngressAccess, Intake};
use crate::partition::Partitions;
use crate::partition::handle::{Mail, Refused};

/// Largest body in these tests.
const LIMIT: usize = 128;

/// The id in scripted replies.
fn some_id() -> InvocationId {
    InvocationId::from_parts(7, 42)
}

/// Sends one request to an ingress whose partition answers everything with `reply`; returns the
/// commands and the response as text.
async fn exchange(request: Request<Full<Bytes>>, reply: Result<Reply, Refused>) -> String {
    let commands = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&commands);
    let ingress = ingress(move |command| {
        writeln!(seen.lock().unwrap(), "> {}", show_command(&command)).unwrap();
        reply.clone()
    });
    let answer = ingress.handle(request).await;
    let mut text = std::mem::take(&mut *commands.lock().unwrap());
    text.push_str(&show_answer(answer).await);
    text
}

/// An ingress over one partition that answers as `script` says.
fn ingress(mut script: impl FnMut(Command) -> Result<Reply, Refused> + Send + 'static) -> Ingress {
    let (mailbox, mut mails) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(mail) = mails.recv().await {
            if let Mail::Ask(command, reply) = mail {
                // A caller that has left does not want its reply.
                let _left = reply.send(script(command(RequestId(0))));
            }
        }
    });
    let (_keep, schema) = watch::channel(Arc::new(schema()));
    Ingress {
        partitions: Partitions::new(vec![mailbox]),
        schema,
        request_size_limit: LIMIT,
        intake: Intake::new(8),
        access: IngressAccess::default(),
    }
}

fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    request(Method::POST, path, headers, body)
}

fn get(path: &str) -> Request<Full<Bytes>> {
    request(Method::GET, path, &[], "")
}

/// A reply with the result of `S/h`.
fn result_reply(completed: Completed, expires_at: Option<u64>) -> Reply {
    let (service, handler) = ("S".to_owned(), "h".to_owned());
    Reply::Result { id: some_id(), completed, expires_at, service, handler }
}

fn show_command(command: &Command) -> String {
    match command {
        Command::Invoke { invoke, wait, .. } => format!(
            "Invoke {}/{} key={:?} wait={wait} idempotency_key={:?} delayed={} body={:?}",
            invoke.target.service,
            invoke.target.handler,
            invoke.target.key,
            invoke.idempotency_key,
            invoke.start_at.is_some(),
            InputCommand::decode(invoke.input.clone()).unwrap().value.unwrap().content,
        ),
        Command::Attach { id, .. } => format!("Attach {id}"),
        Command::Output { id, .. } => format!("Output {id}"),
        Command::CompleteWait { wait, completion, idempotency_key, .. } => {
            format!("CompleteWait {wait:?} {completion:?} {idempotency_key:?}")
        }
        Command::DescribeWait { wait, .. } => format!("DescribeWait {wait:?}"),
        other => panic!("the ingress never sends {other:?}"),
    }
}

/// Prints status, headers in order of name and body; what CORS adds to every response is checked
/// and left out.
async fn show_answer(mut answer: Answer) -> String {
    assert_eq!(
        answer.headers_mut().remove("vary").unwrap(),
        "origin, access-control-request-method, access-control-request-headers",
    );
    assert_eq!(answer.headers_mut().remove("access-control-allow-credentials").unwrap(), "true");
    let (parts, body) = answer.into_parts();
    let mut text = format!("{}\n", parts.status.as_u16());
    let headers: BTreeMap<_, _> = parts.headers.iter().map(|(k, v)| (k.as_str(), v)).collect();
    for (name, value) in headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = body.collect().await.unwrap().to_bytes();
    text + std::str::from_utf8(&body).unwrap()
}

/// `S/h` and `S/private`, object `O` with `h` and `send`, workflow `W` with `run` and `shared`.
fn schema() -> Schema {
    let services = [
        service(
            "S",
            ServiceKind::Service,
            &[("h", HandlerKind::Plain), ("private", HandlerKind::Plain)],
        ),
        service(
            "O",
            ServiceKind::VirtualObject,
            &[("h", HandlerKind::Exclusive), ("send", HandlerKind::Shared)],
        ),
        service(
            "W",
            ServiceKind::Workflow,
            &[("run", HandlerKind::Workflow), ("shared", HandlerKind::Shared)],
        ),
    ];
    let services = services.into_iter().map(|service| (service.name.clone(), service)).collect();
    Schema { services, ..Schema::default() }
}

fn service(name: &str, kind: ServiceKind, handlers: &[(&str, HandlerKind)]) -> ServiceSchema {
    let handlers = handlers.iter().map(|(name, kind)| ((*name).to_owned(), handler(name, *kind)));
    let (name, deployment) = (name.to_owned(), DeploymentId(1));
    ServiceSchema { name, kind, deployment, revision: 1, handlers: handlers.collect() }
}

fn handler(name: &str, kind: HandlerKind) -> HandlerSchema {
    let retry = RetryPolicy {
        initial_interval_ms: 1,
        factor: 1.0,
        max_interval_ms: 1,
        max_attempts: None,
        on_max_attempts: OnMaxAttempts::Pause,
    };
    let options = HandlerOptions {
        inactivity_timeout_ms: 1,
        abort_timeout_ms: 1,
        journal_retention_ms: 1,
        idempotency_retention_ms: 1,
        workflow_retention_ms: 1,
        lazy_state: false,
        public: name != "private",
        retry,
    };
    let content_type = Some("application/json".to_owned());
    HandlerSchema {
        name: name.to_owned(),
        kind,
        options,
        input: InputRule { content_type: content_type.clone(), required: false },
        output: OutputRule { content_type, set_content_type_if_empty: false },
    }
}
