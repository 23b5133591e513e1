//! The event that a function is invoked with, and what it answers.
//!
//! Source: service protocol, section on AWS Lambda: the shape of an API Gateway proxy request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Makes the event. The body is base64 always, also when it is empty: some SDKs insist.
pub(super) fn encode(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut map = Map::new();
    for (name, value) in headers {
        if name == header::HOST || name == header::CONTENT_LENGTH {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        map.insert(name.as_str().to_owned(), Value::String(value));
    }
    let event = json!({
        "path": path,
        "httpMethod": method,
        "headers": map,
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    });
    event.to_string().into_bytes()
}

/// What a function answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Reads the answer as the response that it stands for; the text says what is wrong with it.
pub(super) fn decode(payload: &[u8]) -> Result<Response<Bytes>, String> {
    let answer: Answer = serde_json::from_slice(payload)
        .map_err(|error| format!("the function did not answer as a deployment does: {error}"))?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        STANDARD.decode(body).map_err(|error| format!("the body is not base64: {error}"))?
    } else {
        body.into_bytes()
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = http::StatusCode::from_u16(answer.status_code)
        .map_err(|_| format!("{} is no status", answer.status_code))?;
    for (name, value) in answer.headers {
        let (Ok(name), Some(value)) =
            (HeaderName::try_from(name.to_ascii_lowercase()), value.as_str())
        else {
            continue;
        };
        let framing = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
        if let (false, Ok(value)) = (framing.contains(&name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
