//! `/waits/{invocation}/{wait}/…`: an administrator answers any wait, without its secret.
//!
//! - Owns: the check of JSON bodies and the receipt as JSON.
//! - Does not own: who decided the wait (crate `engine`).
//! - Invariant: a body that claims to be JSON and is not changes nothing.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use reveille_engine::{
    command::{Command, Outcome, WaitName, WaitTarget},
    effect::{Receipt, ReceiptOutcome, Reply, Verb},
};
use reveille_protocol::id::InvocationId;
use schemars::JsonSchema;
use serde::{Serialize, de::IgnoredAny};

use super::{
    Admin,
    invocations::{BAD_INVOCATION, INVOCATION, parse_id, refusal},
    problem::Problem,
    route::Route,
};
use crate::text::time;

/// Failure code of rejections: HTTP has no place for another.
const REJECTED_CODE: u32 = 500;

/// What has become of a wait.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
struct ReceiptBody {
    /// Whether this request decided it, an equal one did before, or another one.
    #[schemars(extend(
        "enum" = ["completed", "replayed", "conflict", "gone", "unknown", "pending"]
    ))]
    outcome: &'static str,
    /// The invocation that waits.
    invocation_id: String,
    /// The wait as it was named.
    wait: String,
    /// When it was decided, if it is known.
    at: Option<String>,
    /// How it was decided, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["resolve", "reject"]))]
    verb: Option<&'static str>,
}

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/waits/{invocation_id}/{wait}/resolve", "resolve_wait", resolve)
            .answers_a_wait("Answers a wait with a value", "The value.")
            .header("idempotency-key", IDEMPOTENCY),
        Route::post("/waits/{invocation_id}/{wait}/reject", "reject_wait", reject)
            .answers_a_wait("Answers a wait with a failure", "The message of the failure.")
            .header("idempotency-key", IDEMPOTENCY),
        Route::post("/waits/{invocation_id}/{wait}/replace", "replace_wait", replace)
            .answers_a_wait("Replaces an answer that no attempt has consumed", "The new value.")
            .problem(409, "An attempt has consumed the answer."),
    ]
}

const IDEMPOTENCY: &str = "Requests with the same key are one: the second is `replayed`.";

impl Route {
    /// Says what it does to a wait, and what all of these take and answer.
    fn answers_a_wait(self, summary: &'static str, body: &'static str) -> Route {
        self.says("wait", summary)
            .path("invocation_id", INVOCATION)
            .path("wait", "Index of an awakeable, or name of a promise or signal, percent-encoded.")
            .bytes(body)
            .receipts()
            .answer::<ReceiptBody>(404, "The receipt: there is no such wait.")
            .answer::<ReceiptBody>(410, "The receipt: the invocation has ended.")
            .problem(400, BAD_INVOCATION)
            .problem(400, "The content type is JSON and the body is not, or a header is malformed.")
            .problem(404, "There is no such invocation.")
    }

    /// Answers with a receipt, whatever is completed.
    pub(super) fn receipts(self) -> Route {
        self.answer::<ReceiptBody>(200, "The receipt: decided by this request, or by an equal one.")
            .answer::<ReceiptBody>(409, "The receipt: it was decided otherwise.")
            .problem(500, "An error of the server, see its log.")
            .problem(503, "The server is stopping; try again.")
    }
}

/// `POST /waits/{invocation}/{wait}/resolve`: the body is the value.
async fn resolve(
    State(admin): State<Admin>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    decide(&admin, path, Verb::Resolve, &headers, body).await
}

/// `POST /waits/{invocation}/{wait}/reject`: the body is the message of the failure.
async fn reject(
    State(admin): State<Admin>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    decide(&admin, path, Verb::Reject, &headers, body).await
}

async fn decide(
    admin: &Admin,
    (invocation, wait): (String, String),
    verb: Verb,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = parse_id(&invocation)?;
    let target = WaitTarget::Admin(id, parse_name(&wait));
    let completion = completion(verb, headers, body)?;
    complete(admin, target, wait, idempotency_key(headers)?, completion).await
}

/// `POST /waits/{invocation}/{wait}/replace`: the body is the new value of a completion that no
/// attempt has consumed; 409 when one has.
async fn replace(
    State(admin): State<Admin>,
    Path((invocation, wait)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = parse_id(&invocation)?;
    let completion = completion(Verb::Resolve, &headers, body)?;
    let name = parse_name(&wait);
    let command = move |request| Command::ReplaceWait { request, id, name, completion };
    let reply = admin.partitions.ask(id, command).await?;
    answer(id, wait, reply)
}

/// Completes a wait and answers with the receipt, in which the wait has the name `shown`.
pub(super) async fn complete(
    admin: &Admin,
    wait: WaitTarget,
    shown: String,
    idempotency_key: Option<String>,
    completion: Outcome,
) -> Result<Response, Problem> {
    let id = wait.invocation();
    let command =
        move |request| Command::CompleteWait { request, wait, completion, idempotency_key };
    let reply = admin.partitions.ask(id, command).await?;
    answer(id, shown, reply)
}

/// Turns a body into what a wait is completed with.
pub(super) fn completion(verb: Verb, headers: &HeaderMap, body: Bytes) -> Result<Outcome, Problem> {
    check_json(headers, &body)?;
    Ok(match verb {
        Verb::Resolve => Outcome::Success(body),
        Verb::Reject => Outcome::failure(REJECTED_CODE, &String::from_utf8_lossy(&body)),
    })
}

fn answer(id: InvocationId, wait: String, reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Receipt(receipt) => Ok(show(id, wait, &receipt)),
        reply => Err(refusal(reply)),
    }
}

fn show(id: InvocationId, wait: String, receipt: &Receipt) -> Response {
    let (status, outcome) = match receipt.outcome {
        ReceiptOutcome::Completed => (StatusCode::OK, "completed"),
        ReceiptOutcome::Replayed => (StatusCode::OK, "replayed"),
        ReceiptOutcome::Conflict => (StatusCode::CONFLICT, "conflict"),
        ReceiptOutcome::Gone => (StatusCode::GONE, "gone"),
        ReceiptOutcome::Unknown => (StatusCode::NOT_FOUND, "unknown"),
        ReceiptOutcome::Pending => (StatusCode::OK, "pending"),
    };
    let body = ReceiptBody {
        outcome,
        invocation_id: id.to_string(),
        wait,
        at: receipt.decided_at.map(time::milliseconds_utc),
        verb: receipt.verb.map(|verb| match verb {
            Verb::Resolve => "resolve",
            Verb::Reject => "reject",
        }),
    };
    (status, Json(body)).into_response()
}

/// A number is the index of an awakeable, anything else a name.
pub(super) fn parse_name(wait: &str) -> WaitName {
    wait.parse().map_or_else(|_| WaitName::Name(wait.to_owned()), WaitName::Index)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "the header 'idempotency-key' is not ASCII text")
    })?;
    Ok(Some(key.to_owned()))
}

/// A handler that parses its answer would fail on every attempt if this were let through.
fn check_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    if !is_json(headers) {
        return Ok(());
    }
    serde_json::from_slice::<IgnoredAny>(body).map(|_| ()).map_err(|error| {
        let message = format!("the content type is JSON, but the body does not parse: {error}");
        Problem::new(StatusCode::BAD_REQUEST, message)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}
