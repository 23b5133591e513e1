//! HTTP: h2c by prior knowledge and HTTP/1.1 on one port; discovery, invocations and health.
//!
//! - Owns: connections and routes. An attempt is a response body that reads the request body when
//!   it is polled; so an attempt costs no task and no channel of its own.
//! - Invariant: a response ends after its request has ended, as the protocol demands.
//!
//! Start with [`Endpoint::serve`].

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::{
    body::{Body, Frame},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use reveille_protocol::version::ServiceProtocolVersion;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};

use crate::{Endpoint, machine::Machine};

/// Streams per connection; a server that needs more opens another connection.
const HTTP2_STREAMS_MAX: u32 = 1024;
const HTTP2_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How long to wait when connections cannot be accepted, mostly for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

const SERVER_HEADER: &str = "x-restate-server";
const SERVER_NAME: &str = concat!("reveille-endpoint/", env!("CARGO_PKG_VERSION"));
/// Manifest versions, the best first. The manifest has nothing that only the last one knows.
const MANIFEST_TYPES: [&str; 3] = [
    "application/vnd.restate.endpointmanifest.v4+json",
    "application/vnd.restate.endpointmanifest.v3+json",
    "application/vnd.restate.endpointmanifest.v2+json",
];

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type ResponseBody<B> = Either<Full<Bytes>, InvocationBody<B>>;

impl Endpoint {
    /// Serves connections until `shutdown` completes, then drops them.
    ///
    /// Attempts that were running are lost; the server repeats them elsewhere or later.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Only latency is lost when the option cannot be set.
                        let _ = stream.set_nodelay(true);
                        connections.spawn(self.clone().serve_connection(stream));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
                },
            }
        }
    }

    /// Serves one connection, from wherever it comes, until either side closes it.
    pub async fn serve_connection(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http2()
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES);
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.respond(request))));
        // The peer that broke the connection knows; there is nobody else to tell.
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    /// Answers one request, from wherever it comes. The attempt goes on while its response is read.
    pub fn respond<B>(
        &self,
        request: Request<B>,
    ) -> Response<impl Body<Data = Bytes, Error = BoxError> + Send + use<B>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin,
    {
        let mut segments = request.uri().path().rsplit('/');
        match (segments.next(), segments.next(), segments.next()) {
            (Some("discover"), _, _) => self.discover(&request),
            (Some("health"), _, _) => plain(StatusCode::OK, "OK"),
            (Some(handler), Some(service), Some("invoke")) => {
                let (handler, service) = (handler.to_owned(), service.to_owned());
                self.invoke(request, &service, &handler)
            }
            _ => plain(StatusCode::NOT_FOUND, "not found"),
        }
    }

    fn discover<B>(&self, request: &Request<B>) -> Response<ResponseBody<B>> {
        let accept = request.headers().get(header::ACCEPT);
        let accept = accept.map_or(Some(MANIFEST_TYPES[2]), |accept| accept.to_str().ok());
        let accepted = |ty: &&str| accept.is_some_and(|accept| accept.contains(ty));
        match MANIFEST_TYPES.into_iter().find(accepted) {
            Some(ty) => respond(StatusCode::OK, ty, self.inner.manifest.clone()),
            None => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "manifest versions 2 to 4"),
        }
    }

    fn invoke<B>(
        &self,
        request: Request<B>,
        service: &str,
        handler: &str,
    ) -> Response<ResponseBody<B>> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let version = ServiceProtocolVersion::from_content_type(content_type)
            .filter(|version| self.inner.versions.contains(&version.number()));
        let Some(version) = version else {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported protocol version");
        };
        let Some(handler) = self.handler(service, handler) else {
            return plain(StatusCode::NOT_FOUND, "no such service or handler");
        };
        let machine = Machine::new(version.number(), handler.clone());
        let body = InvocationBody { request: request.into_body(), machine };
        head(StatusCode::OK, version.content_type(), Either::Right(body))
    }
}

/// The response of an attempt.
struct InvocationBody<B> {
    request: B,
    machine: Machine,
}

impl<B: Body<Data = Bytes> + Unpin> Body for InvocationBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Self { request, machine } = self.get_mut();
        loop {
            if let Some(output) = machine.take_output() {
                return Poll::Ready(Some(Ok(Frame::data(output))));
            }
            if machine.is_finished() {
                return Poll::Ready(None);
            }
            match Pin::new(&mut *request).poll_frame(context) {
                // Trailers mean nothing here.
                Poll::Ready(Some(Ok(frame))) => {
                    machine.push(frame.into_data().unwrap_or_default());
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => machine.close_input(),
                Poll::Pending => {
                    machine.advance();
                    match machine.take_output() {
                        Some(output) => return Poll::Ready(Some(Ok(Frame::data(output)))),
                        None => return Poll::Pending,
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.machine.is_finished()
    }
}

fn plain<B>(status: StatusCode, text: &'static str) -> Response<ResponseBody<B>> {
    respond(status, "text/plain", Bytes::from_static(text.as_bytes()))
}

fn respond<B>(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
) -> Response<ResponseBody<B>> {
    head(status, content_type, Either::Left(Full::new(body)))
}

fn head<B>(
    status: StatusCode,
    content_type: &'static str,
    body: ResponseBody<B>,
) -> Response<ResponseBody<B>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(SERVER_HEADER, header::HeaderValue::from_static(SERVER_NAME));
    response
}
