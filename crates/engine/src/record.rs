//! The stored shapes: what the values of the key table ([`crate::keys`]) contain.
//!
//! Every value starts with a version byte ([`VERSION`]); protobuf fields may be added, never reused.
//! - Owns: the shapes; `record/codec.rs` has [`encode`], [`decode`] and [`JournalEntry`].
//! - Invariant: journal entries keep the payload bytes of the SDK verbatim.

mod codec;

use bytes::Bytes;
use prost::Message;
use reveille_protocol::message::{Failure, Future};

use crate::command::Millis;
use crate::trace::TraceContext;

pub use codec::{JournalEntry, decode, encode};

mod origin;
mod wait;

pub use origin::Origin;
pub use wait::{Decision, Pending, StoredWait};

/// Version of every stored value, its first byte.
pub const VERSION: u8 = 1;

/// Life-cycle state of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// Waits for its start time.
    Scheduled = 0,
    /// Queued behind the lock of its key.
    Queued = 1,
    /// An attempt is going or about to.
    Running = 2,
    /// The last attempt failed; the next one is timed.
    BackingOff = 3,
    /// Parked until something it awaits happens.
    Suspended = 4,
    /// Needs an operator.
    Paused = 5,
    /// Ended; kept for its retention.
    Completed = 6,
    /// Could run, but a level of its scope or limit key is full.
    Limited = 7,
}

/// Stored form of [`crate::schema::HandlerKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Handler of a plain service.
    Plain = 0,
    /// Exclusive handler of a virtual object.
    Exclusive = 1,
    /// Shared handler of a virtual object.
    SharedObject = 2,
    /// Run handler of a workflow.
    WorkflowRun = 3,
    /// Shared handler of a workflow.
    SharedWorkflow = 4,
}

impl Kind {
    /// True for handlers of workflows, which may use promises.
    pub fn workflow(self) -> bool {
        matches!(self, Kind::WorkflowRun | Kind::SharedWorkflow)
    }

    /// True for handlers that may write state.
    pub fn writes_state(self) -> bool {
        matches!(self, Kind::Exclusive | Kind::WorkflowRun)
    }
}

/// Everything about an invocation but its journal.
#[derive(Clone, PartialEq, Message)]
pub struct InvocationRecord {
    /// Service name.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Object or workflow key.
    #[prost(string, optional, tag = "2")]
    pub key: Option<String>,
    /// Handler name.
    #[prost(string, tag = "3")]
    pub handler: String,
    /// Kind of the handler when the invocation was created.
    #[prost(enumeration = "Kind", tag = "4")]
    pub kind: i32,
    /// Life-cycle state.
    #[prost(enumeration = "Status", tag = "5")]
    pub status: i32,
    /// When it was created; part of its identity.
    #[prost(uint64, tag = "6")]
    pub created_at: Millis,
    /// Last change of the status or the journal.
    #[prost(uint64, tag = "7")]
    pub modified_at: Millis,
    /// Start time of a delayed invocation.
    #[prost(uint64, optional, tag = "8")]
    pub start_at: Option<Millis>,
    /// Position in the queue of its key.
    #[prost(uint64, tag = "9")]
    pub queue_position: u64,
    /// Number of journal entries.
    #[prost(uint32, tag = "10")]
    pub journal_len: u32,
    /// Number of journal entries that are commands.
    #[prost(uint32, tag = "11")]
    pub commands_len: u32,
    /// The invocation that awaits the result.
    #[prost(message, optional, tag = "12")]
    pub caller: Option<StoredCaller>,
    /// Who sent it without awaiting the result: 24 bytes of an invocation, 16 of a subscription,
    /// none when the ingress did.
    #[prost(bytes = "bytes", tag = "13")]
    pub sender: Bytes,
    /// Explicit idempotency key.
    #[prost(string, optional, tag = "14")]
    pub idempotency_key: Option<String>,
    /// Deployment that all attempts go to: 16 bytes, empty until the first entry from the SDK, or
    /// until an operator chose it.
    #[prost(bytes = "bytes", tag = "15")]
    pub pinned_deployment: Bytes,
    /// Service protocol version of the current, then of all attempts.
    #[prost(uint32, tag = "16")]
    pub protocol_version: u32,
    /// Number of the current or last attempt.
    #[prost(uint32, tag = "17")]
    pub attempt: u32,
    /// Failed attempts since the last stored entry.
    #[prost(uint32, tag = "18")]
    pub failed_attempts: u32,
    /// When the last entry was stored.
    #[prost(uint64, tag = "19")]
    pub last_entry_at: Millis,
    /// Why the last failed attempt failed.
    #[prost(message, optional, tag = "20")]
    pub last_failure: Option<StoredFailure>,
    /// When the next attempt starts, while backing off.
    #[prost(uint64, optional, tag = "21")]
    pub next_retry_at: Option<Millis>,
    /// Deployment of the current attempt: 16 bytes.
    #[prost(bytes = "bytes", tag = "22")]
    pub attempt_deployment: Bytes,
    /// True while notifications can be forwarded to the current attempt.
    #[prost(bool, tag = "23")]
    pub input_open: bool,
    /// Journal length that the SDK of the current attempt is known to have read.
    #[prost(uint32, tag = "24")]
    pub seen: u32,
    /// Completion ids of runs without a result.
    #[prost(uint32, repeated, tag = "25")]
    pub runs: Vec<u32>,
    /// What it awaits while suspended; what is settled is removed.
    #[prost(message, optional, tag = "26")]
    pub awaiting: Option<Future>,
    /// The waits of the current or last suspension.
    #[prost(message, repeated, tag = "27")]
    pub waits: Vec<StoredWait>,
    /// Rows in the pending-completion table.
    #[prost(uint32, tag = "28")]
    pub pending_len: u32,
    /// Rows in the decision table.
    #[prost(uint32, tag = "29")]
    pub decisions_len: u32,
    /// Rows in the attached-caller table.
    #[prost(uint32, tag = "30")]
    pub attached_len: u32,
    /// When it ended.
    #[prost(uint64, tag = "31")]
    pub completed_at: Millis,
    /// How long the result is kept.
    #[prost(uint64, tag = "32")]
    pub completion_retention_ms: u64,
    /// How long the journal is kept, at most as long as the result.
    #[prost(uint64, tag = "33")]
    pub journal_retention_ms: u64,
    /// Journal index of the last output command.
    #[prost(uint32, optional, tag = "34")]
    pub output_index: Option<u32>,
    /// The result, when it is not an output command of the journal.
    #[prost(message, optional, tag = "35")]
    pub result: Option<StoredResult>,
    /// True once it was parked on an awakeable: whoever answers late must be told what became of it.
    #[prost(bool, tag = "37")]
    pub awaited_answer: bool,
    /// True while the current attempt is to be the last one until an operator resumes.
    #[prost(bool, tag = "38")]
    pub pause_requested: bool,
    /// The invocation that this one is a restart of: 24 bytes, or empty.
    #[prost(bytes = "bytes", tag = "39")]
    pub restarted_from: Bytes,
    /// When the first attempt started, unless that was in the step that created it.
    #[prost(uint64, optional, tag = "40")]
    pub late_start_at: Option<Millis>,
    /// When it was queued behind the lock of its key, if it ever was.
    #[prost(uint64, optional, tag = "41")]
    pub queued_at: Option<Millis>,
    /// Events that were ever recorded; which of them are kept says [`crate::event`].
    #[prost(uint32, tag = "42")]
    pub events_total: u32,
    /// State edits that wait for the end of this workflow run.
    #[prost(uint32, tag = "43")]
    pub state_edits: u32,
    /// Decides jitter and nothing else: counts every failed attempt.
    #[prost(uint32, tag = "36")]
    pub failures_total: u32,
    /// Scope that it was invoked in; part of its identity.
    #[prost(string, optional, tag = "50")]
    pub scope: Option<String>,
    /// Levels below the scope whose limits count, `l1` or `l1/l2`.
    #[prost(string, optional, tag = "51")]
    pub limit_key: Option<String>,
    /// Position in the queue for units.
    #[prost(uint64, tag = "52")]
    pub limited_position: u64,
    /// The trace that it belongs to, when there is one.
    #[prost(message, optional, boxed, tag = "60")]
    pub trace: Option<Box<TraceContext>>,
}

