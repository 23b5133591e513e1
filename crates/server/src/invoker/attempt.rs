//! The task of one attempt.
//!
//! ```text
//! open ──▶ converse ──▶ terminal frame: half-close, tell the frames, drain the response
//!   ▲         │ ├─────▶ anything else:  reset, tell AttemptFailed once
//!   └─────────┘ └─────▶ aborted by us:  reset, tell nothing
//! refused before it was processed: once more
//! ```
//!
//! - Owns: the order of the above, one timer, and what is read and written meanwhile.
//! - Does not own: the bytes on the wire ([`super::exchange`], [`super::outgoing`]), the deadlines
//!   ([`super::quiet`]), the texts ([`super::failure`]).
//! - Invariant: nothing is read while the partition's mailbox is full, and nothing that follows a
//!   terminal frame is taken for a frame.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::response::Parts;
use reveille_engine::command::{AttemptFailure, AttemptId, Command};
use reveille_engine::effect::AttemptStart;
use reveille_engine::schema::DeploymentSchema;
use reveille_protocol::frame::{Frame, FrameDecoder, MessageType};
use reveille_protocol::id::InvocationId;
use tokio::time::{Instant, Sleep};

use crate::limits;

use super::call::Call;
use super::connect::Address;
use super::exchange::Exchange;
use super::failure;
use super::http1::Chunks;
use super::outgoing::Outgoing;
use super::quiet::{Due, Quiet};
use super::response;
use super::{Inbox, Obituary, Shared, ToAttempt};

/// An attempt before and while it runs.
pub(super) struct Attempt {
    shared: Arc<Shared>,
    _obituary: Obituary,
    id: InvocationId,
    attempt: AttemptId,
    abort_timeout_ms: u64,
    call: Call,
    inbox: Inbox,
    outgoing: Outgoing,
    decoder: FrameDecoder,
    /// Frames for the next command.
    frames: Vec<Frame>,
    quiet: Quiet,
    head_taken: bool,
    /// How the response ended, once it did; told after the frames before it.
    ended: Option<AttemptFailure>,
}

/// What ends an attempt.
enum End {
    /// A terminal frame was told, or the engine needs none.
    Done,
    /// To be told as [`Command::AttemptFailed`].
    Failed(AttemptFailure),
    /// The partition wants to hear nothing more.
    Aborted,
    /// The request was not processed; the failure is told when that happens again.
    Unprocessed(AttemptFailure),
}

/// What a conversation waits for.
enum Event {
    Head(Box<Parts>),
    Frames { terminal: bool },
    Due(Due),
    End(End),
}

impl Attempt {
    /// Prepares an attempt. Cheap, as it runs on the thread of a partition.
    pub(super) fn new(
        shared: Arc<Shared>,
        start: Box<AttemptStart>,
        deployment: &DeploymentSchema,
        inbox: Inbox,
    ) -> Attempt {
        let bidirectional = start.bidirectional && !deployment.http1;
        let mut outgoing = Outgoing::new(&start.frames);
        if !bidirectional {
            outgoing.close();
        }
        let decoder = FrameDecoder::new(shared.options.message_size_limit);
        let (id, attempt) = (start.id, start.attempt);
        shared.open.opened(id, attempt);
        Attempt {
            _obituary: Obituary { shared: Arc::clone(&shared), id, attempt },
            shared,
            id,
            attempt,
            abort_timeout_ms: start.abort_timeout_ms,
            quiet: Quiet::new(&start, bidirectional),
            call: Call::new(*start, deployment),
            inbox,
            outgoing,
            decoder,
            frames: Vec::new(),
            head_taken: false,
            ended: None,
        }
    }

    /// Runs the attempt to its end. Boxed, since a future would hold twice what it is passed.
    pub(super) async fn run(mut self: Box<Self>) {
        let mut again = false;
        let (end, exchange) = loop {
            match self.try_once(again).await {
                // The exchange is dropped first: its place may be the one that the next try needs.
                (End::Unprocessed(_), _exchange) if !again => {}
                ended => break ended,
            }
            again = true;
            self.outgoing.rewind();
        };
        match (end, exchange) {
            (End::Done, Some(exchange)) => response::drain(exchange).await,
            (End::Done | End::Aborted, exchange) => exchange.into_iter().for_each(Exchange::reset),
            (End::Failed(failure) | End::Unprocessed(failure), exchange) => {
                exchange.into_iter().for_each(Exchange::reset);
                self.tell_failed(failure).await;
            }
        }
    }

