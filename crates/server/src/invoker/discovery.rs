//! Discovery: asks a deployment what it serves.
//!
//! Rare, so each request has a connection of its own.
//! - Owns: the request, its bounds and the reasons why it fails (`http-api.md`, section 17).
//! - Does not own: what is done with a manifest ([`crate::registry`]).

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Method, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use reveille_protocol::manifest::{self, Manifest, ManifestError};

use crate::limits;
use crate::text::secret;
use crate::tls::client::{Alpn, TlsFailure};

use super::call;
use super::connect::{self, Address};
use super::exchange::with_sources;
use super::local::{Input, LocalResponse};
use super::outbound::Outbound;

/// What a deployment says of itself.
#[derive(Debug)]
pub struct Discovered {
    /// Its services.
    pub manifest: Manifest,
    /// Name and version of its SDK (`x-restate-server`).
    pub server: Option<String>,
}

/// Why discovery failed. [`DiscoveryError::code`] is the code that goes with it.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Nothing answered. Check the address, start the deployment, try again.
    #[error("[META0003] error when calling '{uri}': unable to reach the remote endpoint. {cause}")]
    Unreachable {
        /// The address that was called.
        uri: String,
        /// What went wrong.
        cause: String,
    },
    /// It answered with another status than 200.
    #[error(
        "[META0003] error when calling '{uri}': unexpected http status code: {status}, headers: \
         {headers}, body: '{body}'"
    )]
    BadStatus {
        /// The address that was called.
        uri: String,
        /// The status.
        status: StatusCode,
        /// The response headers.
        headers: String,
        /// The first [`limits::ERROR_BODY_BYTES`] of the body.
        body: String,
    },
    /// It speaks HTTP/1.1 only but was called with HTTP/2. Register it for HTTP/1.1.
    #[error(
        "[META0014] error when calling '{uri}': the deployment does not speak HTTP/2; register it \
         with `--use-http1.1`"
    )]
    Http1Only {
        /// The address that was called.
        uri: String,
    },
    /// The response is no manifest of a version that we read. Check address and SDK version.
    #[error(
        "[META0013] received a bad response from '{uri}': unsupported content type '{found}', \
         expected one of '{}'",
        manifest::ACCEPT
    )]
    ContentType {
        /// The address that was called.
        uri: String,
        /// The content type of the response.
        found: String,
    },
    /// The manifest cannot be read or breaks a rule. Fix the deployment.
    #[error(
        "received a bad response from the SDK that cannot be decoded: {cause}. Discovery response: \
         {body}"
    )]
    Undecodable {
        /// What is wrong with it.
        cause: String,
        /// The first [`limits::ERROR_BODY_BYTES`] of the body.
        body: String,
    },
    /// The manifest can be read but breaks a rule. Fix the deployment.
    #[error("{0}")]
    Refused(ManifestError),
}

impl DiscoveryError {
    /// The documentation code, when there is one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            DiscoveryError::Unreachable { .. } | DiscoveryError::BadStatus { .. } => {
                Some("META0003")
            }
            DiscoveryError::Http1Only { .. } => Some("META0014"),
            DiscoveryError::ContentType { .. } => Some("META0013"),
            DiscoveryError::Undecodable { .. } | DiscoveryError::Refused(_) => None,
        }
    }
}

/// Why there is no response.
enum NoResponse {
    /// Nobody listens, or the connection broke.
    Unreachable(String),
    /// The other side broke the rules of HTTP/2, as a server does that does not speak it.
    NotHttp2(String),
}

impl From<TlsFailure> for NoResponse {
    fn from(TlsFailure { cause, not_http2 }: TlsFailure) -> NoResponse {
        if not_http2 { NoResponse::NotHttp2(cause) } else { NoResponse::Unreachable(cause) }
    }
}

/// Asks the deployment at `uri`, a base address with a trailing slash. Takes at most
/// [`limits::DISCOVERY_TIMEOUT_MS`] and reads at most [`limits::MANIFEST_BYTES`].
pub async fn discover(
    outbound: &Outbound,
    uri: &Uri,
    http1: bool,
    headers: &[(String, String)],
) -> Result<Discovered, DiscoveryError> {
    let text = format!("{uri}discover");
    let timeout = Duration::from_millis(limits::DISCOVERY_TIMEOUT_MS);
    let unreachable = |cause: String| DiscoveryError::Unreachable { uri: text.clone(), cause };
    match tokio::time::timeout(timeout, ask(outbound, &text, http1, headers)).await {
        Ok(Ok((parts, body))) => read(text.clone(), &parts, &body, headers),
        Ok(Err(NoResponse::Unreachable(cause))) => Err(unreachable(cause)),
        Ok(Err(NoResponse::NotHttp2(cause))) => {
            // Only a response to HTTP/1.1 proves what the other side is.
            match tokio::time::timeout(timeout, ask(outbound, &text, true, headers)).await {
                Ok(Ok(_response)) => Err(DiscoveryError::Http1Only { uri: text }),
                Ok(Err(_)) | Err(_) => Err(unreachable(cause)),
            }
        }
        Err(_elapsed) => {
            let cause = format!("There was no response for {} ms.", limits::DISCOVERY_TIMEOUT_MS);
            Err(unreachable(cause))
        }
    }
}

