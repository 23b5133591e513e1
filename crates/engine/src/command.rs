//! Everything that can happen to an invocation: the single input of [`crate::apply`].
//!
//! Time, randomness, network answers and failures enter the engine only through these values.
//! - Owns: the command shapes and the small types they share with effects.
//! - Does not own: what follows from a command (the modules named in `lib.rs`).

mod wait_target;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::{AwakeableId, DeploymentId, InvocationId, SubscriptionId};

pub use self::wait_target::{PromiseTarget, WaitName, WaitTarget};
pub use crate::message::{Failure, Outcome};
use crate::subscription::Position;
use crate::trace::TraceContext;

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Names whoever waits for a [`crate::effect::Reply`]; chosen by the driver, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names an attempt of an invocation: numbers count from 1 in every life of an id, and the creation
/// time tells lives apart that share an id (a workflow key after its retention, an idempotency key).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// When the invocation was created.
    pub created_at: Millis,
    /// Counts the attempts of this life from 1.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// A partition number.
pub type PartitionNumber = u16;

/// What the engine is asked to do. One variant is one rule: find it by its name in `lib.rs`.
#[derive(Clone, Debug)]
pub enum Command {
    /// Creates an invocation, or joins the one that has the same id.
    Invoke {
        /// Who waits for the reply.
        request: RequestId,
        /// What to invoke.
        invoke: Box<Invoke>,
        /// True when the reply is the result; false when it is the acceptance.
        wait: bool,
    },
    /// Creates an invocation from a record of a topic, or drops the record as taken before.
    TakeRecord {
        /// Who waits for the reply.
        request: RequestId,
        /// What to invoke; its id is a function of the position, or that of the workflow run.
        invoke: Box<Invoke>,
        /// Where the record stands.
        at: Box<Position>,
    },
    /// Forgets which records of a subscription were taken. Nothing of it may be under way any more.
    ForgetSubscription {
        /// Who waits for the reply.
        request: RequestId,
        /// The subscription, which never comes back.
        subscription: SubscriptionId,
    },
    /// Waits for a result.
    Attach {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Reads a result without waiting.
    Output {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Completes an awakeable from outside.
    CompleteWait {
        /// Who waits for the receipt.
        request: RequestId,
        /// What is completed, and by whom.
        wait: WaitTarget,
        /// The answer.
        completion: Outcome,
        /// Retry key of the caller, if it sent one.
        idempotency_key: Option<String>,
    },
    /// Reads the state of a wait.
    DescribeWait {
        /// Who waits for the reply.
        request: RequestId,
        /// The awakeable.
        wait: AwakeableId,
    },
    /// Replaces the value of a completion that no attempt has consumed yet.
    ReplaceWait {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
        /// Index or name of the wait.
        name: WaitName,
        /// The new answer.
        completion: Outcome,
    },
    /// Asks the handler to stop at its next await.
    Cancel {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Ends an invocation at once, and the calls it made.
    Kill {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Stops an invocation at its next suspension, or out of its back-off, until it is resumed.
    Pause {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Starts a paused, suspended or backing-off invocation again.
    Resume {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
        /// Where its attempts go from then on.
        deployment: ResumeOn,
    },
    /// Starts a completed invocation again as a new one, from a prefix of its journal.
    RestartAsNew {
        /// Who waits for the reply.
        request: RequestId,
        /// The completed invocation.
        id: InvocationId,
        /// Index of the last journal entry that is kept, with what completes the commands up to
        /// there; 0 is the input alone.
        from: u32,
        /// Where the attempts of the new one go.
        deployment: ResumeOn,
        /// The random part of the new id.
        random: u128,
    },
    /// Replaces the whole state of an object or workflow key.
    ReplaceState {
        /// Who waits for the reply.
        request: RequestId,
        /// What is replaced by what.
        edit: Box<StateEdit>,
    },
    /// Forgets a completed invocation.
    Purge {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Forgets the journal of a completed invocation and keeps its result.
    PurgeJournal {
        /// Who waits for the reply.
        request: RequestId,
        /// The invocation.
        id: InvocationId,
    },
    /// Frames that arrived together on the stream of an attempt.
    Frames {
        /// The invocation.
        id: InvocationId,
        /// The attempt whose stream they came from.
        attempt: AttemptId,
        /// In order of arrival.
        frames: Vec<Frame>,
    },
    /// An attempt ended without a terminal frame.
    AttemptFailed {
        /// The invocation.
        id: InvocationId,
        /// The attempt.
        attempt: AttemptId,
        /// Why.
        failure: AttemptFailure,
    },
    /// Nothing moved on the stream of an attempt for its hold time, or for its inactivity timeout.
    AttemptIdle {
        /// The invocation.
        id: InvocationId,
        /// The attempt.
        attempt: AttemptId,
        /// True when it was the whole inactivity timeout.
        expired: bool,
    },
    /// A place became free for an attempt that had to queue for one.
    AttemptAdmitted {
        /// The invocation.
        id: InvocationId,
        /// The attempt.
        attempt: AttemptId,
    },
    /// The timer with this key is due.
    TimerDue {
        /// Row key in the timer table.
        key: Bytes,
    },
    /// The back-off of a failed attempt is over.
    RetryDue {
        /// The invocation.
        id: InvocationId,
        /// The attempt that failed.
        attempt: AttemptId,
    },
    /// A message from the outbox of another partition.
    Deliver {
        /// The sending partition.
        from: PartitionNumber,
        /// Its sequence number towards this partition.
        seq: u64,
        /// The encoded message.
        message: Bytes,
    },
    /// The other partition has made a message durable.
    Delivered {
        /// The receiving partition.
        to: PartitionNumber,
        /// Sequence number of the message.
        seq: u64,
    },
    /// After a restart: starts a new attempt of an invocation that was in flight.
    Recover {
        /// The invocation.
        id: InvocationId,
    },
    /// Runs those that queue for units and fit. Due with an empty key after a take-over and after
    /// every change of the rules, and whenever [`crate::effect::Effect::AdmitLater`] asks for it.
    Admit {
        /// Where to go on in the table of the queues.
        from: Bytes,
    },
}

/// A new state for a key, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEdit {
    /// Scope of the instance, checked ([`crate::level`]); `None` outside of scopes.
    pub scope: Option<String>,
    /// Service name.
    pub service: String,
    /// Object or workflow key.
    pub key: String,
    /// Every entry from then on; empty clears the state.
    pub entries: BTreeMap<Bytes, Bytes>,
    /// The state that the author has seen ([`crate::state_edit::version_of`]); `None` is whichever.
    pub version: Option<StateVersion>,
}

/// A hash of the state of a key.
pub type StateVersion = [u8; 32];

/// Where a resumed invocation goes on. One that is running goes on where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeOn {
    /// Where it is pinned, else on the latest deployment of its service.
    Keep,
    /// On the latest deployment of its service.
    Latest,
    /// On this one.
    Deployment(DeploymentId),
}

/// A new invocation.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// Its id: derived from the target when it is idempotent, else fresh (see [`crate::identity`]).
    pub id: InvocationId,
    /// True when the id was made for this invocation alone: nothing can exist under it, so nobody
    /// looks. A derived id names what may be there already.
    pub fresh: bool,
    /// What is invoked.
    pub target: Target,
    /// The `Input` payload: headers and body, already encoded as an `InputCommand`.
    pub input: Bytes,
    /// Explicit idempotency key, if any.
    pub idempotency_key: Option<String>,
    /// Levels below the scope whose limits count, checked ([`crate::level`]); needs a scope.
    pub limit_key: Option<String>,
    /// When to start; `None` is at once.
    pub start_at: Option<Millis>,
    /// The calling invocation, if any.
    pub caller: Option<Caller>,
    /// Who sent it when it was not a caller awaiting a result.
    pub source: Source,
    /// The trace that it continues, if any.
    pub trace: Option<Box<TraceContext>>,
}

/// Where an invocation came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The ingress.
    Ingress,
    /// A handler, by call or one-way call.
    Handler(InvocationId),
    /// A record of a topic.
    Subscription(SubscriptionId),
}

/// A calling invocation that awaits the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The calling invocation.
    pub id: InvocationId,
    /// When it was created: tells two invocations with the same derived id apart.
    pub created_at: Millis,
    /// Completion id of the result in the caller's journal.
    pub completion_id: u32,
}

/// Scope, service, key and handler of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Scope, checked ([`crate::level`]); `None` outside of scopes.
    pub scope: Option<String>,
    /// Service name.
    pub service: String,
    /// Object or workflow key; `None` for plain services.
    pub key: Option<String>,
    /// Handler name.
    pub handler: String,
}

/// Why an attempt ended without a terminal frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFailure {
    /// HTTP-like code.
    pub code: u32,
    /// What happened and what to do about it.
    pub message: String,
    /// Documentation code such as `RT0010`.
    pub doc_code: &'static str,
}
