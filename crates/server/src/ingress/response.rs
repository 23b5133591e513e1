//! Responses: JSON bodies, statuses and headers.
//!
//! - Owns: every response shape of the ingress, CORS included.
//! - Does not own: error texts ([`super::error`]).
//! - Invariant: members stand in the order that clients have seen for years: `code`, `message`,
//!   `metadata`, `stacktrace`, `source`; and a failure never looks like a success.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use reveille_engine::command::{Millis, Outcome};
use reveille_engine::effect::{Completed, Receipt, ReceiptOutcome, Verb};
use reveille_engine::schema::OutputRule;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Failure, FailureMetadata};
use serde::{Serialize, Serializer};

use super::error::{ErrorSource, IngressError, NO_SUCH_WAIT};
use super::route::WaitFace;
use crate::text::time;

/// Every response of the ingress: its body is there as a whole.
pub type Answer = Response<Full<Bytes>>;

const INVOCATION_ID: HeaderName = HeaderName::from_static("x-restate-id");
const ERROR_SOURCE: HeaderName = HeaderName::from_static("x-restate-error-source");
const IDEMPOTENCY_EXPIRES: HeaderName = HeaderName::from_static("idempotency-expires");

/// Builds the result of an invocation.
pub fn completed(
    id: InvocationId,
    completed: Completed,
    expires_at: Option<Millis>,
    output: Option<&OutputRule>,
) -> Answer {
    let mut answer = match completed.outcome {
        Outcome::Success(value) => success(value, output),
        Outcome::Failure(failure) => failed(&failure, completed.stacktrace.as_deref()),
    };
    put(&mut answer, INVOCATION_ID, &id.to_string());
    if let Some(expires_at) = expires_at {
        put(&mut answer, IDEMPOTENCY_EXPIRES, &time::milliseconds_offset(expires_at));
    }
    answer
}

/// Builds the acceptance of a send; `execution_time` is that of an invocation still scheduled.
pub fn accepted(id: InvocationId, fresh: bool, execution_time: Option<Millis>) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'b> {
        invocation_id: &'b str,
        #[serde(skip_serializing_if = "Option::is_none")]
        execution_time: Option<String>,
        status: &'b str,
    }
    let id = id.to_string();
    let mut answer = json(
        StatusCode::ACCEPTED,
        &Body {
            invocation_id: &id,
            execution_time: execution_time.map(time::nanoseconds_utc),
            status: if fresh { "Accepted" } else { "PreviouslyAccepted" },
        },
    );
    put(&mut answer, INVOCATION_ID, &id);
    answer
}

/// Builds the answer to a lookup.
pub fn looked_up(id: InvocationId) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        invocation_id: String,
    }
    json(StatusCode::OK, &Body { invocation_id: id.to_string() })
}

/// Builds the answer to a health check by someone who may not know more than that.
pub fn health_only() -> Answer {
    json(StatusCode::OK, &BTreeMap::<&str, &str>::new())
}

/// Builds the answer to a health check.
pub fn health<'s>(services: impl Iterator<Item = &'s String>) -> Answer {
    #[derive(Serialize)]
    struct Body<'s> {
        services: Vec<&'s String>,
    }
    json(StatusCode::OK, &Body { services: services.collect() })
}

/// Builds the receipt of a completion; `wait` is the id exactly as the caller sent it.
pub fn receipt(wait: &str, receipt: &Receipt, face: WaitFace, strict: bool) -> Answer {
    let verb = receipt.verb.filter(|_| receipt.outcome == ReceiptOutcome::Conflict);
    receipt_json(receipt_status(receipt.outcome, face, strict), wait, receipt, verb)
}

/// Builds the state of a wait; `wait` is the id exactly as the caller sent it.
pub fn wait_state(wait: &str, receipt: &Receipt) -> Answer {
    let status = receipt_status(receipt.outcome, WaitFace::Native, false);
    receipt_json(status, wait, receipt, receipt.verb)
}

