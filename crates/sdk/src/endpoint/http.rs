//! HTTP: h2c by prior knowledge and HTTP/1.1 on one port; discovery, invocations and health.
//!
//! - Owns: connections, routes, and when an endpoint stops.
//! - Invariant: a response ends after its request has ended, as the protocol demands; an attempt ends with
//!   its connection.
//!
//! Start with [`Endpoint::serve`].

use std::{convert::Infallible, future::ready, io, pin::pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Body, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use reveille_protocol::version::ServiceProtocolVersion;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, ToSocketAddrs},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Endpoint, ProtocolMode,
    body::{Attempt, RequestBytes, ResponseBody},
    manifest::Refusal,
};
use crate::driver::{Lost, drive};

/// Streams per connection; a server that needs more opens another connection.
const HTTP2_STREAMS_MAX: u32 = 1024;
const HTTP2_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How long to wait when connections cannot be accepted, mostly for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// Segments of output that an attempt may be ahead of the connection.
const OUTPUT_SEGMENTS: usize = 16;

const SERVER_HEADER: &str = "x-restate-server";
const SERVER_NAME: &str = concat!("reveille-sdk-rust/", env!("CARGO_PKG_VERSION"));

impl Endpoint {
    /// Serves on an address until the process ends.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        self.serve(listener, std::future::pending()).await;
        Ok(())
    }

    /// Serves connections until `shutdown` completes.
    ///
    /// Then handlers that only wait end at once, and are continued elsewhere or later. Steps that are being
    /// executed have [some time](super::EndpointBuilder::shutdown_grace) to end.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Only latency is lost when the option cannot be set.
                        let _ = stream.set_nodelay(true);
                        connections.spawn(self.clone().connection(stream, stopping.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
                },
            }
        }
        drop(listener);
        // Nobody is connected when nobody hears it.
        let _ = stop.send(true);
        let ended = async { while connections.join_next().await.is_some() {} };
        // What is left is dropped with the set.
        let _ = timeout(self.inner.shutdown_grace, ended).await;
    }

    /// Serves one connection, for instance over TLS, until it ends or `shutdown` completes.
    pub async fn serve_connection<S>(&self, stream: S, shutdown: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let mut connection = pin!(self.clone().connection(stream, stopping));
        tokio::select! {
            () = &mut connection => return,
            () = shutdown => {}
        }
        // The connection holds the other end.
        let _ = stop.send(true);
        let _ = timeout(self.inner.shutdown_grace, connection).await;
    }

    async fn connection<S>(self, stream: S, mut stopping: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http2()
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES);
        let stops = stopping.clone();
        let service = service_fn(move |request| {
            ready(Ok::<_, Infallible>(self.respond(request, stops.clone(), false)))
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // The peer that broke a connection knows; there is nobody else to tell.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    /// Answers a request. `is_whole` where requests and responses can only be exchanged whole.
    pub(crate) fn respond<B>(
        &self,
        request: Request<B>,
        stopping: watch::Receiver<bool>,
        is_whole: bool,
    ) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let path = request.uri().path().to_owned();
        let mut segments = path.rsplit('/');
        let route = (segments.next(), segments.next(), segments.next());
        if route.0 == Some("health") {
            return text(StatusCode::OK, "OK");
        }
        if let Some(refused) = self.refuse_unsigned(request.headers(), &path) {
            return text(StatusCode::UNAUTHORIZED, refused);
        }
        match route {
            (Some("discover"), _, _) => {
                let is_http2 = request.version() == http::Version::HTTP_2;
                let by_version = match is_http2 {
                    true => ProtocolMode::Bidirectional,
                    false => ProtocolMode::RequestResponse,
                };
                let mode = self.inner.mode.filter(|_| !is_whole).unwrap_or(by_version);
                self.discover(request.headers(), mode)
            }
            (Some(handler), Some(service), Some("invoke")) => {
                self.invoke(request, service, handler, stopping)
            }
            _ => text(StatusCode::NOT_FOUND, "not found"),
        }
    }

    #[cfg(feature = "identity")]
    fn refuse_unsigned(&self, headers: &HeaderMap, path: &str) -> Option<&'static str> {
        super::identity::refuse(&self.inner.identity_keys, headers, path)
    }

    #[cfg(not(feature = "identity"))]
    fn refuse_unsigned(&self, _headers: &HeaderMap, _path: &str) -> Option<&'static str> {
        None
    }

    fn discover(&self, headers: &HeaderMap, mode: ProtocolMode) -> Response<ResponseBody> {
        let accept = headers.get(header::ACCEPT);
        let accept = accept.map(|accept| accept.to_str().unwrap_or_default());
        match self.manifest_for(accept, mode) {
            Ok((content_type, body)) => respond(StatusCode::OK, content_type, body.into()),
            Err(Refusal::NotAcceptable) => {
                text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "manifest versions 1 to 4 are known")
            }
            Err(Refusal::TooOld(reason)) => text(StatusCode::INTERNAL_SERVER_ERROR, reason),
        }
    }

    fn invoke<B>(
        &self,
        request: Request<B>,
        service: &str,
        handler: &str,
        stopping: watch::Receiver<bool>,
    ) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(version) = ServiceProtocolVersion::from_content_type(content_type) else {
            let message = "versions 5 to 7 of the service protocol are known";
            return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        };
        let Some(handler) = self.handler(service, handler).cloned() else {
            return text(StatusCode::NOT_FOUND, format!("no handler {service}/{handler}"));
        };
        let (output, receiver) = mpsc::channel(OUTPUT_SEGMENTS);
        let settings = self.settings();
        let input = RequestBytes(request.into_body());
        // A task of its own, so that handlers run on all cores and a busy one holds up no other.
        let task = tokio::spawn(async move {
            if drive(&handler, version, settings, input, output.clone(), stopping).await.is_err() {
                // Nobody reads it any more, if it cannot be sent.
                let _ = output.send(Err(Lost)).await;
            }
        });
        let attempt = Attempt { output: receiver, task: task.abort_handle() };
        head(StatusCode::OK, version.content_type(), ResponseBody::Attempt(attempt))
    }
}

fn text(status: StatusCode, text: impl Into<String>) -> Response<ResponseBody> {
    respond(status, "text/plain; charset=utf-8", Bytes::from(text.into()))
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<ResponseBody> {
    head(status, content_type, ResponseBody::Text(body))
}

fn head(
    status: StatusCode,
    content_type: &'static str,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(SERVER_HEADER, HeaderValue::from_static(SERVER_NAME));
    response
}
