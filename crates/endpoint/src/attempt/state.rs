//! State of an object or workflow: the map the server sent, under the handler's own writes.
//!
//! Invariant: a read is journaled, so a later attempt reads the same value although the map it
//! is sent already contains the writes that came after.

use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{
        ClearStateCommand, GetEagerStateCommand, GetLazyStateCommand, SetStateCommand, Void,
        get_eager_state_command,
    },
};

use super::{Attempt, Handle, Source, Stop};
use crate::journal::{Compare, value};

/// Writes of the current execution, the latest last; `None` is a removed key.
#[derive(Default)]
pub(super) struct Overlay(Vec<(String, Option<Bytes>)>);

impl Overlay {
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Attempt {
    /// Reads a key; waits if the server did not send it along.
    pub fn get_state(&mut self, key: &str) -> Result<Option<Bytes>, Stop> {
        let id = self.next_completion_id();
        let known = match self.journal.next_recorded() {
            // What was read is part of the entry. One that cannot be decoded will not match below.
            Some(frame) if frame.ty == MessageType::GET_EAGER_STATE_COMMAND => {
                Some(frame.decode().map(recorded_value).unwrap_or_default())
            }
            Some(_) => None,
            None => self.known_state(key),
        };
        let Some(known) = known else { return self.get_lazily(key, id) };
        self.journal.command(MessageType::GET_EAGER_STATE_COMMAND, Compare::Payload, || {
            let result = match &known {
                Some(content) => get_eager_state_command::Result::Value(value(content.clone())),
                None => get_eager_state_command::Result::Void(Void {}),
            };
            GetEagerStateCommand {
                key: Bytes::copy_from_slice(key.as_bytes()),
                result: Some(result),
                name: String::new(),
            }
        });
        Ok(known)
    }

    fn get_lazily(&mut self, key: &str, id: u32) -> Result<Option<Bytes>, Stop> {
        self.journal.command(MessageType::GET_LAZY_STATE_COMMAND, Compare::Payload, || {
            GetLazyStateCommand {
                key: Bytes::copy_from_slice(key.as_bytes()),
                result_completion_id: id,
                name: String::new(),
            }
        });
        self.wait_optional(Handle(Source::Completion(id)))
    }

    /// Writes a key.
    pub fn set_state(&mut self, key: &str, content: Bytes) {
        self.state.0.push((key.to_owned(), Some(content.clone())));
        self.journal.command(MessageType::SET_STATE_COMMAND, Compare::Payload, || {
            SetStateCommand {
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: Some(value(content)),
                name: String::new(),
            }
        });
    }

    /// Removes a key.
    pub fn clear_state(&mut self, key: &str) {
        self.state.0.push((key.to_owned(), None));
        self.journal.command(MessageType::CLEAR_STATE_COMMAND, Compare::Payload, || {
            ClearStateCommand { key: Bytes::copy_from_slice(key.as_bytes()), name: String::new() }
        });
    }

    /// Returns what is known about a key without asking: `None` is unknown.
    fn known_state(&self, key: &str) -> Option<Option<Bytes>> {
        if let Some((_, content)) = self.state.0.iter().rev().find(|(written, _)| written == key) {
            return Some(content.clone());
        }
        match self.start.state_map.iter().find(|entry| entry.key == key) {
            Some(entry) => Some(Some(entry.value.clone())),
            None if self.start.partial_state => None,
            None => Some(None),
        }
    }
}

fn recorded_value(read: GetEagerStateCommand) -> Option<Bytes> {
    match read.result {
        Some(get_eager_state_command::Result::Value(value)) => Some(value.content),
        _ => None,
    }
}
