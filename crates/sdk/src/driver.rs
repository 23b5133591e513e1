//! The driver: polls a handler, and in between lets one thing happen at a time.
//!
//! ```text
//! poll the handler -> pending -> take the next notification, or hand out a step, or wait for input
//!        ^                                   |
//!        '------------- woken ---------------'
//! ```
//!
//! - Owns: the stream of an attempt from its first byte to its last, the detection of futures that are not
//!   durable.
//! - Does not own: connections ([`crate::endpoint`]); input and output may be any streams of bytes.
//! - Invariant: output is flushed before anything is waited for, and ends after the input has ended.
//!
//! Start with [`drive`].

mod running;
#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use reveille_protocol::version::ServiceProtocolVersion;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tracing::Span;

use self::running::Running;
use crate::{
    attempt::{Attempt, Info, Step},
    clock::Clock,
    definition::{Entry, Handler},
    error::{HandlerError, HandlerResult},
    vm::{Ended, Vm, VmOptions},
};

/// For how long the end of the request is awaited once the attempt is over.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
/// After so many polls in a row others get a turn.
const POLLS_IN_A_ROW: usize = 64;

/// What may be chosen about attempts.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub vm: VmOptions,
    pub clock: Clock,
    /// Set while nothing but input of the server leads any further.
    pub is_waiting: Arc<AtomicBool>,
    /// For how long a handler may wait for something that is not durable, and nothing else.
    pub foreign_wait_max: Duration,
}

/// The stream broke off; what the attempt had sent counts as far as the server stored it.
#[derive(Debug, thiserror::Error)]
#[error("the stream of the attempt broke off")]
pub(crate) struct Lost;

/// Where the bytes for the server go. Its last item may be that the stream breaks off.
pub(crate) type Output = mpsc::Sender<Result<Bytes, Lost>>;

/// Runs one attempt. `input` yields what the server sends, `output` takes what it is sent.
///
/// Once `stopping` is true an attempt that only waits breaks off: it loses nothing by that.
pub(crate) async fn drive<I, E>(
    handler: &Handler,
    version: ServiceProtocolVersion,
    settings: Settings,
    input: I,
    output: Output,
    stopping: watch::Receiver<bool>,
) -> Result<(), Lost>
where
    I: Stream<Item = Result<Bytes, E>> + Send,
{
    let mut input = pin!(input);
    let mut vm = Vm::new(version, settings.vm);
    while !vm.is_ready() && vm.ended().is_none() {
        match poll_fn(|cx| input.as_mut().poll_next(cx)).await {
            Some(Ok(bytes)) => vm.push(bytes),
            Some(Err(_)) => return Err(Lost),
            None => vm.push_eof(),
        }
    }
    let request = vm.input();
    let start = vm.start();
    let is_v7 = version >= ServiceProtocolVersion::V7;
    let info = Info {
        invocation_id: start.debug_id.clone(),
        key: start.key.clone(),
        headers: request.as_ref().map(|input| input.headers.clone()).unwrap_or_default(),
        // Not part of earlier versions, whatever a server sends.
        scope: start.scope.clone().filter(|_| is_v7),
        limit_key: start.limit_key.clone().filter(|_| is_v7),
        idempotency_key: start.idempotency_key.clone().filter(|_| is_v7),
    };
    let attempt = Attempt::new(vm, info, settings.clock.clone());
    let mut driver = Driver { attempt, input, output, settings, stopping };
    if let Ok(request) = request {
        let input = request.value.unwrap_or_default().content;
        let entry = Entry { attempt: driver.attempt.clone(), input };
        // Everything that the handler logs says whose it is.
        let span = tracing::info_span!(
            "invocation",
            id = driver.attempt.info.invocation_id,
            handler = handler.name,
            key = driver.attempt.info.key,
        );
        let mut running = span.in_scope(|| Running::new(handler, entry));
        driver.run(&mut running, &span).await?;
        span.in_scope(|| driver.report());
        // What the handler holds goes now, not when the server closes the request.
    }
    driver.flush().await?;
    driver.settings.is_waiting.store(true, Ordering::SeqCst);
    driver.drain().await
}

