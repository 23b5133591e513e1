//! The HTTP request of an attempt.
//!
//! - Owns: the address, path and headers.
//! - Does not own: the body ([`super::outgoing`]).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use reveille_engine::command::AttemptFailure;
use reveille_engine::effect::AttemptStart;
use reveille_engine::schema::DeploymentSchema;
use reveille_engine::trace::TraceContext;
use reveille_protocol::id::InvocationId;
use reveille_protocol::text::percent;

use super::connect::Address;
use super::failure;
use super::outbound::Outbound;
use crate::text::secret;

/// What the request head is made of.
pub(super) struct Call {
    base: String,
    service: String,
    handler: String,
    key: Option<String>,
    trace: Option<TraceContext>,
    id: InvocationId,
    headers: Vec<(String, String)>,
    /// See [`AttemptStart::protocol_version`].
    pub(super) protocol_version: u32,
    /// True when the deployment is called with HTTP/1.1.
    pub(super) http1: bool,
}

/// A request head and where it goes.
pub(super) struct Prepared {
    pub(super) address: Address,
    pub(super) request: Request<()>,
}

impl Call {
    /// Takes what is needed.
    pub(super) fn new(start: AttemptStart, deployment: &DeploymentSchema) -> Call {
        Call {
            base: deployment.uri.clone(),
            service: start.service,
            handler: start.handler,
            key: start.key,
            trace: start.trace.map(|trace| trace.of_attempt(start.id, start.attempt)),
            id: start.id,
            headers: deployment.headers.clone(),
            protocol_version: start.protocol_version,
            http1: deployment.http1,
        }
    }

    /// The full address, for requests and messages.
    pub(super) fn uri(&self) -> String {
        format!("{}invoke/{}/{}", self.base, self.service, self.handler)
    }

    /// The media type of both directions.
    pub(super) fn content_type(&self) -> String {
        format!("application/vnd.restate.invocation.v{}", self.protocol_version)
    }

    /// Makes the request head. It fails when what is registered is no valid HTTP.
    pub(super) fn prepare(&self) -> Result<Prepared, AttemptFailure> {
        let text = self.uri();
        let uri: Uri = match text.parse() {
            Ok(uri) => uri,
            Err(error) => return Err(failure::bad_request(&text, &format!("{error}."))),
        };
        let address = Address::of(&uri).map_err(|cause| failure::unreachable(&text, &cause))?;
        let headers = self.headers().map_err(|cause| failure::bad_request(&text, &cause))?;
        let request = request(Method::POST, uri, headers, self.http1);
        let request = request.map_err(|cause| failure::bad_request(&text, &cause))?;
        Ok(Prepared { address, request })
    }

    /// Hides what an operator configured for this deployment in a text that came from it.
    pub(super) fn hide_secrets(&self, text: &str) -> String {
        secret::hide_values(text, &self.headers)
    }

    /// Adds the signature, if there is a key.
    pub(super) fn sign(&self, outbound: &Outbound, request: &mut Request<()>) {
        outbound.sign_attempt(request, &self.service, &self.handler);
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = deployment_headers(&self.headers)?;
        let content_type = HeaderValue::try_from(self.content_type()).map_err(|e| e.to_string())?;
        headers.insert(header::ACCEPT, content_type.clone());
        headers.insert(header::CONTENT_TYPE, content_type);
        let id = HeaderValue::try_from(self.id.to_string()).map_err(|e| e.to_string())?;
        headers.insert(HeaderName::from_static("x-restate-invocation-id"), id);
        if let Some(key) = &self.key {
            let key = HeaderValue::try_from(percent(key)).map_err(|e| e.to_string())?;
            headers.insert(HeaderName::from_static("x-restate-service-key"), key);
        }
        if let Some(trace) = &self.trace {
            // What an operator configured under these names is not of this trace.
            for (name, value) in
                [("traceparent", trace.traceparent()), ("tracestate", trace.state.clone())]
            {
                let value = HeaderValue::try_from(value).map_err(|e| e.to_string())?;
                headers.remove(name);
                if !value.is_empty() {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
        Ok(headers)
    }
}

/// Parses the headers that an operator configured for a deployment.
pub(super) fn deployment_headers(configured: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let invalid = || format!("the deployment's header '{name}' is not valid.");
        let header = HeaderName::try_from(name).map_err(|_| invalid())?;
        headers.append(header, HeaderValue::try_from(value).map_err(|_| invalid())?);
    }
    Ok(headers)
}

/// Joins a request head: HTTP/2 wants the absolute URI, HTTP/1.1 its path and a `host` header.
pub(super) fn request(
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    http1: bool,
) -> Result<Request<()>, String> {
    let mut builder = Request::builder().method(method);
    if http1 {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
        headers.insert(header::HOST, host);
        builder = builder.uri(uri.path());
    } else {
        builder = builder.version(http::Version::HTTP_2).uri(uri);
    }
    let mut request = builder.body(()).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}
