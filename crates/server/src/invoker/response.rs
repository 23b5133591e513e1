//! Judging and finishing the response of an attempt.
//!
//! - Owns: what a response head must be, how much of an error body is read, and how a stream is
//!   brought to its end after the terminal frame.
//! - Does not own: the frames in between ([`super::attempt`]).

use std::future::poll_fn;
use std::time::Duration;

use http::response::Parts;
use http::{StatusCode, header};
use reveille_engine::command::AttemptFailure;

use crate::limits;

use super::call::Call;
use super::exchange::Exchange;
use super::failure;

/// Finds out whether the response is an invocation stream; if not, why the attempt fails.
pub(super) async fn check(
    call: &Call,
    parts: &Parts,
    exchange: &mut Exchange,
) -> Option<AttemptFailure> {
    if parts.status != StatusCode::OK {
        // Boxed, so that healthy attempts do not make room for it.
        let body = Box::pin(error_body(exchange)).await;
        return Some(failure::bad_status(
            parts.status,
            call.protocol_version,
            &call.hide_secrets(&body),
        ));
    }
    let expected = call.content_type();
    let found = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    if found == Some(expected.as_bytes()) {
        return None;
    }
    let found = found.map(String::from_utf8_lossy);
    Some(failure::bad_content_type(found.as_deref(), &expected))
}

/// Reads the first part of an error response.
async fn error_body(exchange: &mut Exchange) -> String {
    let mut body = Vec::new();
    let read = async {
        while let Some(Ok(bytes)) = poll_fn(|cx| exchange.poll_data(cx)).await {
            let room = limits::ERROR_BODY_BYTES - body.len();
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if body.len() >= limits::ERROR_BODY_BYTES {
                break;
            }
        }
    };
    let timeout = Duration::from_millis(limits::ERROR_BODY_TIMEOUT_MS);
    // What has arrived in time is enough.
    let _elapsed = tokio::time::timeout(timeout, read).await;
    String::from_utf8_lossy(&body).trim().to_owned()
}

/// Reads what follows the terminal frame, so that the stream ends cleanly and, with HTTP/1.1, the
/// connection can be used again.
pub(super) async fn drain(mut exchange: Exchange) {
    let read = async {
        let mut room = limits::DRAIN_BYTES;
        loop {
            match poll_fn(|cx| exchange.poll_data(cx)).await {
                Some(Ok(bytes)) if bytes.len() <= room => room -= bytes.len(),
                Some(Ok(_) | Err(_)) => return false,
                None => return true,
            }
        }
    };
    let timeout = Duration::from_millis(limits::DRAIN_TIMEOUT_MS);
    if !tokio::time::timeout(timeout, read).await.unwrap_or(false) {
        exchange.reset();
    }
}
