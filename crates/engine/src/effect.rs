//! Everything the engine asks the shell to do once a step is durable.
//!
//! - Owns: the effect and reply shapes.
//! - Does not own: how they are carried out (crate `server`).
//! - Invariant: the driver releases an effect only after the batch of its step is committed.

use bytes::Bytes;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::{DeploymentId, InvocationId};

use crate::command::{AttemptId, Millis, PartitionNumber, RequestId};
use crate::message::Outcome;
use crate::trace::{TraceContext, Traced};

/// One thing to do after the step is durable. Effects of a step are carried out in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Answers a request.
    Reply(RequestId, Reply),
    /// The request is answered by the [`Effect::Completed`] of this invocation.
    Park(RequestId, InvocationId),
    /// An invocation ended: answers everyone parked on it.
    Completed {
        /// The invocation.
        id: InvocationId,
        /// What it ended with.
        completed: Completed,
        /// Its service.
        service: String,
        /// Its handler.
        handler: String,
        /// For its span, when its trace is recorded.
        traced: Option<Box<Traced>>,
    },
    /// Opens a stream to a deployment and replays.
    StartAttempt(Box<AttemptStart>),
    /// Writes a frame to the open stream of an attempt.
    Forward(InvocationId, AttemptId, Frame),
    /// Half-closes the request stream: nothing more will be forwarded.
    CloseInput(InvocationId, AttemptId),
    /// The attempt is over; its stream may be finished in peace.
    EndAttempt(InvocationId, AttemptId),
    /// The attempt is over; its stream is reset.
    AbortAttempt(InvocationId, AttemptId),
    /// Hands back [`crate::command::Command::RetryDue`] at that time.
    RetryAt(InvocationId, AttemptId, Millis),
    /// Delivers an outbox message to another partition, at least once.
    Send(PartitionNumber, u64, Bytes),
    /// Tells another partition that its message with this sequence number is durable here.
    Acknowledge(PartitionNumber, u64),
    /// A state edit that had to wait was for another state than the one it found: it was dropped, and
    /// the operator must be told.
    StateEditDropped {
        /// Service name.
        service: String,
        /// Object or workflow key.
        key: String,
    },
    /// Hands back [`crate::command::Command::Admit`] with this key, soon but not within this step.
    AdmitLater(Bytes),
}

/// The end of an invocation, as told to those who wait for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The result.
    pub outcome: Outcome,
    /// Stack trace, only when it was killed for using up its attempts.
    pub stacktrace: Option<String>,
}

/// Everything the invoker needs to run one attempt.
#[derive(Clone, Debug)]
pub struct AttemptStart {
    /// The invocation.
    pub id: InvocationId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Where to send it.
    pub deployment: DeploymentId,
    /// Service protocol version.
    pub protocol_version: u32,
    /// Service name, for the path.
    pub service: String,
    /// Handler name, for the path.
    pub handler: String,
    /// Object or workflow key, for the header.
    pub key: Option<String>,
    /// The trace of the invocation, if any.
    pub trace: Option<Box<TraceContext>>,
    /// True when the request stream stays open after the replay.
    pub bidirectional: bool,
    /// Silence after which the invoker reports the attempt as idle for the first time; at most the
    /// inactivity timeout.
    pub hold_timeout_ms: u64,
    /// Silence after which the invoker reports the attempt as idle for good.
    pub inactivity_timeout_ms: u64,
    /// Further silence after which the invoker resets the stream.
    pub abort_timeout_ms: u64,
    /// `Start` and the journal, in order.
    pub frames: Vec<Frame>,
}

/// Answers to requests. Which variants a command can get is noted at the variant.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `Invoke` without waiting, `RestartAsNew`.
    Accepted {
        /// The invocation, new or joined.
        id: InvocationId,
        /// False when it existed before.
        fresh: bool,
        /// Start time of a fresh delayed invocation.
        execution_time: Option<Millis>,
    },
    /// `TakeRecord`: durable, the record need not be read again.
    Taken {
        /// The invocation; of a record taken before, that which it led to unless it joined another.
        id: InvocationId,
        /// What became of the record.
        taken: Taken,
    },
    /// `TakeRecord`: a record before this one was sent and not taken. Send that one again first.
    TakenTooEarly {
        /// The highest offset taken here.
        taken: Option<u64>,
    },
    /// `Invoke` with waiting, `Attach`, `Output`: the result.
    Result {
        /// The invocation.
        id: InvocationId,
        /// What it ended with.
        completed: Completed,
        /// When the retained result expires; `None` when it has only just ended.
        expires_at: Option<Millis>,
        /// Service and handler, so that the ingress finds the content type.
        service: String,
        /// Handler name.
        handler: String,
    },
    /// `Invoke` with waiting on a workflow run that exists.
    WorkflowAlreadyInvoked(InvocationId),
    /// `Output`: exists, has not ended.
    NotReady(InvocationId),
    /// No such invocation (any command that names one).
    NotFound(InvocationId),
    /// `Cancel`, `Kill`, `Pause`, `Resume`, `Purge`, `PurgeJournal`, `ForgetSubscription`: done and
    /// durable.
    Done,
    /// `Cancel`, `Pause`: durable, the handler will see it. `ReplaceState`: durable, handlers that
    /// begin from then on will see it.
    Accept,
    /// `Cancel`, `Kill`, `Pause`, `Resume`, `Purge`, `PurgeJournal`, `ReplaceWait`, `RestartAsNew`: the
    /// state does not allow it; the text says why. `ReplaceState`: it was meant for another state.
    Conflict(String),
    /// `Resume`, `RestartAsNew`, `ReplaceState`: what is asked for does not exist or does not fit; the
    /// text says what.
    Invalid(String),
    /// `Resume`, `RestartAsNew`: not started yet.
    TooEarly(String),
    /// `RestartAsNew`: the journal is not kept any more.
    Gone(String),
    /// `RestartAsNew`: never possible for an invocation of this kind; the text says why.
    Unsupported(String),
    /// `CompleteWait`, `DescribeWait`, `ReplaceWait`: the receipt.
    Receipt(Receipt),
    /// The command cannot be carried out now; the text says why and what to do.
    Unavailable(String),
}

/// What became of a completion (waits.md, part B).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The decision.
    pub outcome: ReceiptOutcome,
    /// When the wait was decided, if it was.
    pub decided_at: Option<Millis>,
    /// Which verb decided it, if it was decided.
    pub verb: Option<Verb>,
}

/// The decision over a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// This call decided the wait.
    Completed,
    /// The same call had decided it before.
    Replayed,
    /// Another call had decided it.
    Conflict,
    /// Its invocation has ended.
    Gone,
    /// No such wait, or a wrong secret.
    Unknown,
    /// `DescribeWait` only: still open.
    Pending,
}

/// What became of a record of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It created the invocation.
    Created,
    /// Its workflow key has a run already: it starts nothing.
    Joined,
    /// It was taken before: it is dropped.
    Before,
}

/// How a wait is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// With a value.
    Resolve,
    /// With a failure.
    Reject,
}
