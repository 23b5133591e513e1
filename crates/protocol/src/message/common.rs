//! Shapes nested in several messages.

use bytes::Bytes;

/// Represents the absence of a value where its presence matters.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Void {}

/// Represents a payload of the user; empty is a value too.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Value {
    /// The opaque bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub content: Bytes,
}

/// Represents a list of state keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StateKeys {
    /// The keys, sorted.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub keys: Vec<Bytes>,
}

/// Represents one header of a call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// The header name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The header value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Represents a terminal failure, visible to user code.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Failure {
    /// The HTTP-like code.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// The message for the caller.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Free key-value pairs (v6).
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<FailureMetadata>,
}

/// Represents one key-value pair of a failure.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FailureMetadata {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Represents one node of an await tree (v7): leaves in three lists, inner children nested.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Future {
    /// Completion ids among the leaves.
    #[prost(uint32, repeated, tag = "1")]
    pub waiting_completions: Vec<u32>,
    /// Signal indexes among the leaves.
    #[prost(uint32, repeated, tag = "2")]
    pub waiting_signals: Vec<u32>,
    /// Signal names among the leaves.
    #[prost(string, repeated, tag = "3")]
    pub waiting_named_signals: Vec<String>,
    /// The inner children; the decoder bounds their depth at 100.
    #[prost(message, repeated, tag = "4")]
    pub nested_futures: Vec<Future>,
    /// How leaves and children combine, a [`CombinatorType`].
    #[prost(enumeration = "CombinatorType", tag = "5")]
    pub combinator_type: i32,
}

/// Tells how the children of a [`Future`] combine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, prost::Enumeration)]
#[repr(i32)]
pub enum CombinatorType {
    /// Not told; treated as [`Self::FirstCompleted`].
    Unknown = 0,
    /// Done when one child is: a race.
    FirstCompleted = 1,
    /// Done when all children are, whatever their results.
    AllCompleted = 2,
    /// Done at the first success, or when all failed.
    FirstSucceededOrAllFailed = 3,
    /// Done when all succeeded, or at the first failure.
    AllSucceededOrFirstFailed = 4,
}
