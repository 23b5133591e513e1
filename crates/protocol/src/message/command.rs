//! Commands: the entries that a deployment appends to the journal.
//!
//! Those on state live in `message/state.rs`, those that attach in `message/attach.rs`.

use bytes::Bytes;

use super::{Failure, Header, Value, Void};

/// Carries the request; always the first command of a journal.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct InputCommand {
    /// The headers of the request.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<Header>,
    /// The request body; absent counts as empty.
    #[prost(message, optional, tag = "14")]
    pub value: Option<Value>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Carries the response; the last one before `End` is the result.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OutputCommand {
    /// The result; required.
    #[prost(oneof = "output_command::Result", tags = "14, 15")]
    pub result: Option<output_command::Result>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The `oneof` of [`OutputCommand`].
pub mod output_command {
    /// The result of the invocation.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// Success.
        #[prost(message, tag = "14")]
        Value(super::Value),
        /// Terminal failure.
        #[prost(message, tag = "15")]
        Failure(super::Failure),
    }
}

/// Awaits a durable promise.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetPromiseCommand {
    /// The promise name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Reads a durable promise without waiting.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PeekPromiseCommand {
    /// The promise name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Completes a durable promise.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CompletePromiseCommand {
    /// The promise name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// What to complete it with; required.
    #[prost(oneof = "complete_promise_command::Completion", tags = "2, 3")]
    pub completion: Option<complete_promise_command::Completion>,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The `oneof` of [`CompletePromiseCommand`].
pub mod complete_promise_command {
    /// What the promise is completed with.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Completion {
        /// Success.
        #[prost(message, tag = "2")]
        Value(super::Value),
        /// Terminal failure.
        #[prost(message, tag = "3")]
        Failure(super::Failure),
    }
}

/// Starts a timer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SleepCommand {
    /// When it fires, in ms since the epoch.
    #[prost(uint64, tag = "1")]
    pub wake_up_time: u64,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Calls a handler and awaits its result.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CallCommand {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The handler.
    #[prost(string, tag = "2")]
    pub handler_name: String,
    /// The request body.
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter: Bytes,
    /// The headers of the request.
    #[prost(message, repeated, tag = "4")]
    pub headers: Vec<Header>,
    /// The object or workflow key; empty for plain services.
    #[prost(string, tag = "5")]
    pub key: String,
    /// The idempotency key; not empty when present.
    #[prost(string, optional, tag = "6")]
    pub idempotency_key: Option<String>,
    /// The scope (v7).
    #[prost(string, optional, tag = "7")]
    pub scope: Option<String>,
    /// The limit key (v7).
    #[prost(string, optional, tag = "8")]
    pub limit_key: Option<String>,
    /// The completion id under which the invocation id is reported.
    #[prost(uint32, tag = "10")]
    pub invocation_id_notification_idx: u32,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Calls a handler without awaiting its result, now or later.
///
/// The field numbers after `parameter` are those of [`CallCommand`] plus one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OneWayCallCommand {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The handler.
    #[prost(string, tag = "2")]
    pub handler_name: String,
    /// The request body.
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter: Bytes,
    /// When to invoke, in ms since the epoch; 0 or past means now.
    #[prost(uint64, tag = "4")]
    pub invoke_time: u64,
    /// The headers of the request.
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Header>,
    /// The object or workflow key; empty for plain services.
    #[prost(string, tag = "6")]
    pub key: String,
    /// The idempotency key; not empty when present.
    #[prost(string, optional, tag = "7")]
    pub idempotency_key: Option<String>,
    /// The scope (v7).
    #[prost(string, optional, tag = "8")]
    pub scope: Option<String>,
    /// The limit key (v7).
    #[prost(string, optional, tag = "9")]
    pub limit_key: Option<String>,
    /// The completion id under which the invocation id is reported.
    #[prost(uint32, tag = "10")]
    pub invocation_id_notification_idx: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Sends a signal to an invocation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SendSignalCommand {
    /// The receiver, by textual id.
    #[prost(string, tag = "1")]
    pub target_invocation_id: String,
    /// Which signal; required.
    #[prost(oneof = "send_signal_command::SignalId", tags = "2, 3")]
    pub signal_id: Option<send_signal_command::SignalId>,
    /// What it carries; required.
    #[prost(oneof = "send_signal_command::Result", tags = "4, 5, 6")]
    pub result: Option<send_signal_command::Result>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub entry_name: String,
}

/// The `oneof`s of [`SendSignalCommand`].
pub mod send_signal_command {
    /// Which signal.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum SignalId {
        /// By index; see [`crate::signal`].
        #[prost(uint32, tag = "2")]
        Idx(u32),
        /// By name.
        #[prost(string, tag = "3")]
        Name(String),
    }

    /// What the signal carries.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// Nothing.
        #[prost(message, tag = "4")]
        Void(super::Void),
        /// Success.
        #[prost(message, tag = "5")]
        Value(super::Value),
        /// Terminal failure.
        #[prost(message, tag = "6")]
        Failure(super::Failure),
    }
}

/// Announces a side effect whose result will be proposed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RunCommand {
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Completes an awakeable of any invocation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CompleteAwakeableCommand {
    /// The awakeable id, as text.
    #[prost(string, tag = "1")]
    pub awakeable_id: String,
    /// What to complete it with; required.
    #[prost(oneof = "complete_awakeable_command::Result", tags = "2, 3")]
    pub result: Option<complete_awakeable_command::Result>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The `oneof` of [`CompleteAwakeableCommand`].
pub mod complete_awakeable_command {
    /// What the awakeable is completed with.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// Success.
        #[prost(message, tag = "2")]
        Value(super::Value),
        /// Terminal failure.
        #[prost(message, tag = "3")]
        Failure(super::Failure),
    }
}
