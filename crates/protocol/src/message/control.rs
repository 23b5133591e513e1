//! Control messages: the frame around the journal, never part of it.
//!
//! The ephemeral state read of v8 lives here too, since it leaves no journal entry either.

use bytes::Bytes;

use super::{Failure, Future};

/// Opens an attempt; the server sends it first.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Start {
    /// The stable bytes from which the deployment builds awakeable ids; at least one byte.
    #[prost(bytes = "bytes", tag = "1")]
    pub id: Bytes,
    /// The textual invocation id.
    #[prost(string, tag = "2")]
    pub debug_id: String,
    /// The number of journal frames that follow; at least 1.
    #[prost(uint32, tag = "3")]
    pub known_entries: u32,
    /// The eager state.
    #[prost(message, repeated, tag = "4")]
    pub state_map: Vec<StateEntry>,
    /// Whether keys missing from `state_map` may still exist.
    #[prost(bool, tag = "5")]
    pub partial_state: bool,
    /// The object or workflow key; empty for plain services.
    #[prost(string, tag = "6")]
    pub key: String,
    /// The number of retries since the last stored entry.
    #[prost(uint32, tag = "7")]
    pub retry_count_since_last_stored_entry: u32,
    /// The time since the last stored entry, in ms.
    #[prost(uint64, tag = "8")]
    pub duration_since_last_stored_entry: u64,
    /// The seed of user-visible randomness, the same in all attempts (v6).
    #[prost(uint64, tag = "9")]
    pub random_seed: u64,
    /// The scope the invocation was called in (v7).
    #[prost(string, optional, tag = "10")]
    pub scope: Option<String>,
    /// The limit key (v7).
    #[prost(string, optional, tag = "11")]
    pub limit_key: Option<String>,
    /// The idempotency key it was submitted with (v7).
    #[prost(string, optional, tag = "12")]
    pub idempotency_key: Option<String>,
}

/// Represents one key of the eager state.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StateEntry {
    /// The key; deployments require UTF-8.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value; empty is present but empty.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// Ends an attempt that cannot go on before something completes.
///
/// v5 and v6 fill the three flat lists (any of them wakes), v7 fills `awaiting_on`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Suspension {
    /// Completion ids (v5, v6).
    #[prost(uint32, repeated, tag = "1")]
    pub waiting_completions: Vec<u32>,
    /// Signal indexes (v5, v6).
    #[prost(uint32, repeated, tag = "2")]
    pub waiting_signals: Vec<u32>,
    /// Signal names (v5, v6).
    #[prost(string, repeated, tag = "3")]
    pub waiting_named_signals: Vec<String>,
    /// The await tree (v7).
    #[prost(message, optional, tag = "4")]
    pub awaiting_on: Option<Future>,
}

/// Ends an attempt that failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ErrorMessage {
    /// The HTTP-like code, or 570 to 573.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// What went wrong.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The stack trace; may be long.
    #[prost(string, tag = "3")]
    pub stacktrace: String,
    /// The index among commands (Input is 0); may point one past the stored journal.
    #[prost(uint32, optional, tag = "4")]
    pub related_command_index: Option<u32>,
    /// The name of that command.
    #[prost(string, optional, tag = "5")]
    pub related_command_name: Option<String>,
    /// The message type code of that command.
    #[prost(uint32, optional, tag = "6")]
    pub related_command_type: Option<u32>,
    /// The delay before the next attempt only, in ms; overrides the policy.
    #[prost(uint64, optional, tag = "8")]
    pub next_retry_delay: Option<u64>,
    /// What to do next, an [`ErrorBehavior`] (v7; to be ignored before).
    #[prost(enumeration = "ErrorBehavior", tag = "9")]
    pub behavior: i32,
}

/// Tells what a deployment wants after a failed attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, prost::Enumeration)]
#[repr(i32)]
pub enum ErrorBehavior {
    /// Retry as the policy says.
    Retry = 0,
    /// Pause the invocation.
    Pause = 1,
    /// Fail the invocation.
    Fail = 2,
}

/// Ends the invocation; its result is the last `OutputCommand`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct End {}

/// Acknowledges a command. Defined, but deployments refuse it: never sent.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct CommandAck {
    /// The index among commands.
    #[prost(uint32, tag = "1")]
    pub command_index: u32,
}

/// Proposes the result of a side effect, to be stored as its completion.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ProposeRunCompletion {
    /// The completion id of the `Run` command.
    #[prost(uint32, tag = "1")]
    pub result_completion_id: u32,
    /// The result; required.
    #[prost(oneof = "propose_run_completion::Result", tags = "14, 15")]
    pub result: Option<propose_run_completion::Result>,
}

/// The `oneof` of [`ProposeRunCompletion`].
pub mod propose_run_completion {
    /// The result of the side effect.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// Success: the raw bytes, not a `Value` message.
        #[prost(bytes = "bytes", tag = "14")]
        Value(bytes::Bytes),
        /// Terminal failure.
        #[prost(message, tag = "15")]
        Failure(super::Failure),
    }
}

/// Acknowledges a proposal in place of its full notification (v7).
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct ProposeRunCompletionAck {
    /// The completion id of the `Run` command.
    #[prost(uint32, tag = "1")]
    pub completion_id: u32,
}

/// Tells what the deployment awaits while it stays connected (v7).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AwaitingOn {
    /// The await tree.
    #[prost(message, optional, tag = "1")]
    pub awaiting_on: Option<Future>,
    /// Whether side effects still run.
    #[prost(bool, tag = "2")]
    pub executing_side_effects: bool,
}

/// Reads state without a journal entry (v8).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetStateEphemeralCommand {
    /// The id its answer will carry.
    #[prost(uint32, tag = "1")]
    pub ephemeral_completion_id: u32,
    /// The state key.
    #[prost(bytes = "bytes", tag = "2")]
    pub key: Bytes,
}

/// Answers [`GetStateEphemeralCommand`] (v8).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetStateEphemeralNotification {
    /// The id of the request.
    #[prost(uint32, tag = "1")]
    pub ephemeral_completion_id: u32,
    /// The value, if any; required.
    #[prost(oneof = "get_state_ephemeral_notification::Result", tags = "4, 5")]
    pub result: Option<get_state_ephemeral_notification::Result>,
}

/// The `oneof` of [`GetStateEphemeralNotification`].
pub mod get_state_ephemeral_notification {
    use crate::message;

    /// The value read.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// The key is absent.
        #[prost(message, tag = "4")]
        Void(message::Void),
        /// The value of the key.
        #[prost(message, tag = "5")]
        Value(message::Value),
    }
}
