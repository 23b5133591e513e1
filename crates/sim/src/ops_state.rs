//! The state operations: answered from the local view where it knows, from the server where not.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{
    ClearAllStateCommand, ClearStateCommand, Failure, GetEagerStateCommand,
    GetEagerStateKeysCommand, GetLazyStateCommand, GetLazyStateKeysCommand, SetStateCommand,
    StateKeys, Void, get_eager_state_command, notification,
};

use crate::machine::{Handle, Machine, Stop};
use crate::ops::value;
use crate::programs::Op;

impl Machine<'_> {
    /// One operation on the state.
    pub fn op_state(&mut self, op: &Op) -> Result<Result<(), Failure>, Stop> {
        let name = String::new();
        match op {
            Op::Get(number) => return self.op_get(state_key(*number)),
            Op::Keys => return self.op_keys(),
            Op::Set(number) => {
                let (key, content) = (state_key(*number), format!("{:x}", self.observed));
                self.view.insert(key.clone(), Some(content.clone().into()));
                let command = SetStateCommand { key, value: Some(value(&content)), name };
                self.send(MessageType::SET_STATE_COMMAND, &command)?;
            }
            Op::Clear(number) => {
                let key = state_key(*number);
                self.view.insert(key.clone(), None);
                self.send(MessageType::CLEAR_STATE_COMMAND, &ClearStateCommand { key, name })?;
            }
            _ => {
                self.view.clear();
                self.partial = false;
                self.send(MessageType::CLEAR_ALL_STATE_COMMAND, &ClearAllStateCommand { name })?;
            }
        }
        Ok(Ok(()))
    }

    fn op_get(&mut self, key: Bytes) -> Result<Result<(), Failure>, Stop> {
        let id = self.completion_id();
        let known = match self.view.get(&key) {
            Some(found) => Some(found.clone()),
            None if !self.partial => Some(None),
            None => None,
        };
        let name = String::new();
        let frame = match known {
            Some(found) => {
                let result = match found {
                    Some(content) => {
                        let value = reveille_protocol::message::Value { content };
                        get_eager_state_command::Result::Value(value)
                    }
                    None => get_eager_state_command::Result::Void(Void {}),
                };
                let command = GetEagerStateCommand { key, result: Some(result), name };
                Frame::message(MessageType::GET_EAGER_STATE_COMMAND, &command)
            }
            None => {
                let command = GetLazyStateCommand { key, result_completion_id: id, name };
                Frame::message(MessageType::GET_LAZY_STATE_COMMAND, &command)
            }
        };
        // What was read counts, not what would be read now.
        let frame = self.command(frame, |_, _| true)?;
        if frame.ty == MessageType::GET_EAGER_STATE_COMMAND {
            let command = frame.decode::<GetEagerStateCommand>().unwrap_or_default();
            match command.result {
                Some(get_eager_state_command::Result::Value(value)) => self.observe(&value.content),
                _ => self.observe(b"void"),
            }
            return Ok(Ok(()));
        }
        Ok(self.one(Handle::Completion(id))?.map(|result| self.observe_result(&result)))
    }

    fn op_keys(&mut self) -> Result<Result<(), Failure>, Stop> {
        let id = self.completion_id();
        let name = String::new();
        let frame = if self.partial {
            let command = GetLazyStateKeysCommand { result_completion_id: id, name };
            Frame::message(MessageType::GET_LAZY_STATE_KEYS_COMMAND, &command)
        } else {
            let present = self.view.iter().filter(|(_, value)| value.is_some());
            let keys = present.map(|(key, _)| key.clone()).collect();
            let command = GetEagerStateKeysCommand { value: Some(StateKeys { keys }), name };
            Frame::message(MessageType::GET_EAGER_STATE_KEYS_COMMAND, &command)
        };
        let frame = self.command(frame, |_, _| true)?;
        if frame.ty == MessageType::GET_EAGER_STATE_KEYS_COMMAND {
            let command = frame.decode::<GetEagerStateKeysCommand>().unwrap_or_default();
            self.observe_result(&notification::Result::StateKeys(
                command.value.unwrap_or_default(),
            ));
            return Ok(Ok(()));
        }
        Ok(self.one(Handle::Completion(id))?.map(|result| self.observe_result(&result)))
    }
}

fn state_key(number: u8) -> Bytes {
    Bytes::from(format!("v{number}"))
}
