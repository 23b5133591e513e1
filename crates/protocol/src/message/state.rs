//! Commands on the state of a virtual object or workflow.

use bytes::Bytes;

use super::{StateKeys, Value, Void};

/// Asks for the value of a state key that was not in the eager state.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetLazyStateCommand {
    /// The state key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Sets the value of a state key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetStateCommand {
    /// The state key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The new value; absent counts as empty.
    #[prost(message, optional, tag = "3")]
    pub value: Option<Value>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Removes a state key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ClearStateCommand {
    /// The state key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Removes all state keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ClearAllStateCommand {
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Asks for all state keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetLazyStateKeysCommand {
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Records a read that the eager state answered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetEagerStateCommand {
    /// The state key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// What was read; required.
    #[prost(oneof = "get_eager_state_command::Result", tags = "13, 14")]
    pub result: Option<get_eager_state_command::Result>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The `oneof` of [`GetEagerStateCommand`].
pub mod get_eager_state_command {
    /// What was read.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Result {
        /// The key is absent.
        #[prost(message, tag = "13")]
        Void(super::Void),
        /// The value of the key.
        #[prost(message, tag = "14")]
        Value(super::Value),
    }
}

/// Records a listing of keys that the eager state answered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetEagerStateKeysCommand {
    /// The keys; absent counts as none.
    #[prost(message, optional, tag = "14")]
    pub value: Option<StateKeys>,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}
