//! Durable promises of workflows: write-once cells that any handler of a workflow key may use.
//!
//! - Invariant: the first completion wins; everyone else gets a failure that says so.

use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{
    CompletePromiseCommand, GetPromiseCommand, PeekPromiseCommand, Void, complete_promise_command,
    notification,
};

use super::{await_completion, caller, check_completion_id, check_name};
use crate::frames::{Stop, violation};
use crate::journal::{append_command, complete_now};
use crate::keys::{self, Instance};
use crate::message::{Message, Outcome};
use crate::record::{Pending, PromiseRecord, encode};
use crate::retention;
use crate::tx::{EngineError, Invocation, Tx, decode_payload};

pub fn on_get(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: GetPromiseCommand = decode_payload(&frame.payload)?;
    let completion_id = command.result_completion_id;
    check_completion_id(tx, invocation, completion_id)?;
    let promise = read(tx, invocation, &command.key)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    if let Some(outcome) = promise.as_ref().and_then(outcome_of) {
        let ty = MessageType::GET_PROMISE_NOTIFICATION;
        complete_now(tx, invocation, ty, completion_id, outcome.into_notification())?;
        return Ok(());
    }
    let instance = invocation.instance();
    if promise.is_none() {
        tx.write(keys::promise(instance, &command.key), encode(&PromiseRecord::default()));
    }
    let waiter = caller(invocation, completion_id);
    tx.create(keys::promise_waiter(instance, &command.key, &waiter), bytes::Bytes::new());
    let pending = Pending { name: command.key, ..Pending::default() };
    await_completion(tx, invocation, completion_id, frame.ty, pending);
    Ok(())
}

pub fn on_peek(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: PeekPromiseCommand = decode_payload(&frame.payload)?;
    let promise = read(tx, invocation, &command.key)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let result = match promise.as_ref().and_then(outcome_of) {
        Some(outcome) => outcome.into_notification(),
        None => notification::Result::Void(Void {}),
    };
    let ty = MessageType::PEEK_PROMISE_NOTIFICATION;
    complete_now(tx, invocation, ty, command.result_completion_id, result)?;
    Ok(())
}

pub fn on_complete(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: CompletePromiseCommand = decode_payload(&frame.payload)?;
    let promise = read(tx, invocation, &command.key)?;
    let outcome = match command.completion {
        Some(complete_promise_command::Completion::Value(value)) => Outcome::Success(value.content),
        Some(complete_promise_command::Completion::Failure(failure)) => Outcome::Failure(failure),
        None => return Err(violation("RT0012", "a promise was completed without a result".into())),
    };
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let result = if promise.as_ref().and_then(outcome_of).is_some() {
        Outcome::failure(409, "promise was already completed").into_notification()
    } else {
        complete_promise(tx, invocation.instance(), &command.key, outcome)?;
        notification::Result::Void(Void {})
    };
    let ty = MessageType::COMPLETE_PROMISE_NOTIFICATION;
    complete_now(tx, invocation, ty, command.result_completion_id, result)?;
    Ok(())
}

/// Completes an open promise and notifies everyone who waits for it.
pub fn complete_promise(
    tx: &mut Tx<'_>,
    instance: Instance<'_>,
    name: &str,
    outcome: Outcome,
) -> Result<(), EngineError> {
    let result = outcome.clone().into_notification();
    let record = PromiseRecord { result: Some(outcome.into_stored()), completed_at: tx.now() };
    tx.write(keys::promise(instance, name), encode(&record));
    let (start, end) = keys::promise_waiters(instance, name);
    for (key, _) in tx.scan(&start, &end, usize::MAX)? {
        let waiter = keys::parse_caller(&key)
            .ok_or_else(|| EngineError::corrupt(&key, "not a waiter of a promise"))?;
        tx.delete(key);
        tx.send(Message::Notify(waiter, result.clone()))?;
    }
    Ok(())
}

/// Reads a promise after checking that this handler may, and that its workflow has not expired.
fn read(
    tx: &mut Tx<'_>,
    invocation: &Invocation,
    name: &str,
) -> Result<Option<PromiseRecord>, Stop> {
    if !invocation.kind().workflow() {
        let text = "promises exist in workflows only".to_owned();
        return Err(violation("RT0017", text));
    }
    check_name("promise name", name.as_bytes())?;
    retention::forget_expired_run(tx, invocation)?;
    Ok(tx.read(&keys::promise(invocation.instance(), name))?)
}

/// The result of a promise, if it is completed. Presence is what counts: a void value has no bytes.
fn outcome_of(record: &PromiseRecord) -> Option<Outcome> {
    record.result.clone().map(Outcome::from_stored)
}