async fn ask(
    outbound: &Outbound,
    uri: &str,
    http1: bool,
    configured: &[(String, String)],
) -> Result<(Parts, Vec<u8>), NoResponse> {
    let uri: Uri =
        uri.parse().map_err(|error| NoResponse::Unreachable(format!("Invalid URI: {error}.")))?;
    let address = Address::of(&uri).map_err(NoResponse::Unreachable)?;
    let mut headers: HeaderMap =
        call::deployment_headers(configured).map_err(NoResponse::Unreachable)?;
    headers.insert(header::ACCEPT, HeaderValue::from_static(manifest::ACCEPT));
    outbound.sign(&mut headers, || "/discover".to_owned());
    let request =
        call::request(Method::GET, uri, headers, http1).map_err(NoResponse::Unreachable)?;
    if let Address::Local(name) = &address {
        let called = outbound.local.call(name, request).map_err(NoResponse::Unreachable)?;
        return local(called).await;
    }
    let alpn = if http1 { Alpn::Http1 } else { Alpn::Http2 };
    let socket = address.connect(outbound, alpn).await?;
    if http1 {
        let broken = |error: hyper::Error| NoResponse::Unreachable(with_sources(&error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let exchange = async {
            let request = request.map(|()| Empty::<Bytes>::new());
            let (parts, mut body) =
                sender.send_request(request).await.map_err(broken)?.into_parts();
            Ok((parts, bounded(&mut body).await.map_err(broken)?))
        };
        return drive(connection, exchange).await;
    }
    let broken = |error: h2::Error| NoResponse::NotHttp2(error.to_string());
    let (mut sender, connection) = connect::http2(socket).await.map_err(broken)?;
    let exchange = async {
        let (response, _stream) = sender.send_request(request, true).map_err(broken)?;
        let (parts, mut body) = response.await.map_err(broken)?.into_parts();
        let mut bytes = Vec::new();
        while bytes.len() <= limits::MANIFEST_BYTES
            && let Some(data) = body.data().await
        {
            let data = data.map_err(broken)?;
            bytes.extend_from_slice(&data);
            body.flow_control().release_capacity(data.len()).map_err(broken)?;
        }
        Ok((parts, bytes))
    };
    drive(connection, exchange).await
}

/// Reads the answer of a deployment within the process.
async fn local(
    (input, response): (Input, Response<LocalResponse>),
) -> Result<(Parts, Vec<u8>), NoResponse> {
    input.close();
    let (parts, mut body) = response.into_parts();
    let bytes = bounded(&mut body).await;
    Ok((parts, bytes.map_err(|error| NoResponse::Unreachable(with_sources(error.as_ref())))?))
}

/// Reads a body until it is longer than a manifest may be.
async fn bounded<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Result<Vec<u8>, B::Error> {
    let mut bytes = Vec::new();
    while bytes.len() <= limits::MANIFEST_BYTES
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Polls a connection until the exchange on it is over.
async fn drive<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => return result,
        // The exchange tells what the end of the connection means for it.
        _ended = connection => {}
    }
    exchange.await
}

fn read(
    uri: String,
    parts: &Parts,
    body: &[u8],
    configured: &[(String, String)],
) -> Result<Discovered, DiscoveryError> {
    let excerpt = || excerpt(body, configured);
    if parts.status != StatusCode::OK {
        let (status, body) = (parts.status, excerpt());
        let headers = secret::headers(&parts.headers);
        return Err(DiscoveryError::BadStatus { uri, status, headers, body });
    }
    if body.len() > limits::MANIFEST_BYTES {
        let cause = format!("it is longer than {} bytes", limits::MANIFEST_BYTES);
        return Err(DiscoveryError::Undecodable { cause, body: excerpt() });
    }
    let text = |name: &str| {
        parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let content_type = text("content-type").unwrap_or_default();
    match manifest::parse(&content_type, body) {
        Ok(manifest) => Ok(Discovered { manifest, server: text("x-restate-server") }),
        Err(ManifestError::ContentType(found)) => Err(DiscoveryError::ContentType { uri, found }),
        Err(
            error @ (ManifestError::Decode(_)
            | ManifestError::ServiceName(_)
            | ManifestError::HandlerName { .. }),
        ) => {
            let cause = error.to_string();
            Err(DiscoveryError::Undecodable { cause, body: excerpt() })
        }
        Err(
            error @ (ManifestError::ReservedName(_)
            | ManifestError::HandlerType { .. }
            | ManifestError::ProtocolRange { .. }),
        ) => Err(DiscoveryError::Refused(error)),
    }
}

fn excerpt(body: &[u8], configured: &[(String, String)]) -> String {
    let len = body.len().min(limits::ERROR_BODY_BYTES);
    secret::hide_values(&String::from_utf8_lossy(&body[..len]), configured)
}
