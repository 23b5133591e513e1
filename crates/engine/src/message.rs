//! What invocations tell each other: the message table of the outbox.
//!
//! | field | message | from | to |
//! |---|---|---|---|
//! | 1 | `Invoke` | a calling or sending invocation | the invocation to create |
//! | 2 | `Notify` | a called, attached or awaited thing | the invocation that awaits it |
//! | 3 | `Attach` | an attaching invocation | the invocation whose result it wants |
//! | 4 | `Signal` | any invocation | the invocation that is signalled |
//! | 5 | `CompleteAwakeable` | any invocation | the invocation that waits |
//! | 6 | `Kill` | a killed invocation | an invocation that it called and thereby created |
//!
//! - Owns: the shapes and their stored form.
//! - Does not own: delivery ([`crate::tx::Tx::send`], [`crate::outbox`]).

use bytes::Bytes;
use reveille_protocol::id::{AwakeableId, InvocationId};
pub use reveille_protocol::message::Failure;
use reveille_protocol::message::{Notification, notification};

use crate::command::{Caller, Invoke, Source, Target};
use crate::keys;
use crate::record::{self, StoredCaller, StoredResult};
use crate::trace::TraceContext;
use crate::tx::EngineError;

/// A result: a value or a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The value, verbatim.
    Success(Bytes),
    /// A terminal failure.
    Failure(Failure),
}

impl Outcome {
    /// Makes a failure without metadata.
    pub fn failure(code: u32, message: &str) -> Outcome {
        Outcome::Failure(Failure { code, message: message.to_owned(), metadata: Vec::new() })
    }

    /// True for a failure.
    pub fn is_failure(&self) -> bool {
        matches!(self, Outcome::Failure(_))
    }

    /// The same result as a part of a notification.
    pub fn into_notification(self) -> notification::Result {
        match self {
            Outcome::Success(content) => {
                notification::Result::Value(reveille_protocol::message::Value { content })
            }
            Outcome::Failure(failure) => notification::Result::Failure(failure),
        }
    }

    /// The stored form.
    pub fn into_stored(self) -> StoredResult {
        match self {
            Outcome::Success(value) => StoredResult { value, failure: None, stacktrace: None },
            Outcome::Failure(failure) => {
                StoredResult { failure: Some(failure), ..StoredResult::default() }
            }
        }
    }

    /// Reads the stored form.
    pub fn from_stored(stored: StoredResult) -> Outcome {
        match stored.failure {
            Some(failure) => Outcome::Failure(failure),
            None => Outcome::Success(stored.value),
        }
    }
}

/// What one invocation tells another.
#[derive(Clone, Debug)]
pub enum Message {
    /// Creates an invocation.
    Invoke(Box<Invoke>),
    /// Completes a pending completion of the caller.
    Notify(Caller, notification::Result),
    /// Asks for a result: now or when it is there (true), or now or never (false).
    Attach(InvocationId, Caller, bool),
    /// A cancellation or a named signal.
    Signal(InvocationId, Notification),
    /// Completes an awakeable.
    CompleteAwakeable(AwakeableId, Outcome),
    /// Kills a called invocation, if it is this call that created it.
    Kill(InvocationId, Caller),
}

impl Message {
    /// The invocation that it goes to.
    pub fn target(&self) -> InvocationId {
        match self {
            Message::Invoke(invoke) => invoke.id,
            Message::Notify(caller, _) => caller.id,
            Message::Attach(id, ..) | Message::Signal(id, _) | Message::Kill(id, _) => *id,
            Message::CompleteAwakeable(awakeable, _) => awakeable.invocation,
        }
    }

    /// Encodes for the outbox.
    pub fn encode(&self) -> Bytes {
        let body = match self {
            Message::Invoke(invoke) => Body::Invoke(StoredInvoke::from_invoke(invoke)),
            Message::Notify(caller, result) => Body::Notify(StoredNotify {
                caller: Some(StoredCaller::from(*caller)),
                notification: Some(Notification { id: None, result: Some(result.clone()) }),
            }),
            Message::Attach(id, caller, wait) => Body::Attach(StoredAttach {
                id: id_bytes(*id),
                caller: Some(StoredCaller::from(*caller)),
                wait: *wait,
            }),
            Message::Signal(id, notification) => Body::Signal(StoredSignal {
                id: id_bytes(*id),
                notification: Some(notification.clone()),
            }),
            Message::CompleteAwakeable(awakeable, outcome) => {
                Body::CompleteAwakeable(StoredAwakeable {
                    id: id_bytes(awakeable.invocation),
                    secret: Bytes::copy_from_slice(&awakeable.secret),
                    index: awakeable.index,
                    result: Some(outcome.clone().into_stored()),
                })
            }
            Message::Kill(id, caller) => Body::Kill(StoredKill {
                id: id_bytes(*id),
                caller: Some(StoredCaller::from(*caller)),
            }),
        };
        record::encode(&StoredMessage { body: Some(body) })
    }

    /// Decodes from the outbox; `key` is named in the error.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<Message, EngineError> {
        let stored: StoredMessage = record::decode(key, value)?;
        let message = stored.body.and_then(Body::into_message);
        message.ok_or_else(|| EngineError::corrupt(key, "a part of the message is missing"))
    }
}

