//! The transport over HTTP/1.1, without TLS.
//!
//! - Owns: a pool of connections, and a bound on what is collected of a response.

use bytes::Bytes;
use http::{Request, Uri, uri::Authority};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{ClientError, Exchange, Transport};

/// The longest response that is collected.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
    /// In front of every path; without a slash at its end.
    prefix: String,
}

impl Http {
    pub fn new(uri: &str) -> Result<Self, ClientError> {
        let refusal = |reason: &str| {
            ClientError::Request(format!("{uri:?} is no `http://host:port`: {reason}"))
        };
        let parsed: Uri = uri.parse().map_err(|_| refusal("it cannot be parsed"))?;
        if parsed.scheme_str() != Some("http") {
            return Err(refusal("only `http` is spoken; for others use a transport of your own"));
        }
        let authority = parsed.authority().ok_or_else(|| refusal("it has no host"))?.clone();
        let prefix = parsed.path().trim_end_matches('/').to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, authority, prefix })
    }
}

impl Transport for Http {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            parts.uri = Uri::builder()
                .scheme("http")
                .authority(self.authority.clone())
                .path_and_query(format!("{}{path}", self.prefix))
                .build()?;
            let response = self.client.request(Request::from_parts(parts, Full::new(body))).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await?.to_bytes();
            Ok(http::Response::from_parts(parts, body))
        })
    }
}
