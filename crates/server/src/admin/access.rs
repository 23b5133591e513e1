//! Who is let in at the admin API.
//!
//! - Owns: which requests need a token, and the check that keeps web pages away from an API that needs
//!   none.
//! - Does not own: tokens ([`crate::access`]), routes ([`super::router`]).
//! - Invariant: a request that is refused has not reached a route.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, Uri, header::HOST},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower_service::Service as _;

use super::problem::Problem;
use crate::{
    access::{Access, Tokens},
    listener::{self, BodyError, IncomingBody},
};

/// Who is let in. The default is everyone.
#[derive(Clone, Debug, Default)]
pub struct AdminAccess {
    /// The tokens, if any.
    pub tokens: Tokens,
    /// True when the API is bound to a loopback address. Without tokens it then takes requests for
    /// addresses and `localhost` only: a web page that an operator visits can point a name of its own
    /// to 127.0.0.1 and talk to the API as if it came from there.
    pub loopback: bool,
}

/// The API behind its checks.
pub(super) struct Operators {
    pub(super) router: Router,
    pub(super) access: AdminAccess,
}

impl listener::Answer for Operators {
    type Body = Body;

    async fn answer(self: Arc<Self>, request: Request<IncomingBody>) -> Response {
        if let Some(refusal) = self.access.refusal(&request) {
            return refusal.into_response();
        }
        let failure = Arc::new(OnceLock::new());
        let request = request.map(|body| ReportedBody { body, failure: Arc::clone(&failure) });
        let response = match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        match failure.get() {
            // The routes know no more than that the body cannot be read.
            Some((status, message)) => Problem::new(*status, message).into_response(),
            None => response,
        }
    }
}

/// A body that tells why it could not be read, if that deserves a status of its own.
struct ReportedBody {
    body: IncomingBody,
    failure: Arc<OnceLock<(StatusCode, String)>>,
}

impl http_body::Body for ReportedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            let status = match error {
                BodyError::Broken(_) => return polled,
                BodyError::Stalled(_) => StatusCode::REQUEST_TIMEOUT,
                BodyError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            };
            self.failure.get_or_init(|| (status, format!("cannot read body: {error}")));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AdminAccess {
    fn refusal<B>(&self, request: &Request<B>) -> Option<Problem> {
        if is_open(request.method(), request.uri().path()) {
            return None;
        }
        match self.tokens.check(request.headers()) {
            Access::Granted => None,
            Access::Missing => Some(Problem::token_missing()),
            Access::Wrong => Some(Problem::token_wrong()),
            Access::Open => {
                let name = foreign_name(request.uri(), request.headers());
                name.filter(|_| self.loopback).map(misdirected)
            }
        }
    }
}

/// Tells whether a request without a token is served: health checks, which say nothing else, and
/// pre-flights, with which browsers send no token.
fn is_open(method: &Method, path: &str) -> bool {
    let bare = ["/v2", "/v3", "/v4"].iter().find_map(|version| path.strip_prefix(version));
    method == Method::OPTIONS || bare.unwrap_or(path) == "/health"
}

fn misdirected(name: &str) -> Problem {
    let message = format!(
        "the admin API is bound to this machine only and takes requests for 'localhost' or an address, \
         not for '{name}', which a web page could have sent; ask for localhost, let the proxy in front \
         do so, or set admin.tokens"
    );
    Problem::new(StatusCode::MISDIRECTED_REQUEST, message)
}

/// The name that a request is for, unless it is an address or `localhost`.
fn foreign_name<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let host = match uri.authority() {
        Some(authority) => authority.as_str(),
        // A header that is no text is no address either.
        None => headers.get(HOST)?.to_str().unwrap_or("?"),
    };
    let name = match host.rsplit_once(':') {
        // The colons of an address in brackets do not count.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let lower = bare.to_ascii_lowercase();
    let local = bare.is_empty()
        || bare.parse::<IpAddr>().is_ok()
        || lower == "localhost"
        || lower.ends_with(".localhost");
    (!local).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_web_page_could_have() {
        for (host, expected) in [
            ("localhost", None),
            ("LocalHost:9070", None),
            ("node.localhost:1", None),
            ("127.0.0.1:9070", None),
            ("10.1.2.3", None),
            ("[::1]:9070", None),
            ("[::1]", None),
            ("", None),
            ("example.org:9070", Some("example.org")),
            ("localhost.example.org", Some("localhost.example.org")),
            ("notlocalhost", Some("notlocalhost")),
            ("127.0.0.1.example.org", Some("127.0.0.1.example.org")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().expect("a value"));
            let bare = Uri::from_static("/deployments");
            assert_eq!(foreign_name(&bare, &headers), expected, "{host}");
            if !host.is_empty() {
                // HTTP/2 puts it into the URI.
                let uri: Uri = format!("http://{host}/deployments").parse().expect("a URI");
                assert_eq!(foreign_name(&uri, &HeaderMap::new()), expected, "{host}");
            }
        }
        assert_eq!(foreign_name(&Uri::from_static("/"), &HeaderMap::new()), None);
    }
}
