//! One connection, from the handshake to its end.
//!
//! - Owns: HTTP/1.1 and HTTP/2 on one port, by ALPN or by the first bytes, and when a connection that
//!   does nothing is closed.
//! - Invariant: a connection that is not served a request ends after a bounded time, however its peer
//!   behaves.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::gather::Gather;
use crate::limits;
use crate::tls::Stream;
use crate::tls::server::ServerTls;

use super::arrivals::Arrivals;
use super::pace::{IncomingBody, PacedIo};
use super::{Answer, Bounds, milliseconds};

/// What all connections of a listener share.
pub(super) struct Shared<A> {
    answer: Arc<A>,
    tls: Option<ServerTls>,
    handshakes: Semaphore,
    body_bytes: Arc<Semaphore>,
    bounds: Bounds,
}

impl<A: Answer> Shared<A> {
    pub(super) fn new(answer: A, tls: Option<ServerTls>, bounds: Bounds) -> Shared<A> {
        Shared {
            answer: Arc::new(answer),
            tls,
            handshakes: Semaphore::new(bounds.handshakes),
            body_bytes: Arc::new(Semaphore::new(bounds.body_bytes)),
            bounds,
        }
    }
}

/// How much a connection was used.
#[derive(Default)]
struct Activity {
    /// Requests that came so far.
    requests: AtomicU64,
    /// Those that have no answer yet.
    open: AtomicUsize,
}

/// A request that has no answer yet.
struct Open(Arc<Activity>);

impl Open {
    fn new(activity: &Arc<Activity>) -> Open {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(activity))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response: the request is open until it was sent or is not wanted any more.
struct OpenBody<B> {
    body: B,
    _open: Open,
}

impl<B: Body + Unpin> Body for OpenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves a connection to its end.
pub(super) async fn connection<A: Answer>(
    socket: TcpStream,
    place: OwnedSemaphorePermit,
    shared: Arc<Shared<A>>,
    stopping: watch::Receiver<bool>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off the delay of small packets");
    }
    let stream = match &shared.tls {
        None => Some(Stream::Plain(socket)),
        // Boxed, so that plain connections do not make room for it.
        Some(tls) => Box::pin(handshake(socket, tls, &shared, stopping.clone())).await,
    };
    if let Some(stream) = stream {
        http(stream, shared, stopping).await;
    }
    drop(place);
}

/// Shakes hands in time, or not at all.
async fn handshake<A>(
    socket: TcpStream,
    tls: &ServerTls,
    shared: &Shared<A>,
    mut stopping: watch::Receiver<bool>,
) -> Option<Stream> {
    let shaking = timeout(milliseconds(shared.bounds.handshake_ms), async {
        let _turn = shared.handshakes.acquire().await.expect("the semaphore is never closed");
        tls.acceptor().await.accept(socket).await
    });
    tokio::select! {
        shaken = shaking => match shaken {
            Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream.into()))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_elapsed) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        },
        // The sender lives as long as this task, so a change is a stop.
        _ = stopping.wait_for(|stop| *stop) => None,
    }
}

async fn http<A: Answer>(
    stream: Stream,
    shared: Arc<Shared<A>>,
    mut stopping: watch::Receiver<bool>,
) {
    let bounds = &shared.bounds;
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request: http::Request<Incoming>| {
        let (answer, open) = (Arc::clone(&shared.answer), Open::new(&activity));
        let request = request.map(|body| {
            let body_bytes = Arc::clone(&shared.body_bytes);
            IncomingBody::new(body, milliseconds(shared.bounds.body_pause_ms), body_bytes)
        });
        async move {
            let response = answer.answer(request).await;
            Ok::<_, Infallible>(response.map(|body| OpenBody { body, _open: open }))
        }
    });
    let io = TokioIo::new(PacedIo::new(stream, milliseconds(bounds.write_pause_ms)));
    let arrivals = Arrivals::default();
    let builder = builder(bounds, arrivals.clone());
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut gather = Gather::default();
    // Until the version is known, the timeouts of neither protocol run; later they bound what is in
    // flight, but not an HTTP/2 connection that only answers pings.
    let mut check = pin!(sleep(milliseconds(bounds.header_read_ms)));
    let mut requests_seen = 0;
    let mut closing = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| gather.poll(activity.open.load(Ordering::Relaxed), cx, |cx| {
                let ended = connection.as_mut().poll(cx);
                arrivals.try_each(cx);
                ended
            })) => break ended,
            // The sender lives as long as this task, so a change is a stop.
            _ = stopping.wait_for(|stop| *stop), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
                check.as_mut().reset(Instant::now() + milliseconds(bounds.closing_ms));
            }
            () = &mut check => {
                let requests = activity.requests.load(Ordering::Relaxed);
                let unused = activity.open.load(Ordering::Relaxed) == 0;
                let idle = unused && requests == requests_seen;
                if closing && unused {
                    // It was asked to end; a peer that does not want to is not asked again.
                    return;
                }
                if idle && !closing {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                requests_seen = requests;
                let next_ms = if closing { bounds.closing_ms } else { bounds.idle_ms };
                check.as_mut().reset(Instant::now() + milliseconds(next_ms));
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended early");
    }
}

fn builder(bounds: &Bounds, arrivals: Arrivals) -> auto::Builder<Arrivals> {
    let mut builder = auto::Builder::new(arrivals);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(milliseconds(bounds.header_read_ms))
        .max_buf_size(bounds.header_bytes as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(bounds.header_bytes)
        .max_concurrent_streams(bounds.streams)
        .initial_stream_window_size(limits::LISTENER_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::LISTENER_CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(milliseconds(limits::LISTENER_PING_INTERVAL_MS))
        .keep_alive_timeout(milliseconds(limits::LISTENER_PING_TIMEOUT_MS));
    builder
}
