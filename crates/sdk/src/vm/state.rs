//! The state of a key as an attempt sees it, and the commands on it.
//!
//! - Owns: [`StateView`]: what came with the attempt, and what the code has written since.
//! - Invariant: a read that the journal recorded is answered from the journal, never from the view.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{
        ClearAllStateCommand, ClearStateCommand, GetEagerStateCommand, GetEagerStateKeysCommand,
        GetLazyStateCommand, GetLazyStateKeysCommand, SetStateCommand, StateEntry, StateKeys,
        Value, Void, get_eager_state_command::Result as Read, notification::Id,
    },
};

use super::{Handle, Site, Stopped, Vm, inbox::Outcome};

/// The state as far as it is known here.
#[derive(Default)]
pub struct StateView {
    /// By key; `None` is known to be absent.
    known: BTreeMap<Bytes, Option<Bytes>>,
    /// Whether a key that is not known is absent.
    is_complete: bool,
}

impl StateView {
    /// Takes what came with the attempt.
    pub fn new(entries: Vec<StateEntry>, is_complete: bool) -> Self {
        let known = entries.into_iter().map(|entry| (entry.key, Some(entry.value))).collect();
        Self { known, is_complete }
    }

    fn get(&self, key: &[u8]) -> Option<Read> {
        let value = match self.known.get(key) {
            None if !self.is_complete => return None,
            None => None,
            Some(value) => value.clone(),
        };
        Some(value.map_or(Read::Void(Void {}), |content| Read::Value(Value { content })))
    }

    fn keys(&self) -> Option<StateKeys> {
        let present = self.known.iter().filter(|(_, value)| value.is_some());
        let keys = || present.map(|(key, _)| key.clone()).collect();
        self.is_complete.then(|| StateKeys { keys: keys() })
    }
}

impl Vm {
    /// Reads a key: [`Outcome::Value`] or [`Outcome::Void`].
    pub fn get_state(&mut self, key: &str, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        let key = Bytes::copy_from_slice(key.as_bytes());
        let name = String::new();
        let is_eager = match self.recorded_type() {
            Some(ty) => ty == MessageType::GET_EAGER_STATE_COMMAND,
            None => self.state.get(&key).is_some(),
        };
        if is_eager {
            let result = self.state.get(&key);
            let command = GetEagerStateCommand { key, result, name };
            let outcome = match self.issue(command, site)?.result {
                Some(Read::Value(value)) => Outcome::Value(value),
                _ => Outcome::Void(Void {}),
            };
            self.inbox.answer(id, outcome);
        } else {
            self.issue(GetLazyStateCommand { key, result_completion_id: id, name }, site)?;
        }
        Ok(self.handle(Id::CompletionId(id), "state", site))
    }

    /// Lists the keys: [`Outcome::StateKeys`], sorted.
    pub fn state_keys(&mut self, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        let name = String::new();
        let is_eager = match self.recorded_type() {
            Some(ty) => ty == MessageType::GET_EAGER_STATE_KEYS_COMMAND,
            None => self.state.is_complete,
        };
        if is_eager {
            let command = GetEagerStateKeysCommand { value: self.state.keys(), name };
            let keys = self.issue(command, site)?.value.unwrap_or_default();
            self.inbox.answer(id, Outcome::StateKeys(keys));
        } else {
            self.issue(GetLazyStateKeysCommand { result_completion_id: id, name }, site)?;
        }
        Ok(self.handle(Id::CompletionId(id), "state keys", site))
    }

    /// Sets a key.
    pub fn set_state(&mut self, key: &str, content: Bytes, site: Site) -> Result<(), Stopped> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        self.state.known.insert(key.clone(), Some(content.clone()));
        let value = Some(Value { content });
        self.issue(SetStateCommand { key, value, name: String::new() }, site).map(drop)
    }

    /// Removes a key.
    pub fn clear_state(&mut self, key: &str, site: Site) -> Result<(), Stopped> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        self.state.known.insert(key.clone(), None);
        self.issue(ClearStateCommand { key, name: String::new() }, site).map(drop)
    }

    /// Removes all keys.
    pub fn clear_all_state(&mut self, site: Site) -> Result<(), Stopped> {
        self.state = StateView { known: BTreeMap::new(), is_complete: true };
        self.issue(ClearAllStateCommand { name: String::new() }, site).map(drop)
    }
}
