//! K/V state of objects and workflows.
//!
//! - Invariant: writes take effect when the command is stored, not when the handler ends.

use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{
    ClearStateCommand, GetLazyStateCommand, GetLazyStateKeysCommand, SetStateCommand, StateKeys,
    Value, Void, notification,
};

use super::check_name;
use crate::frames::{Stop, violation};
use crate::journal::{append_command, complete_now};
use crate::keys::{self, tag};
use crate::record::Kind;
use crate::retention;
use crate::tx::{Invocation, Tx, decode_payload};

pub fn on_get(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: GetLazyStateCommand = decode_payload(&frame.payload)?;
    check_reader(tx, invocation)?;
    check_name("state key", &command.key)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let result = match tx.get(&keys::state(invocation.instance(), &command.key))? {
        Some(content) => notification::Result::Value(Value { content }),
        None => notification::Result::Void(Void {}),
    };
    let ty = MessageType::GET_LAZY_STATE_NOTIFICATION;
    complete_now(tx, invocation, ty, command.result_completion_id, result)?;
    Ok(())
}

pub fn on_get_keys(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: GetLazyStateKeysCommand = decode_payload(&frame.payload)?;
    check_reader(tx, invocation)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let (start, end) = keys::of_instance_range(tag::STATE, invocation.instance());
    let prefix_len = keys::instance_prefix_len(invocation.instance());
    let rows = tx.scan(&start, &end, usize::MAX)?;
    let keys = rows.into_iter().map(|(key, _)| key.slice(prefix_len..)).collect();
    let result = notification::Result::StateKeys(StateKeys { keys });
    let ty = MessageType::GET_LAZY_STATE_KEYS_NOTIFICATION;
    complete_now(tx, invocation, ty, command.result_completion_id, result)?;
    Ok(())
}

pub fn on_set(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: SetStateCommand = decode_payload(&frame.payload)?;
    check_writer(invocation)?;
    check_name("state key", &command.key)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let value = command.value.unwrap_or_default().content;
    tx.write(keys::state(invocation.instance(), &command.key), value);
    Ok(())
}

pub fn on_clear(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: ClearStateCommand = decode_payload(&frame.payload)?;
    check_writer(invocation)?;
    check_name("state key", &command.key)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    tx.delete(keys::state(invocation.instance(), &command.key));
    Ok(())
}

pub fn on_clear_all(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    check_writer(invocation)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    tx.delete_range(&keys::of_instance_range(tag::STATE, invocation.instance()))?;
    Ok(())
}

fn check_reader(tx: &mut Tx<'_>, invocation: &Invocation) -> Result<(), Stop> {
    if invocation.kind() == Kind::Plain {
        return Err(violation("RT0017", "a plain service has no state".to_owned()));
    }
    Ok(retention::forget_expired_run(tx, invocation)?)
}

fn check_writer(invocation: &Invocation) -> Result<(), Stop> {
    if !invocation.kind().writes_state() {
        let text = "only exclusive and workflow run handlers may write state".to_owned();
        return Err(violation("RT0017", text));
    }
    Ok(())
}
