//! Listening: connections of callers and operators, their bounds, TLS and the shutdown.
//!
//! ```text
//! serve           accepts, up to a number of connections
//!   connection    handshake, HTTP/1.1 and HTTP/2 on one port, idle and silent connections
//!     arrivals    requests over HTTP/2: tried at once, a task for those that wait
//!     pace        bytes that stop arriving or leaving
//!       Answer    one request in, one response out: the ingress, the admin API
//! ```
//!
//! - Owns: sockets and every bound on how slowly and how often they may be used ([`Bounds`]).
//! - Does not own: what a request means.
//! - Invariant: when [`serve`] returns, no connection is left. Requests that are in flight when
//!   the shutdown begins get a bounded time to end; a call that waits longer is cut off, and its
//!   caller asks again and joins the invocation, which goes on.

mod arrivals;
mod connection;
mod pace;

#[cfg(test)]
mod tests;

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use crate::limits;
use crate::tls::server::ServerTls;

use self::connection::Shared;
pub use self::pace::{BodyError, IncomingBody};

/// Answers requests.
pub trait Answer: Send + Sync + 'static {
    /// Bodies of responses.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;

    /// Answers one request, whatever it brings.
    fn answer(
        self: Arc<Self>,
        request: Request<IncomingBody>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Any error, as bodies of responses may have.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bounds of one listener. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections: usize,
    /// Requests at the same time on one HTTP/2 connection; a client keeps further ones to itself.
    pub streams: u32,
    /// TLS handshakes at the same time; further ones wait, within their own time.
    pub handshakes: usize,
    /// Longest TLS handshake.
    pub handshake_ms: u64,
    /// Longest wait for the head of a request; over HTTP/1.1 also the longest idle time.
    pub header_read_ms: u64,
    /// Largest head of a request, in bytes.
    pub header_bytes: u32,
    /// An HTTP/2 connection without requests for this to twice this long is closed.
    pub idle_ms: u64,
    /// Longest pause between two pieces of a request body.
    pub body_pause_ms: u64,
    /// Bytes of request bodies that are being read at the same time, beyond the first
    /// [`limits::LISTENER_BODY_FREE_BYTES`] of each.
    pub body_bytes: usize,
    /// Longest time for which a connection takes no byte of what it asked for.
    pub write_pause_ms: u64,
    /// Longest wait for a connection to end that was asked to.
    pub closing_ms: u64,
    /// Longest wait for requests in flight when the listener shuts down.
    pub shutdown_ms: u64,
}

impl Bounds {
    /// The bounds of the ingress.
    pub fn ingress() -> Bounds {
        Bounds {
            connections: limits::INGRESS_CONNECTIONS,
            streams: limits::LISTENER_STREAMS_DEFAULT,
            handshakes: limits::LISTENER_HANDSHAKES,
            handshake_ms: limits::LISTENER_HANDSHAKE_MS,
            header_read_ms: limits::LISTENER_HEADER_READ_MS,
            header_bytes: limits::LISTENER_HEADER_BYTES,
            idle_ms: limits::LISTENER_IDLE_MS,
            body_pause_ms: limits::LISTENER_BODY_PAUSE_MS,
            body_bytes: limits::LISTENER_BODY_BYTES,
            write_pause_ms: limits::LISTENER_WRITE_PAUSE_MS,
            closing_ms: limits::LISTENER_CLOSING_MS,
            shutdown_ms: limits::LISTENER_SHUTDOWN_MS,
        }
    }

    /// The bounds of the admin API.
    pub fn admin() -> Bounds {
        Bounds { connections: limits::ADMIN_CONNECTIONS, ..Bounds::ingress() }
    }
}

/// A listener with everything it needs.
pub struct Listener {
    /// Where connections come from.
    pub socket: TcpListener,
    /// TLS, if it is on.
    pub tls: Option<ServerTls>,
    /// What connections may do.
    pub bounds: Bounds,
}

/// Answers requests until `shutdown` ends; then closes gracefully.
pub async fn serve(listener: Listener, answer: impl Answer, shutdown: impl Future<Output = ()>) {
    let Listener { socket, tls, bounds } = listener;
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(bounds.connections));
    let shutdown_ms = bounds.shutdown_ms;
    let shared = Arc::new(Shared::new(answer, tls, bounds));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // Taking ended tasks out one by one keeps the set as small as the set of connections.
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection task failed, its caller got no answer");
                }
            }
            (stream, place) = accept(&socket, &places) => {
                let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
                connections.spawn(connection::connection(stream, place, shared, stopping));
            }
        }
    }
    drop(socket);
    // Without connections nobody listens, and nobody has to.
    let _nobody_listens = stop.send(true);
    let drained = timeout(milliseconds(shutdown_ms), async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::info!(connections = connections.len(), "closing connections that still wait");
        connections.shutdown().await;
    }
}

/// Accepts the next connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                // Usually out of file descriptors: give connections a moment to end.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(milliseconds(limits::LISTENER_ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

/// Errors of a connection that ended before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}
