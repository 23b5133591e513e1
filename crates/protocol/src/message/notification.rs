//! The one shape of every notification, [`Notification`], and its two `oneof`s.

use super::{Failure, StateKeys, Value, Void};

/// Reports a completion or a signal, whatever its message type.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Notification {
    /// What is completed or signalled; required.
    #[prost(oneof = "Id", tags = "1, 2, 3")]
    pub id: Option<Id>,
    /// The result; required. The message type limits the variants.
    #[prost(oneof = "Result", tags = "4, 5, 6, 16, 17")]
    pub result: Option<Result>,
}

/// What is completed or signalled.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Id {
    /// The completion id that a command announced.
    #[prost(uint32, tag = "1")]
    CompletionId(u32),
    /// A signal by index; see [`crate::signal`].
    #[prost(uint32, tag = "2")]
    SignalId(u32),
    /// A signal by name.
    #[prost(string, tag = "3")]
    SignalName(String),
}

/// The result of a notification.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Result {
    /// Nothing: absent, not ready, or done without a value.
    #[prost(message, tag = "4")]
    Void(Void),
    /// Success.
    #[prost(message, tag = "5")]
    Value(Value),
    /// Terminal failure.
    #[prost(message, tag = "6")]
    Failure(Failure),
    /// The id of the invocation that a call created.
    #[prost(string, tag = "16")]
    InvocationId(String),
    /// State keys.
    #[prost(message, tag = "17")]
    StateKeys(StateKeys),
}