impl From<Caller> for StoredCaller {
    fn from(caller: Caller) -> StoredCaller {
        StoredCaller {
            id: id_bytes(caller.id),
            created_at: caller.created_at,
            completion_id: caller.completion_id,
        }
    }
}

impl StoredCaller {
    /// Reads the stored form; `None` when the id is not one.
    pub fn to_caller(&self) -> Option<Caller> {
        Some(Caller {
            id: keys::parse_id(&self.id)?,
            created_at: self.created_at,
            completion_id: self.completion_id,
        })
    }
}

/// An id as stored bytes.
pub fn id_bytes(id: InvocationId) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredMessage {
    #[prost(oneof = "Body", tags = "1, 2, 3, 4, 5, 6")]
    body: Option<Body>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Body {
    #[prost(message, tag = "1")]
    Invoke(StoredInvoke),
    #[prost(message, tag = "2")]
    Notify(StoredNotify),
    #[prost(message, tag = "3")]
    Attach(StoredAttach),
    #[prost(message, tag = "4")]
    Signal(StoredSignal),
    #[prost(message, tag = "5")]
    CompleteAwakeable(StoredAwakeable),
    #[prost(message, tag = "6")]
    Kill(StoredKill),
}

impl Body {
    fn into_message(self) -> Option<Message> {
        Some(match self {
            Body::Invoke(stored) => Message::Invoke(Box::new(stored.into_invoke()?)),
            Body::Notify(stored) => {
                Message::Notify(stored.caller?.to_caller()?, stored.notification?.result?)
            }
            Body::Attach(stored) => Message::Attach(
                keys::parse_id(&stored.id)?,
                stored.caller?.to_caller()?,
                stored.wait,
            ),
            Body::Signal(stored) => {
                Message::Signal(keys::parse_id(&stored.id)?, stored.notification?)
            }
            Body::CompleteAwakeable(stored) => Message::CompleteAwakeable(
                AwakeableId {
                    invocation: keys::parse_id(&stored.id)?,
                    secret: stored.secret.as_ref().try_into().ok()?,
                    index: stored.index,
                },
                Outcome::from_stored(stored.result?),
            ),
            Body::Kill(stored) => {
                Message::Kill(keys::parse_id(&stored.id)?, stored.caller?.to_caller()?)
            }
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredInvoke {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(string, tag = "2")]
    service: String,
    #[prost(string, optional, tag = "3")]
    key: Option<String>,
    #[prost(string, tag = "4")]
    handler: String,
    #[prost(bytes = "bytes", tag = "5")]
    input: Bytes,
    #[prost(string, optional, tag = "6")]
    idempotency_key: Option<String>,
    #[prost(uint64, optional, tag = "7")]
    start_at: Option<u64>,
    #[prost(message, optional, tag = "8")]
    caller: Option<StoredCaller>,
    #[prost(bytes = "bytes", tag = "9")]
    sender: Bytes,
    #[prost(bool, tag = "10")]
    fresh: bool,
    #[prost(string, optional, tag = "20")]
    scope: Option<String>,
    #[prost(string, optional, tag = "21")]
    limit_key: Option<String>,
    #[prost(message, optional, boxed, tag = "30")]
    trace: Option<Box<TraceContext>>,
}

impl StoredInvoke {
    fn from_invoke(invoke: &Invoke) -> StoredInvoke {
        StoredInvoke {
            id: id_bytes(invoke.id),
            fresh: invoke.fresh,
            scope: invoke.target.scope.clone(),
            limit_key: invoke.limit_key.clone(),
            service: invoke.target.service.clone(),
            key: invoke.target.key.clone(),
            handler: invoke.target.handler.clone(),
            input: invoke.input.clone(),
            idempotency_key: invoke.idempotency_key.clone(),
            start_at: invoke.start_at,
            caller: invoke.caller.map(StoredCaller::from),
            sender: invoke.source.to_stored(),
            trace: invoke.trace.clone(),
        }
    }

    fn into_invoke(self) -> Option<Invoke> {
        let caller = match self.caller {
            Some(stored) => Some(stored.to_caller()?),
            None => None,
        };
        Some(Invoke {
            id: keys::parse_id(&self.id)?,
            fresh: self.fresh,
            target: Target {
                scope: self.scope,
                service: self.service,
                key: self.key,
                handler: self.handler,
            },
            limit_key: self.limit_key,
            input: self.input,
            idempotency_key: self.idempotency_key,
            start_at: self.start_at,
            caller,
            source: Source::from_stored(&self.sender),
            trace: self.trace,
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredNotify {
    #[prost(message, optional, tag = "1")]
    caller: Option<StoredCaller>,
    #[prost(message, optional, tag = "2")]
    notification: Option<Notification>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredAttach {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(message, optional, tag = "2")]
    caller: Option<StoredCaller>,
    #[prost(bool, tag = "3")]
    wait: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredSignal {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(message, optional, tag = "2")]
    notification: Option<Notification>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredAwakeable {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    secret: Bytes,
    #[prost(uint32, tag = "3")]
    index: u32,
    #[prost(message, optional, tag = "4")]
    result: Option<StoredResult>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredKill {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(message, optional, tag = "2")]
    caller: Option<StoredCaller>,
}