    async fn tell_failed(&self, failure: AttemptFailure) {
        let (id, attempt) = (self.id, self.attempt);
        // The text may repeat what the deployment said; whoever may read invocations finds it there.
        let (code, doc_code) = (failure.code, failure.doc_code);
        tracing::debug!(invocation_id = %id, %attempt, code, doc_code, "attempt failed");
        self.tell(Command::AttemptFailed { id, attempt, failure }).await;
    }

    /// Returns false when the partition has stopped.
    fn tell(&self, command: Command) -> impl Future<Output = bool> {
        self.shared.partitions.tell(self.id, command)
    }

    async fn try_once(&mut self, again: bool) -> (End, Option<Exchange>) {
        match self.open(again).await {
            Ok(mut exchange) => (self.converse(&mut exchange).await, Some(exchange)),
            Err(end) => (end, None),
        }
    }

    /// Gets a stream, while the partition may give up the attempt or forward more.
    async fn open(&mut self, again: bool) -> Result<Exchange, End> {
        let mut prepared = match self.call.prepare() {
            Ok(prepared) => prepared,
            Err(failure) => return Err(End::Failed(failure)),
        };
        let (pool, outbound) = (&self.shared.pool, &self.shared.options.outbound);
        if let Address::Local(name) = &prepared.address {
            self.call.sign(outbound, &mut prepared.request);
            let called = outbound.local.call(name, prepared.request);
            return called.map(Exchange::local).map_err(|cause| self.unreachable(&cause));
        }
        if self.call.http1 {
            let origin = pool.http1(&prepared.address);
            // Boxed, so that attempts over HTTP/2 do not make room for it.
            let mut acquire = Box::pin(origin.acquire(again));
            let lease = loop {
                tokio::select! {
                    biased;
                    told = poll_fn(|cx| self.inbox.poll(false, cx)) => self.hear(told)?,
                    lease = &mut acquire => break lease,
                }
            };
            let lease = lease.map_err(|cause| self.unreachable(&cause))?;
            self.call.sign(&self.shared.options.outbound, &mut prepared.request);
            let chunks: VecDeque<Bytes> = std::iter::from_fn(|| self.outgoing.take()).collect();
            return Ok(Exchange::http1(lease, prepared.request.map(|()| Chunks(chunks))));
        }
        let origin = pool.http2(&prepared.address);
        let mut acquire = pin!(origin.acquire());
        let lease = loop {
            let full = self.outgoing.is_full();
            tokio::select! {
                biased;
                told = poll_fn(|cx| self.inbox.poll(full, cx)) => self.hear(told)?,
                lease = &mut acquire => break lease,
            }
        };
        let lease = lease.map_err(|cause| self.unreachable(&cause))?;
        self.call.sign(&self.shared.options.outbound, &mut prepared.request);
        Exchange::http2(lease, prepared.request).map_err(|broken| {
            End::Unprocessed(failure::unreachable(&self.call.uri(), &broken.cause))
        })
    }

    fn unreachable(&self, cause: &str) -> End {
        End::Failed(failure::unreachable(&self.call.uri(), cause))
    }

    /// Takes what the partition says before there is a stream.
    fn hear(&mut self, told: Option<ToAttempt>) -> Result<(), End> {
        match self.obey(told) {
            None => Ok(()),
            Some(End::Done) => Err(End::Aborted),
            Some(end) => Err(end),
        }
    }

    /// Takes what the partition says.
    fn obey(&mut self, told: Option<ToAttempt>) -> Option<End> {
        match told {
            Some(ToAttempt::Frame(_)) if self.outgoing.closing() => {
                // The engine would count it as seen, but the handler never sees it.
                return Some(End::Failed(failure::input_closed(&self.call.uri())));
            }
            Some(ToAttempt::Frame(frame)) => {
                self.outgoing.push(&frame);
                self.quiet.frame();
            }
            Some(ToAttempt::CloseInput) => {
                self.outgoing.close();
                self.quiet.half_closed();
            }
            Some(ToAttempt::End) => return Some(End::Done),
            Some(ToAttempt::Abort) | None => return Some(End::Aborted),
        }
        None
    }