/// Builds an answer from an error of the ingress itself.
pub fn refused(error: &IngressError) -> Answer {
    let status = error.status();
    if *error == IngressError::BodyTooLarge {
        let mut answer = Response::new(Full::from(error.to_string()));
        *answer.status_mut() = status;
        put(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
        return answer;
    }
    let (source, invocation) = error.source_and_invocation();
    let body = ErrorBody {
        code: u32::from(status.as_u16()),
        message: &error.to_string(),
        metadata: &[],
        stacktrace: None,
        source: source.as_str(),
    };
    let mut answer = error_json(status, &body);
    if let Some(id) = invocation {
        put(&mut answer, INVOCATION_ID, &id.to_string());
    }
    match error {
        IngressError::TokenMissing => put(&mut answer, WWW_AUTHENTICATE, "Bearer"),
        IngressError::TokenWrong => {
            put(&mut answer, WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
        }
        _ => {}
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        put(&mut answer, RETRY_AFTER, "1");
    }
    answer
}

/// Builds the answer to a pre-flight request; [`cors`] adds the rest.
pub fn preflight(request: &HeaderMap) -> Answer {
    let mut answer = Response::new(Full::default());
    let mirrored = [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
    ];
    for (asked, allowed) in mirrored {
        if let Some(value) = request.get(asked) {
            answer.headers_mut().insert(allowed, value.clone());
        }
    }
    answer
}

/// Adds what browsers want to see on every response; `origin` is that of the request.
pub fn cors(answer: &mut Answer, origin: Option<HeaderValue>) {
    let headers = answer.headers_mut();
    headers.insert(
        VARY,
        HeaderValue::from_static(
            "origin, access-control-request-method, access-control-request-headers",
        ),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-restate-id, x-restate-error-source, idempotency-expires"),
        );
    }
}

/// Reads the origin of a request.
pub fn origin(request: &HeaderMap) -> Option<HeaderValue> {
    request.get(ORIGIN).cloned()
}

#[derive(Serialize)]
struct ErrorBody<'b> {
    code: u32,
    message: &'b str,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "serialize_metadata")]
    metadata: &'b [FailureMetadata],
    #[serde(skip_serializing_if = "Option::is_none")]
    stacktrace: Option<&'b str>,
    source: &'b str,
}

fn serialize_metadata<S: Serializer>(
    metadata: &&[FailureMetadata],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metadata.iter().map(|entry| (&entry.key, &entry.value)))
}

fn success(value: Bytes, output: Option<&OutputRule>) -> Answer {
    let content_type = output
        .filter(|rule| !value.is_empty() || rule.set_content_type_if_empty)
        .and_then(|rule| rule.content_type.as_deref());
    let mut answer = Response::new(Full::new(value));
    if let Some(content_type) = content_type {
        put(&mut answer, CONTENT_TYPE, content_type);
    }
    answer
}

fn failed(failure: &Failure, stacktrace: Option<&str>) -> Answer {
    error_json(
        failure_status(failure.code),
        &ErrorBody {
            code: failure.code,
            message: &failure.message,
            metadata: &failure.metadata,
            stacktrace,
            source: ErrorSource::Invocation.as_str(),
        },
    )
}

/// Maps the code of a failure to a response status.
///
/// Informational codes cannot end a response, 304 cannot carry a body, and a client that looks at
/// nothing but the status must not take a failure with code 200 for a success: all become 500.
fn failure_status(code: u32) -> StatusCode {
    let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    status
        .filter(|status| status.as_u16() >= 300 && *status != StatusCode::NOT_MODIFIED)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn receipt_json(status: StatusCode, wait: &str, receipt: &Receipt, verb: Option<Verb>) -> Answer {
    #[derive(Serialize)]
    struct Body<'b> {
        outcome: &'b str,
        wait: &'b str,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        verb: Option<&'b str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<&'b str>,
    }
    let unknown = receipt.outcome == ReceiptOutcome::Unknown;
    json(
        status,
        &Body {
            outcome: outcome_name(receipt.outcome),
            wait,
            at: receipt.decided_at.map(time::milliseconds_utc),
            verb: verb.map(verb_name),
            message: unknown.then_some(NO_SUCH_WAIT),
        },
    )
}

fn receipt_status(outcome: ReceiptOutcome, face: WaitFace, strict: bool) -> StatusCode {
    let native = match outcome {
        ReceiptOutcome::Completed | ReceiptOutcome::Replayed | ReceiptOutcome::Pending => {
            StatusCode::OK
        }
        ReceiptOutcome::Conflict => StatusCode::CONFLICT,
        ReceiptOutcome::Gone => StatusCode::GONE,
        ReceiptOutcome::Unknown => StatusCode::NOT_FOUND,
    };
    match face {
        WaitFace::Native => native,
        WaitFace::Compatible if native == StatusCode::NOT_FOUND => native,
        WaitFace::Compatible if strict && native != StatusCode::OK => native,
        WaitFace::Compatible => StatusCode::ACCEPTED,
    }
}

fn outcome_name(outcome: ReceiptOutcome) -> &'static str {
    match outcome {
        ReceiptOutcome::Completed => "completed",
        ReceiptOutcome::Replayed => "replayed",
        ReceiptOutcome::Conflict => "conflict",
        ReceiptOutcome::Gone => "gone",
        ReceiptOutcome::Unknown => "unknown",
        ReceiptOutcome::Pending => "pending",
    }
}

fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Resolve => "resolve",
        Verb::Reject => "reject",
    }
}

fn error_json(status: StatusCode, body: &ErrorBody<'_>) -> Answer {
    let mut answer = json(status, body);
    put(&mut answer, ERROR_SOURCE, body.source);
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("these bodies are structs of texts and numbers");
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    if status.canonical_reason().is_none() {
        // Without this, a made-up text would stand where the reason phrase goes.
        answer.extensions_mut().insert(ReasonPhrase::from_static(b""));
    }
    put(&mut answer, CONTENT_TYPE, "application/json");
    answer
}

/// Sets a header; a declared content type that is no header value is left out.
fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