/// A caller that awaits a result.
#[derive(Clone, PartialEq, Message)]
pub struct StoredCaller {
    /// Invocation id, 24 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub id: Bytes,
    /// When the caller was created.
    #[prost(uint64, tag = "2")]
    pub created_at: Millis,
    /// Completion id in the caller's journal.
    #[prost(uint32, tag = "3")]
    pub completion_id: u32,
}

/// Why an attempt failed.
#[derive(Clone, PartialEq, Message)]
pub struct StoredFailure {
    /// HTTP-like code.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// Text, with awakeable secrets masked.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Stack trace, with awakeable secrets masked.
    #[prost(string, tag = "3")]
    pub stacktrace: String,
    /// Documentation code such as `RT0010`.
    #[prost(string, tag = "4")]
    pub doc_code: String,
    /// Index of the command it happened at.
    #[prost(uint32, optional, tag = "5")]
    pub command_index: Option<u32>,
    /// Name of that command.
    #[prost(string, optional, tag = "6")]
    pub command_name: Option<String>,
    /// Type code of that command.
    #[prost(uint32, optional, tag = "7")]
    pub command_type: Option<u32>,
    /// When.
    #[prost(uint64, tag = "8")]
    pub at: Millis,
}

/// A result.
#[derive(Clone, PartialEq, Message)]
pub struct StoredResult {
    /// The value; meaningful when there is no failure.
    #[prost(bytes = "bytes", tag = "1")]
    pub value: Bytes,
    /// The failure.
    #[prost(message, optional, tag = "2")]
    pub failure: Option<Failure>,
    /// Stack trace of an invocation that used up its attempts.
    #[prost(string, optional, tag = "3")]
    pub stacktrace: Option<String>,
}

/// The lock of an object key.
#[derive(Clone, PartialEq, Message)]
pub struct LockRecord {
    /// Invocation that holds it: 24 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub holder: Bytes,
    /// Lowest queue position that may be taken.
    #[prost(uint64, tag = "2")]
    pub head: u64,
    /// Next queue position to give out.
    #[prost(uint64, tag = "3")]
    pub tail: u64,
    /// Positions that are state edits.
    #[prost(uint32, tag = "4")]
    pub edits: u32,
}

/// A durable promise.
#[derive(Clone, PartialEq, Message)]
pub struct PromiseRecord {
    /// Its result; absent while it is open.
    #[prost(message, optional, tag = "1")]
    pub result: Option<StoredResult>,
    /// When it was completed.
    #[prost(uint64, tag = "2")]
    pub completed_at: Millis,
}
