//! Writing to a connection for many streams at once.
//!
//! A commit lets many attempts go on, and answers many calls, at the same time, and each of them wakes
//! the task of its connection. The scheduler runs a task that was just woken before those that are ready
//! as well, so each frame would leave by a system call of its own.
//!
//! - Owns: when the task of a connection works: behind what is ready to run when it is woken.
//! - Invariant: a wake is followed by work. A connection with one stream has nothing to gather, and works
//!   at once.

use std::task::{Context, Poll};

/// What the task of a connection remembers between its turns.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    gathering: bool,
}

impl Gather {
    /// Works, or comes back behind everything that is ready. `streams` is how many are open; it is only
    /// a hint.
    pub(crate) fn poll<T>(
        &mut self,
        streams: usize,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.gathering = !self.gathering && streams > 1;
        if self.gathering {
            // A task that wakes itself goes behind all that are ready.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        work(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What happened, in order.
    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn note(log: &Log, what: &'static str) {
        log.lock().expect("no test panics with it").push(what);
    }

    /// Wakes a connection, and then another task, from a third one.
    async fn order(streams: usize) -> Vec<&'static str> {
        let log = Log::default();
        let mut connection = {
            let log = Arc::clone(&log);
            let mut polls = 0;
            move |cx: &mut Context<'_>| {
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
            }
        };
        let mut gather = Gather::default();
        let gathered = poll_fn(move |cx| gather.poll(streams, cx, &mut connection));
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
