//! The determinism table: which fields of a command must be what the journal recorded.
//!
//! - Owns: one row per command (`commands!` below), and how a difference is told.
//! - Does not own: when commands are compared (`vm/replay.rs`).
//! - Invariant: a command without a row cannot be issued.
//!
//! What is not in a row may differ: the time at which a sleep ends, that at which a call is sent.

use std::fmt;

use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{self, Value},
};

use super::output::{Payload, is_large};

/// Bytes of a recorded or issued field that an error shows.
const SHOWN_BYTES_MAX: usize = 200;
/// Characters of an awakeable id that an error shows; what follows is its secret.
const SHOWN_AWAKEABLE_CHARS: usize = 16;

/// Represents a command that the code can issue.
pub trait Command: prost::Message + Default + Clone {
    /// Its code.
    const TYPE: MessageType;

    /// The name of the entry.
    fn entry_name(&self) -> &str;

    /// Finds the first field that is not as recorded.
    fn difference(&self, recorded: &Self, payloads: bool) -> Option<Difference>;

    /// Takes the payload out, if it is a large one.
    fn take_large(&mut self) -> Option<Payload>;
}

/// A field that is not as recorded.
#[derive(Debug)]
pub struct Difference {
    /// The field.
    pub field: &'static str,
    /// What the journal has.
    pub recorded: String,
    /// What the code did.
    pub issued: String,
}

/// Each row: message, type, and the fields that are compared; first the one that holds the name.
/// `payload` fields are compared by kind only, when the payloads are not to be; their field number follows.
macro_rules! commands {
    ($($message:ident: $ty:ident {
        $name:ident $(, $field:ident)* $(; payload $payload:ident @ $tag:literal)?
        $(; secret $secret:ident)?
    })*) => {
        $(impl Command for message::$message {
            const TYPE: MessageType = MessageType::$ty;

            fn entry_name(&self) -> &str {
                &self.$name
            }

            fn difference(&self, recorded: &Self, payloads: bool) -> Option<Difference> {
                let _ = payloads;
                differ(stringify!($name), &recorded.$name, &self.$name)
                    $(.or_else(|| differ(stringify!($field), &recorded.$field, &self.$field)))*
                    $(.or_else(|| {
                        let (recorded, issued) = (&recorded.$payload, &self.$payload);
                        let same_kind = recorded.content().is_some() == issued.content().is_some();
                        let skip = !payloads && same_kind;
                        if skip { None } else { differ(stringify!($payload), recorded, issued) }
                    }))?
                    $(.or_else(|| {
                        let (recorded, issued) = (&recorded.$secret, &self.$secret);
                        (recorded != issued).then(|| Difference {
                            field: stringify!($secret),
                            recorded: hidden(recorded),
                            issued: hidden(issued),
                        })
                    }))?
            }

            fn take_large(&mut self) -> Option<Payload> {
                $(return take_large(&mut self.$payload, $tag);)?
                #[allow(unreachable_code)]
                None
            }
        })*
    };
}

commands! {
    OutputCommand: OUTPUT_COMMAND { name; payload result @ 14 }
    GetEagerStateCommand: GET_EAGER_STATE_COMMAND { name, key }
    GetLazyStateCommand: GET_LAZY_STATE_COMMAND { name, key, result_completion_id }
    GetEagerStateKeysCommand: GET_EAGER_STATE_KEYS_COMMAND { name }
    GetLazyStateKeysCommand: GET_LAZY_STATE_KEYS_COMMAND { name, result_completion_id }
    SetStateCommand: SET_STATE_COMMAND { name, key; payload value @ 3 }
    ClearStateCommand: CLEAR_STATE_COMMAND { name, key }
    ClearAllStateCommand: CLEAR_ALL_STATE_COMMAND { name }
    GetPromiseCommand: GET_PROMISE_COMMAND { name, key, result_completion_id }
    PeekPromiseCommand: PEEK_PROMISE_COMMAND { name, key, result_completion_id }
    CompletePromiseCommand: COMPLETE_PROMISE_COMMAND {
        name, key, result_completion_id; payload completion @ 2
    }
    SleepCommand: SLEEP_COMMAND { name }
    CallCommand: CALL_COMMAND {
        name, service_name, handler_name, key, headers, idempotency_key, scope, limit_key,
        invocation_id_notification_idx, result_completion_id; payload parameter @ 3
    }
    OneWayCallCommand: ONE_WAY_CALL_COMMAND {
        name, service_name, handler_name, key, headers, idempotency_key, scope, limit_key,
        invocation_id_notification_idx; payload parameter @ 3
    }
    SendSignalCommand: SEND_SIGNAL_COMMAND {
        entry_name, target_invocation_id, signal_id, result
    }
    RunCommand: RUN_COMMAND { name, result_completion_id }
    AttachInvocationCommand: ATTACH_INVOCATION_COMMAND { name, target, result_completion_id }
    GetInvocationOutputCommand: GET_INVOCATION_OUTPUT_COMMAND {
        name, target, result_completion_id
    }
    CompleteAwakeableCommand: COMPLETE_AWAKEABLE_COMMAND {
        name; payload result @ 2; secret awakeable_id
    }
}

fn differ<T: PartialEq + fmt::Debug>(
    field: &'static str,
    recorded: &T,
    issued: &T,
) -> Option<Difference> {
    (recorded != issued).then(|| Difference {
        field,
        recorded: shown(recorded),
        issued: shown(issued),
    })
}

fn shown(value: &impl fmt::Debug) -> String {
    let mut text = format!("{value:?}");
    if text.len() > SHOWN_BYTES_MAX {
        let end = (0..=SHOWN_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

fn hidden(awakeable_id: &str) -> String {
    awakeable_id.chars().take(SHOWN_AWAKEABLE_CHARS).chain(['…']).collect()
}

/// A field that holds a payload, or a failure in its place.
trait PayloadField {
    /// Whether the payload is wrapped into a `Value` message.
    const IS_VALUE: bool;

    /// The payload, unless there is a failure.
    fn content(&self) -> Option<&Bytes>;
}

impl PayloadField for Bytes {
    const IS_VALUE: bool = false;

    fn content(&self) -> Option<&Bytes> {
        Some(self)
    }
}

impl PayloadField for Option<Value> {
    const IS_VALUE: bool = true;

    fn content(&self) -> Option<&Bytes> {
        self.as_ref().map(|value| &value.content)
    }
}

macro_rules! value_or_failure {
    ($($module:ident::$name:ident)*) => {
        $(impl PayloadField for Option<message::$module::$name> {
            const IS_VALUE: bool = true;

            fn content(&self) -> Option<&Bytes> {
                match self {
                    Some(message::$module::$name::Value(value)) => Some(&value.content),
                    _ => None,
                }
            }
        })*
    };
}

value_or_failure! {
    output_command::Result
    complete_promise_command::Completion
    complete_awakeable_command::Result
}

fn take_large<F: PayloadField + Default>(field: &mut F, tag: u8) -> Option<Payload> {
    let content = field.content().filter(|content| is_large(content))?.clone();
    *field = F::default();
    Some(Payload { tag, is_value: F::IS_VALUE, content })
}
