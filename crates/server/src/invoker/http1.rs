//! HTTP/1.1 connections to deployments that cannot do better: one request at a time each.
//!
//! - Owns: the unused connections, the bound on all of them, and the request body.
//! - Does not own: what becomes of a response ([`super::exchange`]).
//! - Invariant: a connection returns only after its response was read to the end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::limits;

use super::connect::Address;
use super::outbound::Outbound;
use crate::tls::client::Alpn;

/// A request body that is complete from the start.
#[derive(Debug, Default)]
pub(super) struct Chunks(pub(super) VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|chunk| chunk.len() as u64).sum())
    }
}

/// The connections to one address.
pub(super) struct Http1Origin {
    address: Address,
    outbound: Outbound,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(SendRequest<Chunks>, Instant)>>,
}

/// One connection in use.
pub(super) struct Http1Lease {
    /// Sends the request.
    pub(super) sender: SendRequest<Chunks>,
    origin: Arc<Http1Origin>,
    _permit: OwnedSemaphorePermit,
}

impl Http1Lease {
    /// Keeps the connection for another request: the response was read to the end.
    pub(super) fn give_back(self) {
        let mut idle = self.origin.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(usable);
        if idle.len() < limits::IDLE_HTTP1_CONNECTIONS {
            idle.push((self.sender, Instant::now()));
        }
    }
}

impl Http1Origin {
    /// Makes an origin without connections.
    pub(super) fn new(address: Address, outbound: Outbound) -> Http1Origin {
        let permits = Arc::new(Semaphore::new(limits::CONNECTIONS_PER_DEPLOYMENT));
        Http1Origin { address, outbound, permits, idle: Mutex::default() }
    }

    /// Takes an unused connection or opens one; waits its turn when all are in use. `fresh` is for
    /// a request that an unused connection just failed to take.
    pub(super) async fn acquire(self: &Arc<Self>, fresh: bool) -> Result<Http1Lease, String> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_closed| "The server is stopping.".to_owned())?;
        while !fresh && let Some(mut sender) = self.take_idle() {
            // It is ready when its last request was written to the end, which a deployment that
            // answered early may never allow.
            let timeout = Duration::from_millis(limits::REUSE_TIMEOUT_MS);
            if let Ok(Ok(())) = tokio::time::timeout(timeout, sender.ready()).await {
                return Ok(Http1Lease { sender, origin: self.clone(), _permit: permit });
            }
        }
        let socket = self.address.connect(&self.outbound, Alpn::Http1).await;
        let socket = TokioIo::new(socket.map_err(|failure| failure.cause)?);
        let (sender, connection) =
            http1::handshake(socket).await.map_err(|error| format!("Cannot connect: {error}"))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/1.1 connection lost");
            }
        });
        Ok(Http1Lease { sender, origin: self.clone(), _permit: permit })
    }

    fn take_idle(&self) -> Option<SendRequest<Chunks>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(usable);
        idle.pop().map(|(sender, _since)| sender)
    }
}

fn usable((sender, since): &(SendRequest<Chunks>, Instant)) -> bool {
    !sender.is_closed() && since.elapsed() < Duration::from_millis(limits::CONNECTION_IDLE_MS)
}
