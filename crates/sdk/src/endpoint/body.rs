//! Bodies: requests as streams of bytes, responses as channels of them.
//!
//! - Owns: the response of an attempt, which ends the attempt when nobody reads it any more.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use hyper::body::{Body, Frame};
use tokio::{sync::mpsc, task::AbortHandle};

use crate::driver::Lost;

/// The bytes of a request body; trailers mean nothing here.
pub(super) struct RequestBytes<B>(pub B);

impl<B: Body<Data = Bytes> + Unpin> Stream for RequestBytes<B> {
    type Item = Result<Bytes, B::Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.get_mut().0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
    }
}

/// The response of an endpoint.
pub(crate) enum ResponseBody {
    /// A text that is there.
    Text(Bytes),
    /// An attempt.
    Attempt(Attempt),
}

/// The output of an attempt, and what ends it.
pub(crate) struct Attempt {
    pub output: mpsc::Receiver<Result<Bytes, Lost>>,
    pub task: AbortHandle,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let bytes = match self.get_mut() {
            Self::Text(text) if text.is_empty() => None,
            Self::Text(text) => Some(Ok(std::mem::take(text))),
            Self::Attempt(attempt) => ready!(attempt.output.poll_recv(cx)),
        };
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}
