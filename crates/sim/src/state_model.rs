//! The reference model of state: what exclusive handlers of a key read and write, one after the other.
//!
//! - Owns: the state that each handler leaves, computed from its commands and from the one before it.
//! - Invariant: knows nothing of the state table, so a read that the server answers from a wrong row
//!   differs from the model.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{
    ClearStateCommand, GetEagerStateCommand, GetEagerStateKeysCommand, GetLazyStateCommand,
    GetLazyStateKeysCommand, Notification, SetStateCommand, get_eager_state_command, notification,
};

use crate::edits::life_of;
use crate::life::LifeKey;
use crate::model::Model;
use crate::observer::Observer;
use crate::trace::{Checked, invariant, violation};

/// The state of one key.
pub type State = BTreeMap<Bytes, Bytes>;

impl Model {
    /// What is known of the state that an exclusive handler began with.
    fn begin(&self, observer: &Observer, life: LifeKey) -> Option<Vec<State>> {
        let known = self.begin_views.get(&life).cloned();
        known.or_else(|| self.states_before(observer, life))
    }

    /// The state map that an exclusive attempt starts with is what the handler before it left or an
    /// edit made of it, with what earlier attempts of its own wrote.
    pub fn check_state(
        &mut self,
        observer: &Observer,
        life: LifeKey,
        replay: &[Frame],
        found: &State,
    ) -> Checked {
        let Some(mut begin) = self.begin(observer, life) else { return Ok(()) };
        let copied = life_of(observer, life).map_or(0, |life| life.copied_commands);
        let text = format!("{} starts with {found:?}, but {begin:?} was written", life.0);
        begin.retain(|state| {
            let mut expected = state.clone();
            // What was taken over from another invocation was written when that one did it.
            replay.iter().skip(copied).for_each(|frame| write(&mut expected, frame));
            expected == *found
        });
        self.narrow(life, begin, text)
    }

    /// An exclusive handler ends: everything it read is what was written before, and what it leaves
    /// is kept for the next one.
    pub fn check_reads(
        &mut self,
        observer: &Observer,
        life: LifeKey,
        commands: &[Frame],
        notifications: &[Notification],
    ) -> Checked {
        let Some(mut begin) = self.begin(observer, life) else { return Ok(()) };
        let copied = life_of(observer, life).map_or(0, |life| life.copied_commands);
        let (mut ends, mut text) = (Vec::new(), String::new());
        begin.retain(|state| {
            let mut state = state.clone();
            for frame in commands.iter().skip(copied) {
                // What it took over hides from it what others have written since.
                if copied <= 1
                    && let Some((expected, found)) = read(&state, frame, notifications)
                    && expected != found
                {
                    text = format!("{} read {found:?}, but {expected:?} was written", life.0);
                    return false;
                }
                write(&mut state, frame);
            }
            ends.push(state);
            true
        });
        self.end_views.insert(life, ends);
        self.narrow(life, begin, text)
    }

    /// Keeps what a handler can have begun with; there must be something.
    fn narrow(&mut self, life: LifeKey, begin: Vec<State>, text: String) -> Checked {
        if begin.is_empty() {
            return violation(invariant::STATE, text);
        }
        self.begin_views.insert(life, begin);
        Ok(())
    }
}

/// What a read must give and what it gave.
fn read(
    state: &State,
    frame: &Frame,
    notifications: &[Notification],
) -> Option<(Vec<Bytes>, Vec<Bytes>)> {
    let value = |key: &Bytes| state.get(key).cloned().into_iter().collect::<Vec<_>>();
    let keys = || state.keys().cloned().collect::<Vec<_>>();
    Some(match frame.ty {
        MessageType::GET_EAGER_STATE_COMMAND => {
            let command: GetEagerStateCommand = frame.decode().ok()?;
            let found = match command.result? {
                get_eager_state_command::Result::Value(value) => vec![value.content],
                get_eager_state_command::Result::Void(_) => Vec::new(),
            };
            (value(&command.key), found)
        }
        MessageType::GET_EAGER_STATE_KEYS_COMMAND => {
            let command: GetEagerStateKeysCommand = frame.decode().ok()?;
            (keys(), command.value?.keys)
        }
        MessageType::GET_LAZY_STATE_COMMAND => {
            let command: GetLazyStateCommand = frame.decode().ok()?;
            let found = match result_of(notifications, command.result_completion_id)? {
                notification::Result::Value(value) => vec![value.content],
                _ => Vec::new(),
            };
            (value(&command.key), found)
        }
        MessageType::GET_LAZY_STATE_KEYS_COMMAND => {
            let command: GetLazyStateKeysCommand = frame.decode().ok()?;
            match result_of(notifications, command.result_completion_id)? {
                notification::Result::StateKeys(found) => (keys(), found.keys),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn result_of(notifications: &[Notification], id: u32) -> Option<notification::Result> {
    let wanted = Some(notification::Id::CompletionId(id));
    notifications.iter().find(|notification| notification.id == wanted)?.result.clone()
}

/// Applies a command that writes state.
fn write(state: &mut State, frame: &Frame) {
    match frame.ty {
        MessageType::SET_STATE_COMMAND => {
            if let Ok(command) = frame.decode::<SetStateCommand>() {
                state.insert(command.key, command.value.unwrap_or_default().content);
            }
        }
        MessageType::CLEAR_STATE_COMMAND => {
            if let Ok(command) = frame.decode::<ClearStateCommand>() {
                state.remove(&command.key);
            }
        }
        MessageType::CLEAR_ALL_STATE_COMMAND => state.clear(),
        _ => {}
    }
}
