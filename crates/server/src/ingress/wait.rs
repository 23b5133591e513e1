//! Answers to awakeables from outside.
//!
//! | body of | content type | becomes |
//! |---|---|---|
//! | resolve | JSON | the value, verbatim, once it is known to be JSON |
//! | resolve | any other, none, or an empty body | the value, verbatim |
//! | reject, native path | JSON, not empty | a string is the message, an object the whole failure |
//! | reject, compatible path | JSON, not empty | the message, verbatim, once it is known to be JSON |
//! | reject, otherwise | any | the message, invalid UTF-8 replaced; the code is 500 |
//!
//! - Owns: this table, and how a caller asks for telling statuses (`Prefer: handling=strict`).
//! - Does not own: who wins (engine), nor the check of the secret in an id (engine).
//! - Invariant: a malformed answer completes nothing. Awakeable ids are secrets: they are answered
//!   to whoever sent them and never logged.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use reveille_engine::command::{Command, Failure, Outcome, WaitTarget};
use reveille_engine::effect::{Receipt, Reply, Verb};
use reveille_protocol::id::AwakeableId;
use reveille_protocol::message::FailureMetadata;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

use super::Ingress;
use super::body::Chunks;
use super::decode::decode_awakeable_id;
use super::error::IngressError;
use super::invoke::idempotency_key;
use super::response::{self, Answer};
use super::route::WaitFace;
use super::validate::is_json;

/// Completes an awakeable and answers with the receipt.
pub async fn complete<B>(
    ingress: &Ingress,
    (verb, id, face): (Verb, &str, WaitFace),
    parts: &Parts,
    body: B,
) -> Result<Answer, IngressError>
where
    B: Body<Data = Bytes>,
    IngressError: From<B::Error>,
{
    let id = &*decode_awakeable_id(id);
    let wait = parse_awakeable_id(id)?;
    let idempotency_key = idempotency_key(&parts.headers)?;
    let body = Chunks::read(body, ingress.request_size_limit).await?.into_bytes();
    let completion = completion(verb, face, &parts.headers, body)?;
    let reply = ingress
        .partitions
        .ask(wait.invocation, move |request| {
            let wait = WaitTarget::Awakeable(wait);
            Command::CompleteWait { request, wait, completion, idempotency_key }
        })
        .await?;
    Ok(response::receipt(id, &receipt(reply)?, face, prefers_strict(&parts.headers)))
}

/// Answers with the state of an awakeable.
pub async fn describe(ingress: &Ingress, id: &str) -> Result<Answer, IngressError> {
    let id = &*decode_awakeable_id(id);
    let wait = parse_awakeable_id(id)?;
    let ask = move |request| Command::DescribeWait { request, wait };
    let reply = ingress.partitions.ask(wait.invocation, ask).await?;
    Ok(response::wait_state(id, &receipt(reply)?))
}

fn receipt(reply: Reply) -> Result<Receipt, IngressError> {
    match reply {
        Reply::Receipt(receipt) => Ok(receipt),
        Reply::Unavailable(text) => Err(IngressError::Unavailable(text)),
        _ => Err(IngressError::UnexpectedReply),
    }
}

fn parse_awakeable_id(id: &str) -> Result<AwakeableId, IngressError> {
    id.parse().map_err(|reason| IngressError::AwakeableId { id: id.to_owned(), reason })
}

/// Turns a body into the completion, by the table of this module.
pub fn completion(
    verb: Verb,
    face: WaitFace,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Outcome, IngressError> {
    let content_type = headers.get(CONTENT_TYPE);
    let json = !body.is_empty() && is_json(content_type);
    if json {
        parse_json::<IgnoredAny>(&body)?;
    }
    match (verb, face) {
        (Verb::Resolve, _) => Ok(Outcome::Success(body)),
        (Verb::Reject, WaitFace::Native) if json && body.trim_ascii_start().starts_with(b"\"") => {
            Ok(Outcome::failure(REJECTION_CODE, &parse_json::<String>(&body)?))
        }
        (Verb::Reject, WaitFace::Native) if json => {
            Ok(Outcome::Failure(parse_json::<Rejection>(&body)?.into()))
        }
        (Verb::Reject, _) => Ok(Outcome::failure(REJECTION_CODE, &String::from_utf8_lossy(&body))),
    }
}

const REJECTION_CODE: u32 = 500;

/// A rejection in full. Unknown members are refused, since a misspelt reason would be lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with code, message and metadata")]
struct Rejection {
    #[serde(default = "rejection_code")]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

fn rejection_code() -> u32 {
    REJECTION_CODE
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Failure {
        let metadata = rejection.metadata.into_iter();
        Failure {
            code: rejection.code,
            message: rejection.message,
            metadata: metadata.map(|(key, value)| FailureMetadata { key, value }).collect(),
        }
    }
}

fn parse_json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, IngressError> {
    // What is skipped is not checked for UTF-8 by the parser, but every SDK needs it to be.
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        IngressError::AnswerNotJson {
            detail: "invalid UTF-8".to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.len() - line_start,
        }
    })?;
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = error.to_string();
        let place = format!(" at line {line} column {column}");
        let detail = detail.strip_suffix(&place).unwrap_or(&detail).to_owned();
        IngressError::AnswerNotJson { detail, line, column }
    })
}

/// Tells whether the caller sent `Prefer: handling=strict` (RFC 7240).
fn prefers_strict(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        preference.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("handling")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("strict")
        })
    })
}
