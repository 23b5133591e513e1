//! What the ingress answers: results, failures, refusals and receipts.
//!
//! - Owns: [`ClientError`], [`Receipt`].
//! - Invariant: what cannot be read is a refusal with what there was to read, cut to a bounded length.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::{
    BoxError, TerminalError,
    payload::{Decode, PayloadError},
};

/// Says who an error comes from.
const SOURCE_HEADER: &str = "x-restate-error-source";
/// Characters of an unreadable answer that an error shows.
const SHOWN_CHARS: usize = 200;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The handler failed for good: that is its result, and asking again gives the same.
    #[error("{0}")]
    Failed(TerminalError),
    /// The server refused the request: mend it, or what it is for. 429 and 503 are worth another try.
    #[error("the server refused the request with status {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Its reason.
        message: String,
    },
    /// The request or its answer got lost. Try again; with an idempotency key that is harmless.
    #[error("the server cannot be reached: {0}")]
    Transport(#[source] BoxError),
    /// The input cannot be written, or the result cannot be read.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// It is no request: an address, a header or a token that cannot be sent.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

/// What became of the completion of a wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The decision.
    pub outcome: ReceiptOutcome,
    /// When the wait was decided, as RFC 3339, if the server tells.
    pub at: Option<String>,
}

/// The decision over a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReceiptOutcome {
    /// This completion decided the wait.
    Completed,
    /// The same completion had decided it before.
    Replayed,
    /// Another completion had decided it before.
    Conflict,
    /// Nobody waits any more.
    Gone,
    /// There is no such wait.
    Unknown,
    /// The server took it and does not tell what became of it.
    Accepted,
}

#[derive(Deserialize)]
struct ReceiptBody {
    outcome: ReceiptOutcome,
    #[serde(default)]
    at: Option<String>,
}

impl Receipt {
    /// Reads the answer where what is completed may be unknown; a server may tell no more than a status.
    pub(super) fn read(response: Response<Bytes>) -> Result<Self, ClientError> {
        if let Some(receipt) = Self::in_body(&response) {
            return Ok(receipt);
        }
        let outcome = match response.status() {
            status if status.is_success() => ReceiptOutcome::Accepted,
            StatusCode::NOT_FOUND => ReceiptOutcome::Unknown,
            StatusCode::CONFLICT => ReceiptOutcome::Conflict,
            StatusCode::GONE => ReceiptOutcome::Gone,
            _ => return Err(error(response)),
        };
        Ok(Self { outcome, at: None })
    }

    /// Reads the answer where whatever is named exists, if its service does.
    pub(super) fn of_a_service(response: Response<Bytes>) -> Result<Self, ClientError> {
        Self::in_body(&response).ok_or_else(|| error(response))
    }

    fn in_body(response: &Response<Bytes>) -> Option<Self> {
        let body: ReceiptBody = serde_json::from_slice(response.body()).ok()?;
        Some(Self { outcome: body.outcome, at: body.at })
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: Option<u32>,
    message: String,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
}

/// Reads a result.
pub(super) fn result<O: Decode>(response: Response<Bytes>) -> Result<O, ClientError> {
    // A failure with code 200 is sent with status 200.
    let is_failure = response.headers().contains_key(SOURCE_HEADER);
    if response.status().is_success() && !is_failure {
        return Ok(O::decode(response.into_body())?);
    }
    Err(error(response))
}

/// What a response without a result says.
pub(super) fn error(response: Response<Bytes>) -> ClientError {
    let status = response.status().as_u16();
    let source = response.headers().get(SOURCE_HEADER);
    let is_of_handler = source.is_some_and(|source| source == "invocation");
    let Ok(body) = serde_json::from_slice::<ErrorBody>(response.body()) else {
        let text = String::from_utf8_lossy(response.body());
        let message = text.chars().take(SHOWN_CHARS).collect();
        return ClientError::Refused { status, message };
    };
    if !is_of_handler {
        return ClientError::Refused { status, message: body.message };
    }
    let code = body.code.and_then(|code| u16::try_from(code).ok()).unwrap_or(status);
    let error = TerminalError::new(body.message).code(code);
    let pairs = body.metadata.into_iter();
    ClientError::Failed(pairs.fold(error, |error, (key, value)| error.metadata(key, value)))
}