    async fn converse(&mut self, exchange: &mut Exchange) -> End {
        self.quiet.restart();
        let mut sleep = pin!(tokio::time::sleep_until(Instant::now()));
        loop {
            let event = poll_fn(|cx| self.poll_event(exchange, sleep.as_mut(), cx)).await;
            match event {
                Event::Head(parts) => {
                    self.head_taken = true;
                    self.outgoing.forget();
                    if let Some(failure) = response::check(&self.call, &parts, exchange).await {
                        return End::Failed(failure);
                    }
                }
                Event::Frames { terminal } => {
                    if terminal {
                        exchange.half_close();
                    } else {
                        self.quiet.frame();
                    }
                    let (id, attempt) = (self.id, self.attempt);
                    let frames = std::mem::take(&mut self.frames);
                    if !self.tell(Command::Frames { id, attempt, frames }).await {
                        return End::Aborted;
                    }
                    if terminal {
                        return End::Done;
                    }
                }
                Event::Due(Due::Abort) => {
                    let failure = failure::abort_timeout(self.abort_timeout_ms);
                    return End::Failed(failure);
                }
                Event::Due(due) => {
                    self.quiet.reported(due);
                    let (id, attempt, expired) = (self.id, self.attempt, due == Due::Inactivity);
                    if !self.tell(Command::AttemptIdle { id, attempt, expired }).await {
                        return End::Aborted;
                    }
                }
                Event::End(End::Done) if !self.head_taken => {
                    return End::Aborted;
                }
                Event::End(End::Done) => {
                    exchange.half_close();
                    return End::Done;
                }
                Event::End(End::Failed(failure)) => {
                    return End::Failed(failure);
                }
                Event::End(End::Aborted) => return End::Aborted,
                Event::End(End::Unprocessed(failure)) => return End::Unprocessed(failure),
            }
        }
    }

    fn poll_event(
        &mut self,
        exchange: &mut Exchange,
        sleep: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        loop {
            while let Poll::Ready(told) = self.inbox.poll(self.outgoing.is_full(), cx) {
                if let Some(end) = self.obey(told) {
                    return Poll::Ready(Event::End(end));
                }
            }
            let was_full = self.outgoing.is_full();
            exchange.poll_flush(cx, &mut self.outgoing);
            // Room again: the inbox must be polled so that it wakes this task.
            if !was_full || self.outgoing.is_full() {
                break;
            }
        }
        let read = if self.head_taken {
            self.poll_frames(exchange, cx)
        } else {
            self.poll_head(exchange, cx)
        };
        if read.is_ready() {
            return read;
        }
        self.poll_quiet(sleep, cx).map(Event::Due)
    }

    fn poll_head(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) -> Poll<Event> {
        exchange.poll_head(cx).map(|head| match head {
            Ok(parts) => Event::Head(Box::new(parts)),
            Err(broken) => {
                let failure = failure::broken(&self.call.uri(), &broken.cause);
                Event::End(if broken.unprocessed {
                    End::Unprocessed(failure)
                } else {
                    End::Failed(failure)
                })
            }
        })
    }

    /// Collects every frame that is there.
    fn poll_frames(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) -> Poll<Event> {
        while self.ended.is_none() {
            match self.decoder.next() {
                Ok(Some(frame)) => {
                    let terminal = is_terminal(frame.ty);
                    self.frames.push(frame);
                    if terminal || self.frames.len() >= limits::FRAMES_PER_STEP {
                        return Poll::Ready(Event::Frames { terminal });
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    self.ended = Some(failure::bad_frame(&error));
                    break;
                }
            }
            match exchange.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.decoder.push(bytes),
                Poll::Ready(Some(Err(broken))) => {
                    self.ended = Some(failure::broken(&self.call.uri(), &broken.cause));
                }
                Poll::Ready(None) if self.decoder.is_empty() => {
                    self.ended = Some(failure::no_terminal_frame());
                }
                Poll::Ready(None) => self.ended = Some(failure::truncated()),
                Poll::Pending => break,
            }
        }
        if !self.frames.is_empty() {
            return Poll::Ready(Event::Frames { terminal: false });
        }
        match self.ended.take() {
            Some(failure) => Poll::Ready(Event::End(End::Failed(failure))),
            None => Poll::Pending,
        }
    }

    /// Waits for the next deadline. The timer is moved only when it fires too early, not with
    /// every frame.
    fn poll_quiet(&self, mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Due> {
        let Some((at, due)) = self.quiet.deadline() else { return Poll::Pending };
        loop {
            if Instant::now() >= at {
                return Poll::Ready(due);
            }
            if sleep.deadline() > at || sleep.deadline() <= Instant::now() {
                sleep.as_mut().reset(at);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

fn is_terminal(ty: MessageType) -> bool {
    matches!(ty, MessageType::END | MessageType::SUSPENSION | MessageType::ERROR)
}
