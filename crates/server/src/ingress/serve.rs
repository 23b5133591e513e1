//! Sockets: HTTP/1.1 and HTTP/2 with prior knowledge on one port.
//!
//! - Owns: connections, their bounds and timeouts, and the shutdown.
//! - Invariant: when [`serve`] returns, no connection is left. Requests that are in flight when
//!   the shutdown begins get a bounded time to end; a call that waits longer is cut off, and its
//!   caller asks again and joins the invocation, which goes on.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::Ingress;
use crate::limits;

/// Answers requests on `listener` until `shutdown` ends; then closes gracefully.
pub async fn serve(listener: TcpListener, ingress: Ingress, shutdown: impl Future<Output = ()>) {
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(limits::INGRESS_CONNECTIONS));
    let ingress = Arc::new(ingress);
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
            (stream, place) = accept(&listener, &places) => {
                let (ingress, stopping) = (Arc::clone(&ingress), stopping.clone());
                connections.spawn(connection(stream, place, ingress, stopping));
            }
        }
    }
    drop(listener);
    // Without connections nobody listens, and nobody has to.
    let _nobody_listens = stop.send(true);
    let drained = timeout(milliseconds(limits::INGRESS_SHUTDOWN_MS), async {
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
                sleep(milliseconds(limits::INGRESS_ACCEPT_RETRY_MS)).await;
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

async fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    ingress: Arc<Ingress>,
    mut stopping: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off the delay of small packets");
    }
    let seen = AtomicBool::new(false);
    let service = service_fn(|request| {
        seen.store(true, Ordering::Relaxed);
        let ingress = Arc::clone(&ingress);
        async move { Ok::<_, Infallible>(ingress.handle(request).await) }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut silence = pin!(sleep(milliseconds(limits::INGRESS_HEADER_READ_MS)));
    let mut silent = true;
    let mut stopped = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            // The sender lives as long as this task, so a change is a stop.
            _ = stopping.wait_for(|stop| *stop), if !stopped => {
                stopped = true;
                connection.as_mut().graceful_shutdown();
            }
            // Until the version is known, the timeouts of neither protocol run.
            () = &mut silence, if silent => {
                silent = false;
                if !seen.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended early");
    }
    drop(place);
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(milliseconds(limits::INGRESS_HEADER_READ_MS))
        .max_buf_size(limits::INGRESS_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits::INGRESS_HEADER_BYTES)
        .max_concurrent_streams(limits::INGRESS_STREAMS_PER_CONNECTION)
        .initial_stream_window_size(limits::INGRESS_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::INGRESS_CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(milliseconds(limits::INGRESS_PING_INTERVAL_MS))
        .keep_alive_timeout(milliseconds(limits::INGRESS_PING_TIMEOUT_MS));
    builder
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}
