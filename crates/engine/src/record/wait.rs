//! The stored shapes of waits: what is awaited, what completes it, how it was decided.

use bytes::Bytes;
use prost::Message;

use super::InvocationRecord;
use crate::command::Millis;

/// One thing that a suspended invocation waits for.
#[derive(Clone, PartialEq, Message)]
pub struct StoredWait {
    /// [`crate::wait::WaitKind`] as a number.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Signal index or completion id; 0 for a named signal.
    #[prost(uint32, tag = "2")]
    pub index: u32,
    /// Signal or promise name.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// Since when.
    #[prost(uint64, tag = "4")]
    pub since: Millis,
    /// On which attempt it was announced.
    #[prost(uint32, tag = "5")]
    pub attempt: u32,
    /// Tells the rows of one invocation apart; stays when others are taken off the list.
    #[prost(uint32, tag = "9")]
    pub ordinal: u32,
    /// Service name, only in the wait table.
    #[prost(string, tag = "6")]
    pub service: String,
    /// Key, only in the wait table.
    #[prost(string, optional, tag = "7")]
    pub key: Option<String>,
    /// Handler name, only in the wait table.
    #[prost(string, tag = "8")]
    pub handler: String,
    /// Scope, only in the wait table.
    #[prost(string, optional, tag = "10")]
    pub scope: Option<String>,
}

impl StoredWait {
    /// The row of the wait table, for a wait that `record` lists.
    pub fn row_of(&self, record: &InvocationRecord) -> StoredWait {
        StoredWait {
            service: record.service.clone(),
            key: record.key.clone(),
            handler: record.handler.clone(),
            scope: record.scope.clone(),
            ..self.clone()
        }
    }
}

/// A completion that a command waits for.
#[derive(Clone, PartialEq, Message)]
pub struct Pending {
    /// Type code of the command.
    #[prost(uint32, tag = "1")]
    pub command: u32,
    /// The called or attached invocation: 24 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub target: Bytes,
    /// Wake-up time of a sleep.
    #[prost(uint64, tag = "3")]
    pub wake_up_at: Millis,
    /// Name of a promise.
    #[prost(string, tag = "4")]
    pub name: String,
}

/// How an awakeable was decided.
#[derive(Clone, PartialEq, Message)]
pub struct Decision {
    /// When.
    #[prost(uint64, tag = "1")]
    pub at: Millis,
    /// True for a rejection.
    #[prost(bool, tag = "2")]
    pub rejected: bool,
    /// Journal index of the notification.
    #[prost(uint32, tag = "3")]
    pub journal_index: u32,
    /// Idempotency key of the call that decided it.
    #[prost(string, optional, tag = "4")]
    pub idempotency_key: Option<String>,
    /// SHA-256 of the notification, to recognise a repeated call when the journal is gone.
    #[prost(bytes = "bytes", tag = "5")]
    pub digest: Bytes,
}
