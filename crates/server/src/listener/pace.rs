//! Bytes that stop arriving, stop leaving, or are too many at once.
//!
//! - Owns: [`IncomingBody`], the body of every request, and [`PacedIo`], the socket below it.
//! - Invariant: as long as bytes flow there is no timer: one is made when a read or write has to wait.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::limits;

/// A timer that runs only while something is awaited.
struct Patience {
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(pause: Duration) -> Patience {
        Patience { pause, timer: None }
    }

    /// To be told how every poll went; true when the wait has lasted too long.
    fn exhausted(&mut self, pending: bool, cx: &mut Context<'_>) -> bool {
        if !pending {
            self.timer = None;
            return false;
        }
        let pause = self.pause;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(pause)));
        timer.as_mut().poll(cx).is_ready()
    }
}

/// Why a request body cannot be read to its end. Send the request again.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke, or what came on it is not HTTP.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The peer stopped sending; the field is the bound in milliseconds.
    #[error("nothing arrived for {0} ms")]
    Stalled(u64),
    /// Other requests take all the memory there is for bodies. Retry in a moment.
    #[error("too many large requests at the same time, retry in a moment")]
    TooMany,
}

/// The body of a request, with a bound on its pauses and on the memory of all bodies together.
pub struct IncomingBody {
    body: Incoming,
    patience: Patience,
    free_bytes: usize,
    budget: Arc<Semaphore>,
    /// What this body holds of the budget, until it is dropped.
    held: Option<OwnedSemaphorePermit>,
}

impl IncomingBody {
    pub(super) fn new(body: Incoming, pause: Duration, budget: Arc<Semaphore>) -> IncomingBody {
        let (patience, free_bytes) = (Patience::new(pause), limits::LISTENER_BODY_FREE_BYTES);
        IncomingBody { body, patience, free_bytes, budget, held: None }
    }

    /// Takes bytes from the budget, once the free ones are used up; false when it is exhausted.
    fn hold(&mut self, bytes: usize) -> bool {
        let free = self.free_bytes.min(bytes);
        self.free_bytes -= free;
        let rest = bytes - free;
        if rest == 0 {
            return true;
        }
        let Ok(count) = u32::try_from(rest) else { return false };
        let Ok(permit) = Arc::clone(&self.budget).try_acquire_many_owned(count) else {
            return false;
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        true
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if this.patience.exhausted(frame.is_pending(), cx) {
            let pause_ms = u64::try_from(this.patience.pause.as_millis()).unwrap_or(u64::MAX);
            return Poll::Ready(Some(Err(BodyError::Stalled(pause_ms))));
        }
        let Some(frame) = ready!(frame) else { return Poll::Ready(None) };
        let frame = frame?;
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        Poll::Ready(Some(if this.hold(bytes) { Ok(frame) } else { Err(BodyError::TooMany) }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose peer has to take what it asked for.
pub(super) struct PacedIo<S> {
    stream: S,
    patience: Patience,
}

impl<S> PacedIo<S> {
    pub(super) fn new(stream: S, pause: Duration) -> PacedIo<S> {
        PacedIo { stream, patience: Patience::new(pause) }
    }

    fn paced<T>(&mut self, poll: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.patience.exhausted(poll.is_pending(), cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.paced(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.paced(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.paced(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.paced(poll, cx)
    }
}
