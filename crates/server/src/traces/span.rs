//! Spans: what is told of a request, an invocation and an attempt.
//!
//! - Owns: their names and attributes.
//! - Invariant: a span has ids, names of services and handlers, codes and times; never a key, a header,
//!   a payload or the text of a failure.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reveille_engine::command::{AttemptId, Millis};
use reveille_engine::trace::{TraceContext, Traced, attempt_span, invocation_span};
use reveille_protocol::id::{DeploymentId, InvocationId};

/// What a span is in the eyes of OpenTelemetry, with its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Something inside.
    Internal = 1,
    /// A request that is answered here.
    Server = 2,
    /// A request that is sent from here.
    Client = 3,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

/// Name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute(pub &'static str, pub Value);

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Trace id, 16 bytes.
    pub trace_id: Bytes,
    /// Its id.
    pub id: u64,
    /// Id of its parent; 0 for the root of a trace.
    pub parent: u64,
    /// W3C `tracestate`.
    pub state: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: SpanKind,
    /// When it began, in nanoseconds since the epoch.
    pub started_at_ns: u64,
    /// When it ended, in nanoseconds since the epoch.
    pub ended_at_ns: u64,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// True when it failed.
    pub failed: bool,
}

/// What an attempt came to, as told in its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended the invocation.
    Completed,
    /// It parked the invocation.
    Suspended,
    /// It failed, with this documentation code.
    Failed(&'static str),
    /// It was cut off by an operator, or because it was not wanted any more.
    Aborted,
    /// The server stopped, or its disk was full, while it was open.
    Lost,
}

/// An attempt whose trace is recorded.
#[derive(Clone, Debug)]
pub struct AttemptTrace {
    /// The context of the invocation.
    pub context: TraceContext,
    /// The invocation.
    pub id: InvocationId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Where it went.
    pub deployment: Option<DeploymentId>,
    /// Its service.
    pub service: String,
    /// Its handler.
    pub handler: String,
    /// When it began, in nanoseconds since the epoch.
    pub started_at_ns: u64,
}

impl AttemptTrace {
    /// The span of the attempt, which ends now.
    pub fn end(self, outcome: Outcome) -> Span {
        let mut attributes = vec![
            invocation(self.id),
            Attribute("reveille.attempt", Value::Number(self.attempt.number.into())),
        ];
        if let Some(deployment) = self.deployment {
            let deployment = Value::Text(deployment.to_string());
            attributes.push(Attribute("reveille.deployment.id", deployment));
        }
        let (word, code) = match outcome {
            Outcome::Completed => ("completed", None),
            Outcome::Suspended => ("suspended", None),
            Outcome::Failed(code) => ("failed", Some(code)),
            Outcome::Aborted => ("aborted", None),
            Outcome::Lost => ("lost", None),
        };
        attributes.push(Attribute("reveille.outcome", Value::Text(word.to_owned())));
        if let Some(code) = code {
            attributes.push(Attribute("error.type", Value::Text(code.to_owned())));
        }
        Span {
            trace_id: self.context.trace_id,
            id: attempt_span(self.id, self.attempt),
            parent: invocation_span(self.id, self.attempt.created_at),
            state: self.context.state,
            name: format!("attempt {}/{}", self.service, self.handler),
            kind: SpanKind::Client,
            started_at_ns: self.started_at_ns,
            ended_at_ns: now_ns(),
            attributes,
            failed: matches!(outcome, Outcome::Failed(_) | Outcome::Lost),
        }
    }
}

/// The span of an invocation that ended; `failure` is the code of its failure.
pub fn of_invocation(
    id: InvocationId,
    traced: Traced,
    (service, handler): (&str, &str),
    failure: Option<u32>,
) -> Span {
    let mut attributes = vec![
        invocation(id),
        Attribute("reveille.service", Value::Text(service.to_owned())),
        Attribute("reveille.handler", Value::Text(handler.to_owned())),
    ];
    if let Some(code) = failure {
        attributes.push(Attribute("error.type", Value::Text(code.to_string())));
    }
    Span {
        trace_id: traced.context.trace_id,
        id: invocation_span(id, traced.created_at),
        parent: traced.context.parent,
        state: traced.context.state,
        name: format!("invoke {service}/{handler}"),
        kind: SpanKind::Internal,
        started_at_ns: nanoseconds(traced.created_at),
        ended_at_ns: nanoseconds(traced.completed_at),
        attributes,
        failed: failure.is_some(),
    }
}

/// The attribute that names an invocation.
pub fn invocation(id: InvocationId) -> Attribute {
    Attribute("reveille.invocation.id", Value::Text(id.to_string()))
}

/// Milliseconds as nanoseconds.
pub fn nanoseconds(time: Millis) -> u64 {
    time.saturating_mul(1_000_000)
}

/// The time now, in nanoseconds since the epoch.
pub fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
