//! Requests that arrived over one HTTP/2 connection.
//!
//! Each is tried once by the task of its connection, after everything that came with it was read: one
//! that is answered at once, such as one that is refused under load, costs no task, and others are on
//! their way to a partition a turn earlier. Only one that has to wait is given a task of its own.
//!
//! - Owns: the requests between their arrival and their first try.
//! - Does not own: connections that a request turns into something else; no listener has any.
//! - Invariant: whatever arrived is tried in order, and goes on if its connection ends meanwhile. A
//!   request that panics ends alone.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::Executor;

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The requests of one connection; clones share them.
#[derive(Clone, Default)]
pub(super) struct Arrivals {
    // Only the task of the connection locks it, so nobody ever waits.
    untried: Arc<Mutex<Vec<Request>>>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Arrivals {
    fn execute(&self, request: F) {
        let request = Box::pin(request);
        self.untried.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

impl Arrivals {
    /// Tries what arrived since the last time.
    pub(super) fn try_each(&self, cx: &mut Context<'_>) {
        let mut untried = self.untried.lock().unwrap_or_else(PoisonError::into_inner);
        if untried.is_empty() {
            return;
        }
        let mut requests = mem::take(&mut *untried);
        drop(untried);
        for mut request in requests.drain(..) {
            // As in a task: dropped, it resets its stream, and the panic was printed.
            let tried = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(cx)));
            if let Ok(Poll::Pending) = tried {
                // It is polled there first of all, so it is woken there from then on.
                tokio::spawn(request);
            }
        }
        // Its room is used again; nothing arrives while requests are tried.
        *self.untried.lock().unwrap_or_else(PoisonError::into_inner) = requests;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_request_has_a_task_only_if_it_waits_and_ends_alone() {
        let arrivals = Arrivals::default();
        let (told, mut heard) = mpsc::unbounded_channel();
        let (let_go, wait) = oneshot::channel::<()>();
        let tell = |what: &'static str| {
            let told = told.clone();
            move || told.send((what, tokio::task::try_id())).expect("somebody hears it")
        };
        let (first, second) = (tell("at once"), tell("later"));
        arrivals.execute(async { panic!("a defect of one request") });
        arrivals.execute(async move { first() });
        arrivals.execute(async move {
            wait.await.expect("it is let go");
            second();
        });
        assert!(heard.try_recv().is_err(), "only where they are tried");
        poll_fn(|cx| {
            arrivals.try_each(cx);
            Poll::Ready(())
        })
        .await;
        // A test is no task.
        assert_eq!(heard.try_recv(), Ok(("at once", None)));
        drop(arrivals);
        let_go.send(()).expect("it waits");
        let (what, task) = heard.recv().await.expect("it goes on without its connection");
        assert_eq!((what, task.is_some()), ("later", true));
    }
}
