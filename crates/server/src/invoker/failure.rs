//! Why attempts fail: the texts and documentation codes (`http-api.md`, section 13.1).
//!
//! - Owns: one function per row of that table that the invoker can meet.
//! - Does not own: what happens then (crate `engine`, retry policy).

use http::StatusCode;
use reveille_engine::command::AttemptFailure;
use reveille_engine::mask::mask_secrets;
use reveille_protocol::frame::FrameError;

use crate::text::duration;

/// The deployment could not be reached at all.
pub(super) fn unreachable(uri: &str, cause: &str) -> AttemptFailure {
    let message =
        format!("error when calling '{uri}': unable to reach the remote endpoint. {cause}");
    failure(500, message, "RT0010")
}

/// The request cannot be made from what is registered.
pub(super) fn bad_request(uri: &str, cause: &str) -> AttemptFailure {
    failure(500, format!("error when calling '{uri}': {cause}"), "RT0010")
}

/// The connection or the stream broke after the request was sent.
pub(super) fn broken(uri: &str, cause: &str) -> AttemptFailure {
    let message = format!(
        "error when calling '{uri}': the stream broke before the invocation ended. {cause}"
    );
    failure(500, message, "RT0010")
}

/// The response is not 200.
pub(super) fn bad_status(status: StatusCode, version: u32, body: &str) -> AttemptFailure {
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => failure(
            415,
            format!(
                "cannot start the invocation because the SDK doesn't support the protocol version \
                 '{version}' negotiated at discovery time"
            ),
            "RT0015",
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            failure(500, format!("service is rate limited due to '{status}'"), "RT0023")
        }
        status => {
            let mut message = format!("unexpected http status code: {status}");
            if !body.is_empty() {
                message.push_str(", with body: ");
                // The engine masks what it stores; this is logged on the way there.
                message.push_str(&mask_secrets(body));
            }
            if status == StatusCode::UNAUTHORIZED {
                message.push_str(
                    "; if the deployment checks request identity, give it the public key that this \
                     server logs at its start (request-identity-private-key-pem-file)",
                );
            }
            let too_large = status == StatusCode::PAYLOAD_TOO_LARGE;
            failure(500, message, if too_large { "RT0019" } else { "RT0012" })
        }
    }
}

/// The response is 200 but no invocation stream.
pub(super) fn bad_content_type(found: Option<&str>, expected: &str) -> AttemptFailure {
    let found = found.unwrap_or("none");
    let message = format!("unexpected content type '{found}'; expected content type '{expected}'");
    failure(500, message, "RT0012")
}

/// The stream ended without a terminal frame.
pub(super) fn no_terminal_frame() -> AttemptFailure {
    failure(500, "unknown".to_owned(), "RT0007")
}

/// The stream ended inside a frame.
pub(super) fn truncated() -> AttemptFailure {
    let message = "cannot decode entry: the stream ended inside a message".to_owned();
    failure(500, message, "RT0012")
}

/// The bytes are no frame that we take.
pub(super) fn bad_frame(error: &FrameError) -> AttemptFailure {
    match error {
        FrameError::TooLong { .. } => {
            let message = format!("{error}; see `worker.invoker.message-size-limit`");
            failure(500, message, "RT0003")
        }
        FrameError::Decode { .. } => {
            failure(500, format!("cannot decode entry: {error}"), "RT0012")
        }
    }
}

/// A frame was forwarded although the deployment cannot take any while it runs.
pub(super) fn input_closed(uri: &str) -> AttemptFailure {
    let message = format!(
        "error when calling '{uri}': the request is complete, results reach the handler with the \
         next attempt; register the deployment again to run it in request/response mode"
    );
    failure(500, message, "RT0010")
}

/// The server itself made a mistake.
pub(super) fn internal() -> AttemptFailure {
    let message = "the attempt ended with a panic of the server, see its log".to_owned();
    failure(500, message, "RT0007")
}

/// The deployment did not end the attempt in time.
pub(super) fn abort_timeout(abort_timeout_ms: u64) -> AttemptFailure {
    let message = format!(
        "the invocation stream was closed after the 'abort timeout' ({}) fired.",
        duration::short(abort_timeout_ms)
    );
    failure(500, message, "RT0001")
}

fn failure(code: u32, message: String, doc_code: &'static str) -> AttemptFailure {
    AttemptFailure { code, message, doc_code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awakeable_secrets_in_a_body_are_masked() {
        let (public, secret) = ("A".repeat(32), "s".repeat(27));
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let failure = bad_status(status, 6, &format!("awaits sign_1{public}{secret}"));
        assert!(failure.message.ends_with(&format!("awaits sign_1{public}***")), "{failure:?}");
    }

    #[test]
    fn statuses() {
        let table = [
            (404, "", "500 RT0012 unexpected http status code: 404 Not Found"),
            (
                500,
                "x",
                "500 RT0012 unexpected http status code: 500 Internal Server Error, with body: x",
            ),
            (
                401,
                "no",
                "500 RT0012 unexpected http status code: 401 Unauthorized, with body: no; if the \
                 deployment checks request identity, give it the public key that this server logs \
                 at its start (request-identity-private-key-pem-file)",
            ),
            (413, "", "500 RT0019 unexpected http status code: 413 Payload Too Large"),
            (429, "x", "500 RT0023 service is rate limited due to '429 Too Many Requests'"),
            (503, "x", "500 RT0023 service is rate limited due to '503 Service Unavailable'"),
        ];
        for (status, body, expected) in table {
            let status = StatusCode::from_u16(status).expect("a status");
            let failure = bad_status(status, 6, body);
            let text = format!("{} {} {}", failure.code, failure.doc_code, failure.message);
            assert_eq!(text, expected);
        }
    }
}
