//! Writing to a connection for many streams at once.
//!
//! A commit lets many attempts go on at the same time, and each of them wakes the task of its connection.
//! The scheduler runs a task that was just woken before those that are ready as well, so each frame
//! would leave by a system call of its own.
//! - Owns: when the task of a connection works: behind what is ready to run when it is woken.
//! - Invariant: a wake is followed by work. A connection with one stream has nothing to gather, and works
//!   at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// A connection that gathers what is written to it.
pub(super) struct Gathered<C> {
    connection: C,
    /// The streams of the connection.
    streams: Arc<AtomicUsize>,
    gathering: bool,
}

impl<C> Gathered<C> {
    /// Wraps a connection. `streams` is how many are open, at any time.
    pub(super) fn new(connection: C, streams: Arc<AtomicUsize>) -> Gathered<C> {
        Gathered { connection, streams, gathering: false }
    }
}

impl<C: Future + Unpin> Future for Gathered<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        // Only a hint, so it need not be ordered with anything.
        self.gathering = !self.gathering && self.streams.load(Ordering::Relaxed) > 1;
        if self.gathering {
            // A task that wakes itself goes behind all that are ready.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.connection).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Mutex;

    use super::*;

    /// What happened, in order.
    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn note(log: &Log, what: &'static str) {
        log.lock().expect("no test panics with it").push(what);
    }

    /// Wakes a connection, and then another task, from a third one.
    async fn order(streams: usize) -> Vec<&'static str> {
        let log = Log::default();
        let connection = {
            let log = Arc::clone(&log);
            let mut polls = 0;
            poll_fn(move |cx| {
                polls += 1;
                note(&log, "connection");
                match polls {
                    2 => Poll::Ready(()),
                    _ => {
                        note(&log, "idle");
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                }
            })
        };
        let gathered = Gathered::new(connection, Arc::new(AtomicUsize::new(streams)));
        let gathered = tokio::spawn(gathered);
        let attempt = {
            let log = Arc::clone(&log);
            tokio::spawn(async move { note(&log, "attempt") })
        };
        gathered.await.expect("it ends");
        attempt.await.expect("it ends");
        let log = log.lock().expect("no test panics with it");
        log.clone()
    }

    #[tokio::test]
    async fn a_connection_with_many_streams_works_behind_all_that_is_ready() {
        assert_eq!(order(2).await, ["attempt", "connection", "idle", "connection"]);
    }

    #[tokio::test]
    async fn a_connection_with_one_stream_works_at_once() {
        assert_eq!(order(1).await, ["connection", "idle", "attempt", "connection"]);
    }
}
