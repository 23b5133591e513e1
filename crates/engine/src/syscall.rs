//! Commands of a handler: one `match`, one rule each.
//!
//! Each rule validates first and writes after, so that an invalid command leaves nothing behind. A
//! command is appended verbatim; what completes it is appended as soon as it is known.
//!
//! | commands | rule |
//! |---|---|
//! | output, run, sleep | here |
//! | state | [`state`] |
//! | calls and sends | [`call`] |
//! | promises | [`promise`] |
//! | signals, awakeables, attach | [`other`] |

mod call;
mod other;
mod promise;
mod state;

use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{
    Notification, ProposeRunCompletion, RunCommand, SleepCommand, Void, notification,
    propose_run_completion,
};

use crate::frames::{Stop, violation};
use crate::journal::{self, Reply, append_command};
use crate::keys;
use crate::message::Outcome;
use crate::record::{Pending, encode};
use crate::timer;
use crate::tx::{Invocation, Tx, decode_payload};

pub use promise::complete_promise;

/// Applies one command of the live attempt.
pub fn on_command(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    match frame.ty {
        MessageType::OUTPUT_COMMAND => on_output(tx, invocation, frame),
        MessageType::RUN_COMMAND => on_run(tx, invocation, frame),
        MessageType::SLEEP_COMMAND => on_sleep(tx, invocation, frame),
        MessageType::GET_EAGER_STATE_COMMAND | MessageType::GET_EAGER_STATE_KEYS_COMMAND => {
            append_command(tx, invocation, frame.ty, frame.payload.clone());
            Ok(())
        }
        MessageType::GET_LAZY_STATE_COMMAND => state::on_get(tx, invocation, frame),
        MessageType::GET_LAZY_STATE_KEYS_COMMAND => state::on_get_keys(tx, invocation, frame),
        MessageType::SET_STATE_COMMAND => state::on_set(tx, invocation, frame),
        MessageType::CLEAR_STATE_COMMAND => state::on_clear(tx, invocation, frame),
        MessageType::CLEAR_ALL_STATE_COMMAND => state::on_clear_all(tx, invocation, frame),
        MessageType::CALL_COMMAND => call::on_call(tx, invocation, frame),
        MessageType::ONE_WAY_CALL_COMMAND => call::on_one_way_call(tx, invocation, frame),
        MessageType::GET_PROMISE_COMMAND => promise::on_get(tx, invocation, frame),
        MessageType::PEEK_PROMISE_COMMAND => promise::on_peek(tx, invocation, frame),
        MessageType::COMPLETE_PROMISE_COMMAND => promise::on_complete(tx, invocation, frame),
        MessageType::SEND_SIGNAL_COMMAND => other::on_send_signal(tx, invocation, frame),
        MessageType::COMPLETE_AWAKEABLE_COMMAND => {
            other::on_complete_awakeable(tx, invocation, frame)
        }
        MessageType::ATTACH_INVOCATION_COMMAND => other::on_attach(tx, invocation, frame),
        MessageType::GET_INVOCATION_OUTPUT_COMMAND => other::on_get_output(tx, invocation, frame),
        ty => Err(violation("RT0012", format!("unexpected command {ty} from the SDK"))),
    }
}

/// The handler's result. It ends the invocation only with the `End` frame.
fn on_output(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    crate::complete::outcome_of_output(&frame.payload)?;
    invocation.record.output_index = Some(invocation.record.journal_len);
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    Ok(())
}

/// A run begins: the SDK executes its closure and proposes the result.
fn on_run(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: RunCommand = decode_payload(&frame.payload)?;
    check_completion_id(tx, invocation, command.result_completion_id)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    invocation.record.runs.push(command.result_completion_id);
    Ok(())
}

/// A run ended: its result becomes a notification, and the SDK is told once that is durable.
pub fn on_propose_run(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let proposal: ProposeRunCompletion = decode_payload(&frame.payload)?;
    let completion_id = proposal.result_completion_id;
    let Some(at) = invocation.record.runs.iter().position(|id| *id == completion_id) else {
        let text = format!("a result was proposed for run {completion_id}, which is not open");
        return Err(violation("RT0012", text));
    };
    let outcome = match proposal.result {
        Some(propose_run_completion::Result::Value(value)) => Outcome::Success(value),
        Some(propose_run_completion::Result::Failure(failure)) => Outcome::Failure(failure),
        None => {
            let text = format!("the proposal for run {completion_id} has no result");
            return Err(violation("RT0012", text));
        }
    };
    invocation.record.runs.swap_remove(at);
    let notification = Notification {
        id: Some(notification::Id::CompletionId(completion_id)),
        result: Some(outcome.into_notification()),
    };
    let reply = if frame.ack_requested { Reply::Ack } else { Reply::Full };
    let ty = MessageType::RUN_NOTIFICATION;
    journal::append_notification(tx, invocation, ty, &notification, reply)?;
    Ok(())
}

/// A durable timer.
fn on_sleep(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: SleepCommand = decode_payload(&frame.payload)?;
    let completion_id = command.result_completion_id;
    check_completion_id(tx, invocation, completion_id)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    if command.wake_up_time <= tx.now() {
        let void = notification::Result::Void(Void {});
        let ty = MessageType::SLEEP_NOTIFICATION;
        journal::complete_now(tx, invocation, ty, completion_id, void)?;
        return Ok(());
    }
    let pending = Pending { wake_up_at: command.wake_up_time, ..Pending::default() };
    await_completion(tx, invocation, completion_id, frame.ty, pending);
    let due = command.wake_up_time;
    timer::set(tx, due, keys::TimerKind::Sleep, invocation.id, completion_id);
    Ok(())
}

/// Remembers that a command waits for a completion.
fn await_completion(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    completion_id: u32,
    command: MessageType,
    pending: Pending,
) {
    let pending = Pending { command: u32::from(command.0), ..pending };
    tx.create(keys::pending(invocation.id, completion_id), encode(&pending));
    invocation.record.pending_len += 1;
}

/// The caller record of a completion of this invocation.
fn caller(invocation: &Invocation, completion_id: u32) -> crate::command::Caller {
    crate::command::Caller {
        id: invocation.id,
        created_at: invocation.record.created_at,
        completion_id,
    }
}

/// Refuses a completion id that another command still waits for: its completion would be taken for
/// that of the other command.
fn check_completion_id(
    tx: &Tx<'_>,
    invocation: &Invocation,
    completion_id: u32,
) -> Result<(), Stop> {
    let record = &invocation.record;
    let key = keys::pending(invocation.id, completion_id);
    let pending = record.pending_len > 0 && tx.get(&key)?.is_some();
    if !pending && !record.runs.contains(&completion_id) {
        return Ok(());
    }
    let text = format!("completion id {completion_id} is in use by an earlier command");
    Err(violation("RT0012", text))
}

/// Refuses names that do not fit into a row key.
fn check_name(what: &str, name: &[u8]) -> Result<(), Stop> {
    if name.len() <= keys::NAME_BYTES_MAX {
        return Ok(());
    }
    let text = format!("the {what} has {} bytes, at most {} fit", name.len(), keys::NAME_BYTES_MAX);
    Err(violation("RT0017", text))
}