struct Driver<'a, I> {
    attempt: Arc<Attempt>,
    input: Pin<&'a mut I>,
    output: Output,
    settings: Settings,
    stopping: watch::Receiver<bool>,
}

/// What ended a wait.
enum Event {
    /// The handler was woken.
    Woken,
    /// There is input, or its end.
    Input,
    /// The handler waited too long for something that is not durable.
    Tired,
}

impl<I, E> Driver<'_, I>
where
    I: Stream<Item = Result<Bytes, E>> + Send,
{
    /// Polls the handler until the attempt is over.
    async fn run(&mut self, running: &mut Running, span: &Span) -> Result<(), Lost> {
        let flags = self.attempt.flags.clone();
        let waker = Waker::from(flags.clone());
        let mut is_foreign = false;
        let mut polls = 0;
        loop {
            self.attempt.begin_poll();
            let mark = self.attempt.core().mark();
            let result = span.in_scope(|| running.poll(&self.attempt, &waker));
            let went_on = result.is_ready() || self.attempt.core().mark() != mark;
            if is_foreign && went_on {
                self.refuse_mixing();
            } else if let Poll::Ready(result) = result {
                self.complete(result);
            }
            if self.attempt.core().vm.ended().is_some() {
                return Ok(());
            }
            is_foreign = false;
            polls += 1;
            if polls % POLLS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
            // Woken in its own poll: it wants another one, and nothing has happened in between.
            if flags.is_woken() {
                continue;
            }
            match self.advance().await? {
                Advance::Over => return Ok(()),
                Advance::Poll { foreign } => is_foreign = foreign,
            }
        }
    }

    /// Goes on until the handler is to be polled again.
    async fn advance(&mut self) -> Result<Advance, Lost> {
        loop {
            self.read_available()?;
            let step = self.attempt.core().progress();
            match step {
                Step::Over => return Ok(Advance::Over),
                Step::Poll => return Ok(Advance::Poll { foreign: false }),
                Step::Wait | Step::WaitForSteps | Step::WaitForNothing => {}
            }
            self.flush().await?;
            self.settings.is_waiting.store(step == Step::Wait, Ordering::SeqCst);
            let event = self.wait(step).await?;
            self.settings.is_waiting.store(false, Ordering::SeqCst);
            match event {
                Event::Input => {}
                Event::Tired => {
                    self.refuse_foreign();
                    return Ok(Advance::Over);
                }
                Event::Woken if self.attempt.core().vm.ended().is_some() => {
                    return Ok(Advance::Over);
                }
                Event::Woken => {
                    let foreign = step == Step::Wait && !self.attempt.flags.is_run_woken();
                    return Ok(Advance::Poll { foreign });
                }
            }
        }
    }

    /// Takes what has arrived, without waiting.
    fn read_available(&mut self) -> Result<(), Lost> {
        let mut cx = Context::from_waker(Waker::noop());
        while !self.attempt.core().vm.is_input_closed() {
            match self.input.as_mut().poll_next(&mut cx) {
                Poll::Pending => break,
                Poll::Ready(chunk) => self.take_input(chunk)?,
            }
        }
        Ok(())
    }

    fn take_input(&mut self, chunk: Option<Result<Bytes, E>>) -> Result<(), Lost> {
        let mut core = self.attempt.core();
        match chunk {
            Some(Ok(bytes)) => core.vm.push(bytes),
            Some(Err(_)) => return Err(Lost),
            None => core.vm.push_eof(),
        }
        Ok(())
    }

    /// Waits for input, for a wake of the handler, or until patience with what is not durable ends.
    async fn wait(&mut self, step: Step) -> Result<Event, Lost> {
        let attempt = self.attempt.clone();
        let is_closed = attempt.core().vm.is_input_closed();
        let mut chunk = None;
        let event = poll_fn(|cx| {
            attempt.flags.register(cx.waker());
            if attempt.flags.is_woken() {
                return Poll::Ready(Event::Woken);
            }
            if is_closed {
                return Poll::Pending;
            }
            self.input.as_mut().poll_next(cx).map(|next| {
                chunk = Some(next);
                Event::Input
            })
        });
        let mut stopping = self.stopping.clone();
        let stop = async {
            // Without a sender nobody will ever stop it.
            if step == Step::WaitForSteps || stopping.wait_for(|stopping| *stopping).await.is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        let event = async {
            if step == Step::WaitForNothing {
                let patience = self.settings.foreign_wait_max;
                timeout(patience, event).await.unwrap_or(Event::Tired)
            } else {
                event.await
            }
        };
        let event = tokio::select! {
            biased;
            event = event => event,
            () = stop => return Err(Lost),
        };
        if let Some(chunk) = chunk {
            self.take_input(chunk)?;
        }
        Ok(event)
    }

    /// Ends the invocation, or the attempt.
    fn complete(&self, result: HandlerResult<Bytes>) {
        // Errors are printed by code of users, which may use the context: not under its lock.
        let result = result.map_err(HandlerError::split);
        let mut core = self.attempt.core();
        // Stopped or not: what there is to say has been written.
        let site = core.last_site();
        let _ = match result {
            Ok(output) => core.vm.complete(Ok(output), site),
            Err(Ok(terminal)) => core.vm.complete(Err(terminal.into_failure()), site),
            Err(Err(error)) => {
                core.vm.fail(error);
                Ok(())
            }
        };
    }

    /// Says in the log how the attempt ended. The server was told as well.
    fn report(&self) {
        match self.attempt.core().vm.ended() {
            Some(Ended::Failed(error)) => {
                tracing::warn!(code = error.code, details = error.details, "{}", error.message);
            }
            Some(Ended::Suspended) => tracing::debug!("suspended"),
            Some(Ended::Completed) => tracing::debug!("completed"),
            None => {}
        }
    }

    fn refuse_foreign(&self) {
        let mut core = self.attempt.core();
        let message = format!(
            "the handler has waited for {:?} for something that is not durable; {}. What is not \
             durable is lost when the handler is suspended or its process ends. Await it within a step: \
             `ctx.run(\"name\", || async {{ .. }}).await`",
            self.settings.foreign_wait_max,
            core.last_use()
        );
        core.vm.fail(Vm::internal(message));
    }

    fn refuse_mixing(&self) {
        let mut core = self.attempt.core();
        let message = format!(
            "the handler awaits durable futures together with one that is not, and the latter made it go \
             on; {}. Which of them ends first would differ on replay. Await what is not durable within a \
             step (`ctx.run`), and use `ctx.sleep` or `.timeout(..)` in place of a timer of the process",
            core.last_use()
        );
        core.vm.fail(Vm::internal(message));
    }

    async fn flush(&mut self) -> Result<(), Lost> {
        loop {
            let Some(bytes) = self.attempt.core().vm.take_output() else { return Ok(()) };
            self.output.send(Ok(bytes)).await.map_err(|_| Lost)?;
        }
    }

    /// Reads the request to its end: the response must not end before.
    async fn drain(&mut self) -> Result<(), Lost> {
        if self.attempt.core().vm.is_input_closed() {
            return Ok(());
        }
        let end = async {
            while let Some(chunk) = poll_fn(|cx| self.input.as_mut().poll_next(cx)).await {
                chunk.map_err(|_| Lost)?;
            }
            Ok(())
        };
        timeout(DRAIN_TIMEOUT, end).await.unwrap_or(Err(Lost))
    }
}

/// What comes after a wait.
enum Advance {
    Over,
    /// The handler is to be polled; `foreign` when something woke it that is not durable.
    Poll {
        foreign: bool,
    },
}
