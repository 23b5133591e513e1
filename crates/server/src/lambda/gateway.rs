//! One connection to a function: requests come in over HTTP/1.1, invocations go out.
//!
//! - Owns: the connection to AWS, which is kept for the next request; credentials of a role.
//! - Invariant: one request at a time, as on every connection over HTTP/1.1.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::Mutex};

use super::{
    credentials::{self, Assumed, Credentials},
    event,
    function::Function,
    sign::Signing,
    zstd,
};
use crate::{invoker::dial, limits, text::time, tls::client::ClientTls};

/// Opens a connection to a function; its gateway is a task of its own.
pub(crate) fn connect(function: Function, tls: ClientTls) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(limits::LOCAL_PIPE_BYTES);
    let gateway = Arc::new(Mutex::new(Gateway { function, tls, role: None, lambda: None }));
    tokio::spawn(async move {
        let service = service_fn(|request| {
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, Infallible>(gateway.lock().await.respond(request).await) }
        });
        let serving = hyper::server::conn::http1::Builder::new();
        if let Err(error) = serving.serve_connection(TokioIo::new(theirs), service).await {
            tracing::debug!(%error, "the connection to a function was given up");
        }
    });
    ours
}

struct Gateway {
    function: Function,
    tls: ClientTls,
    role: Option<Assumed>,
    /// The connection of the last invocation, if it can be used again.
    lambda: Option<SendRequest<Full<Bytes>>>,
}

impl Gateway {
    /// What cannot be done is the answer of a gateway: 502, which fails the attempt with this text.
    async fn respond(&mut self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.invoke(request).await {
            Ok(response) => response.map(Full::new),
            Err(text) => {
                let mut response = Response::new(Full::new(Bytes::from(text)));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }

    async fn invoke(&mut self, request: Request<Incoming>) -> Result<Response<Bytes>, String> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let body = zstd::fit(body, limits::LAMBDA_REQUEST_BYTES, &mut head.headers)?;
        let path = head.uri.path();
        let path = path.strip_prefix(self.function.path().trim_end_matches('/')).unwrap_or(path);
        let event = event::encode(head.method.as_str(), path, &head.headers, &body);
        let credentials = self.credentials().await?;
        let arn = self.function.arn().replace(':', "%3A");
        let call = AwsCall {
            service: "lambda",
            path: format!("/2015-03-31/functions/{arn}/invocations"),
            content_type: "application/json",
            body: event.into(),
        };
        let (status, failed, payload) = self.send(call, &credentials, true).await?;
        let text = || String::from_utf8_lossy(&payload[..payload.len().min(2048)]).into_owned();
        if status != StatusCode::OK {
            return Err(format!("Lambda answered {status}: {}", text()));
        }
        if failed {
            return Err(format!("the function failed: {}", text()));
        }
        zstd::unpack(event::decode(&payload)?)
    }

    async fn credentials(&mut self) -> Result<Credentials, String> {
        let own = credentials::from_environment()?;
        let Some(role) = self.function.role.clone() else { return Ok(own) };
        if let Some(assumed) = self.role.as_ref().filter(|assumed| assumed.is_fresh()) {
            return Ok(assumed.credentials.clone());
        }
        let call = AwsCall {
            service: "sts",
            path: "/".to_owned(),
            content_type: "application/x-www-form-urlencoded",
            body: credentials::assume_role(&role).into(),
        };
        let (status, _, payload) = self.send(call, &own, false).await?;
        let text = String::from_utf8_lossy(&payload);
        let taken = credentials::assumed(&text).filter(|_| status == StatusCode::OK);
        // An answer that was refused holds no secrets.
        let taken = taken.ok_or_else(|| match status {
            StatusCode::OK => format!("the answer to taking on role {role} cannot be read"),
            status => format!("role {role} cannot be taken on: {status}: {text}"),
        })?;
        self.role = Some(Assumed::new(taken.clone()));
        Ok(taken)
    }

    /// Sends a signed request; returns status, whether the function failed, and the body.
    async fn send(
        &mut self,
        call: AwsCall,
        credentials: &Credentials,
        keep: bool,
    ) -> Result<(StatusCode, bool, Bytes), String> {
        let endpoint = credentials::endpoint(call.service, &self.function.region);
        let request = call.request(&endpoint, &self.function.region, credentials)?;
        let kept = self.lambda.take().filter(|kept| keep && kept.is_ready());
        let mut sender = match kept {
            Some(sender) => sender,
            None => dial(&endpoint, &self.tls).await?,
        };
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| format!("cannot call {endpoint}: {error}"))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, limits::LAMBDA_RESPONSE_BYTES).collect().await;
        let body =
            body.map_err(|error| format!("cannot read the answer of {endpoint}: {error}"))?;
        if keep {
            self.lambda = Some(sender);
        }
        let failed = head.headers.contains_key("x-amz-function-error");
        Ok((head.status, failed, body.to_bytes()))
    }
}

/// A request to AWS.
struct AwsCall {
    service: &'static str,
    path: String,
    content_type: &'static str,
    body: Bytes,
}

impl AwsCall {
    fn request(
        self,
        endpoint: &str,
        region: &str,
        credentials: &Credentials,
    ) -> Result<Request<Full<Bytes>>, String> {
        let uri: Uri = endpoint.parse().map_err(|error| format!("{endpoint}: {error}"))?;
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let signing = Signing {
            method: Method::POST.as_str(),
            host: &host,
            path: &self.path,
            body: &self.body,
            region,
            service: self.service,
            time: &time::basic_utc(time::now()),
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header("host", &host)
            .header("content-type", self.content_type);
        for (name, value) in signing.headers(credentials) {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).map_err(|error| error.to_string())
    }
}
