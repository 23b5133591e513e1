//! The body of a request within the process: chunks from one task to another, as they are.
//!
//! - Owns: the queue between the two, bounded by [`CHUNKS_MAX`].
//! - Invariant: the reader gets every chunk that was sent, in order, and then learns whether the request
//!   was closed or reset. Whoever waits is woken by what the other side does.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};

/// Chunks that wait for the reader; then the writer waits.
const CHUNKS_MAX: usize = 16;

/// The request ended before it was complete: the attempt is over.
#[derive(Debug, thiserror::Error)]
#[error("the request was reset")]
pub struct RequestReset;

/// The body of a request, for the deployment that reads it.
#[derive(Debug)]
pub struct LocalRequest(Arc<Mutex<Pipe>>);

/// The other end. Dropping it resets the request, unless it was closed.
#[derive(Debug)]
pub(in crate::invoker) struct Input(Arc<Mutex<Pipe>>);

#[derive(Debug, Default)]
struct Pipe {
    chunks: VecDeque<Bytes>,
    state: State,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nothing follows what is queued.
    Closed,
    /// The writer has gone.
    Reset,
    /// The reader has gone: nothing is kept any more.
    Unread,
}

/// Makes both ends.
pub(super) fn pipe() -> (Input, LocalRequest) {
    let pipe = Arc::<Mutex<Pipe>>::default();
    (Input(Arc::clone(&pipe)), LocalRequest(pipe))
}

impl Input {
    /// Waits until a chunk may be sent.
    pub(in crate::invoker) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = locked(&self.0);
        if pipe.chunks.len() < CHUNKS_MAX {
            return Poll::Ready(());
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Sends a chunk. It goes nowhere behind the end, or once the reader has gone, which the response tells.
    pub(in crate::invoker) fn send(&self, chunk: Bytes) {
        let mut pipe = locked(&self.0);
        if pipe.state == State::Open {
            pipe.chunks.push_back(chunk);
            wake(pipe, |pipe| &mut pipe.reader);
        }
    }

    /// Ends the request behind what was sent, unless it has ended.
    pub(in crate::invoker) fn close(&self) {
        self.end(State::Closed);
    }

    fn end(&self, state: State) {
        let mut pipe = locked(&self.0);
        if pipe.state == State::Open {
            pipe.state = state;
            wake(pipe, |pipe| &mut pipe.reader);
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.end(State::Reset);
    }
}

impl Body for LocalRequest {
    type Data = Bytes;
    type Error = RequestReset;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestReset>>> {
        let mut pipe = locked(&self.0);
        if let Some(chunk) = pipe.chunks.pop_front() {
            wake(pipe, |pipe| &mut pipe.writer);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match pipe.state {
            State::Open => {
                pipe.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Reset => Poll::Ready(Some(Err(RequestReset))),
            State::Closed | State::Unread => Poll::Ready(None),
        }
    }
}

impl Drop for LocalRequest {
    fn drop(&mut self) {
        let mut pipe = locked(&self.0);
        pipe.state = State::Unread;
        pipe.chunks = VecDeque::new();
        wake(pipe, |pipe| &mut pipe.writer);
    }
}

/// Wakes one side, after the lock is free.
fn wake(mut pipe: MutexGuard<'_, Pipe>, side: fn(&mut Pipe) -> &mut Option<Waker>) {
    let waker = side(&mut pipe).take();
    drop(pipe);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Locks a mutex whose holders never panic half-way.
fn locked(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body_util::BodyExt as _;

    use super::*;

    fn chunk(number: u8) -> Bytes {
        vec![number].into()
    }

    #[tokio::test]
    async fn chunks_arrive_in_order_and_no_more_than_the_bound_wait() {
        let (input, mut request) = pipe();
        let writer = tokio::spawn(async move {
            for number in 0..100 {
                poll_fn(|cx| input.poll_room(cx)).await;
                assert!(locked(&input.0).chunks.len() < CHUNKS_MAX);
                input.send(chunk(number));
            }
            input.close();
        });
        for number in 0..100 {
            let frame = request.frame().await.expect("a frame").expect("not reset");
            assert_eq!(frame.into_data().expect("data"), chunk(number));
        }
        assert!(request.frame().await.is_none(), "closed, though its writer is gone");
        writer.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_reader_that_waits_learns_of_every_end() {
        for close in [true, false] {
            let (input, mut request) = pipe();
            let reader = tokio::spawn(async move { request.frame().await.map(|it| it.is_err()) });
            // It waits before anything happens.
            while locked(&input.0).reader.is_none() {
                tokio::task::yield_now().await;
            }
            if close {
                input.close();
            }
            drop(input);
            assert_eq!(reader.await.expect("no panic"), (!close).then_some(true));
        }
    }

    #[tokio::test]
    async fn a_writer_that_waits_is_let_go_when_nobody_reads() {
        let (input, request) = pipe();
        (0..CHUNKS_MAX).for_each(|_| input.send(chunk(0)));
        let mut room = std::pin::pin!(poll_fn(|cx| input.poll_room(cx)));
        let waits = poll_fn(|cx| Poll::Ready(room.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        drop(request);
        room.await;
        input.send(chunk(1));
        assert!(locked(&input.0).chunks.is_empty(), "nothing is kept for nobody");
    }
}
