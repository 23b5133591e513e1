//! AWS Lambda: an endpoint as a function, which gets whole requests as events and answers with whole
//! responses.
//!
//! - Owns: the two JSON shapes, the loop over the runtime API.
//! - Does not own: routes and attempts, which are those of HTTP.
//! - Invariant: bodies are base64 in both directions, and the manifest says request/response.
//!
//! Start with [`Endpoint::run_lambda`].

use std::{collections::BTreeMap, env};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Endpoint;
use crate::{
    BoxError,
    client::{Transport as _, http1::Http},
};

/// Where the runtime API is, as Lambda tells.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
const VERSION: &str = "/2018-06-01/runtime/invocation";
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";

/// Why a function stops.
#[derive(Debug, thiserror::Error)]
pub enum LambdaError {
    /// The process does not run on Lambda. Serve the endpoint with [`Endpoint::listen`] instead.
    #[error("`AWS_LAMBDA_RUNTIME_API` is not set: this process does not run on AWS Lambda")]
    NotOnLambda,
    /// The runtime API broke off. Lambda starts another process.
    #[error("the runtime API of AWS Lambda: {0}")]
    Runtime(#[source] BoxError),
    /// The event is no request of a server.
    #[error("the event is no request: {0}")]
    Event(#[source] BoxError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    path: String,
    #[serde(default = "get")]
    http_method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn get() -> String {
    Method::GET.to_string()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

impl Endpoint {
    /// Serves as a function of AWS Lambda until the process ends.
    ///
    /// Events are taken one at a time, as Lambda gives them.
    ///
    /// # Errors
    ///
    /// When the process does not run on Lambda, or when its runtime API broke off.
    pub async fn run_lambda(&self) -> Result<(), LambdaError> {
        let api = env::var(RUNTIME_API).map_err(|_| LambdaError::NotOnLambda)?;
        self.run_lambda_with(&api).await
    }

    /// As [`Self::run_lambda`], with a runtime API of one's own: `host:port`.
    ///
    /// # Errors
    ///
    /// When the runtime API broke off.
    pub async fn run_lambda_with(&self, api: &str) -> Result<(), LambdaError> {
        let runtime = |error: BoxError| LambdaError::Runtime(error);
        let api = Http::new(&format!("http://{api}")).map_err(|error| runtime(error.into()))?;
        loop {
            let next = request(Method::GET, format!("{VERSION}/next"), Bytes::new())?;
            let event = api.exchange(next).await.map_err(runtime)?;
            let id = event.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
            let Some(id) = id.filter(|_| event.status().is_success()).map(str::to_owned) else {
                let message = format!("it answered {} without a request id", event.status());
                return Err(runtime(message.into()));
            };
            let (path, body) = match self.answer_lambda(event.body()).await {
                Ok(answer) => (format!("{VERSION}/{id}/response"), answer),
                Err(error) => {
                    let error = serde_json::json!({
                        "errorMessage": error.to_string(), "errorType": "Event",
                    });
                    (format!("{VERSION}/{id}/error"), error.to_string().into())
                }
            };
            let answer = request(Method::POST, path, body)?;
            api.exchange(answer).await.map_err(runtime)?;
        }
    }

    /// Answers one event: both are JSON.
    ///
    /// # Errors
    ///
    /// When the event is no request. What the endpoint refuses is an answer, with a status.
    pub async fn answer_lambda(&self, event: &[u8]) -> Result<Bytes, LambdaError> {
        let event: Event =
            serde_json::from_slice(event).map_err(|error| LambdaError::Event(error.into()))?;
        let request = event.into_request().map_err(LambdaError::Event)?;
        // The process is frozen between events; nothing ends early.
        let (_open, stopping) = watch::channel(false);
        let (parts, body) = self.respond(request, stopping, true).into_parts();
        // An attempt that broke off is an error of the function, which the server tries again.
        let body = body.collect().await.map_err(|error| LambdaError::Event(error.into()))?;
        let answer = Answer::new(&Response::from_parts(parts, body.to_bytes()));
        let answer =
            serde_json::to_vec(&answer).map_err(|error| LambdaError::Event(error.into()))?;
        Ok(answer.into())
    }
}

fn request(method: Method, path: String, body: Bytes) -> Result<Request<Bytes>, LambdaError> {
    let request = Request::builder().method(method).uri(path).body(body);
    request.map_err(|error| LambdaError::Runtime(error.into()))
}

impl Event {
    fn into_request(self) -> Result<Request<Full<Bytes>>, BoxError> {
        let body = self.body.unwrap_or_default();
        let body = match self.is_base64_encoded {
            true => Bytes::from(STANDARD.decode(body)?),
            false => Bytes::from(body),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let request = Request::builder().method(self.http_method.as_str()).uri(self.path);
        let mut request = request.body(Full::new(body))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Answer {
    fn new(response: &Response<Bytes>) -> Self {
        let headers = response.headers().iter().filter_map(|(name, value)| {
            // Ours are text.
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        });
        Self {
            status_code: response.status().as_u16(),
            headers: headers.collect(),
            body: STANDARD.encode(response.body()),
            is_base64_encoded: true,
        }
    }
}

#[cfg(test)]
mod tests;
