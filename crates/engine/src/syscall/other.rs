//! Signals, awakeables, attach: commands that reach for another invocation.

use reveille_protocol::frame::Frame;
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_protocol::message::{
    AttachInvocationCommand, CompleteAwakeableCommand, GetInvocationOutputCommand, Notification,
    SendSignalCommand, attach_invocation_command, complete_awakeable_command, notification,
    send_signal_command,
};
use reveille_protocol::signal;

use super::call::check_scope;
use super::{await_completion, caller, check_completion_id};
use crate::command::Target;
use crate::frames::{Stop, violation};
use crate::identity;
use crate::journal::{append_command, cancel_signal};
use crate::message::{Message, Outcome, id_bytes};
use crate::record::Pending;
use crate::tx::{Invocation, Tx, decode_payload};

pub fn on_send_signal(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: SendSignalCommand = decode_payload(&frame.payload)?;
    let target = parse_invocation_id(&command.target_invocation_id)?;
    let notification = match command.signal_id {
        Some(send_signal_command::SignalId::Idx(signal::CANCEL)) => cancel_signal(),
        Some(send_signal_command::SignalId::Name(name)) => {
            let result = match command.result {
                Some(send_signal_command::Result::Void(void)) => notification::Result::Void(void),
                Some(send_signal_command::Result::Value(value)) => {
                    notification::Result::Value(value)
                }
                Some(send_signal_command::Result::Failure(failure)) => {
                    notification::Result::Failure(failure)
                }
                None => return Err(violation("RT0012", "a signal has no result".into())),
            };
            Notification { id: Some(notification::Id::SignalName(name)), result: Some(result) }
        }
        Some(send_signal_command::SignalId::Idx(index)) => {
            // An invocation id is public: it must not be enough to answer an awakeable.
            let text = format!("signal {index} cannot be sent, complete the awakeable by its id");
            return Err(violation("RT0012", text));
        }
        None => return Err(violation("RT0012", "a signal has neither index nor name".into())),
    };
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    tx.send(Message::Signal(target, notification))?;
    Ok(())
}

pub fn on_complete_awakeable(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: CompleteAwakeableCommand = decode_payload(&frame.payload)?;
    let awakeable: AwakeableId = command.awakeable_id.parse().map_err(|error| {
        let shown = crate::mask::mask_secrets(&command.awakeable_id);
        violation("RT0012", format!("cannot decode entry: bad awakeable id '{shown}': {error}"))
    })?;
    let outcome = match command.result {
        Some(complete_awakeable_command::Result::Value(value)) => Outcome::Success(value.content),
        Some(complete_awakeable_command::Result::Failure(failure)) => Outcome::Failure(failure),
        None => return Err(violation("RT0012", "an awakeable was completed with nothing".into())),
    };
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    tx.send(Message::CompleteAwakeable(awakeable, outcome))?;
    Ok(())
}

pub fn on_attach(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: AttachInvocationCommand = decode_payload(&frame.payload)?;
    let target = attach_target(invocation, command.target)?;
    ask_for_result(tx, invocation, frame, target, command.result_completion_id, true)
}

pub fn on_get_output(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: GetInvocationOutputCommand = decode_payload(&frame.payload)?;
    let target = attach_target(invocation, command.target)?;
    ask_for_result(tx, invocation, frame, target, command.result_completion_id, false)
}

fn ask_for_result(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
    target: InvocationId,
    completion_id: u32,
    wait: bool,
) -> Result<(), Stop> {
    check_completion_id(tx, invocation, completion_id)?;
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    let pending = Pending { target: id_bytes(target), ..Pending::default() };
    await_completion(tx, invocation, completion_id, frame.ty, pending);
    tx.send(Message::Attach(target, caller(invocation, completion_id), wait))?;
    Ok(())
}

fn attach_target(
    caller: &Invocation,
    target: Option<attach_invocation_command::Target>,
) -> Result<InvocationId, Stop> {
    match target {
        Some(attach_invocation_command::Target::InvocationId(id)) => parse_invocation_id(&id),
        Some(attach_invocation_command::Target::WorkflowTarget(workflow)) => {
            let scope = check_scope(caller, workflow.scope)?;
            let (name, key) = (&workflow.workflow_name, &workflow.workflow_key);
            Ok(identity::workflow_run_id(scope.as_deref(), name, key))
        }
        Some(attach_invocation_command::Target::IdempotentRequestTarget(request)) => {
            let target = Target {
                scope: check_scope(caller, request.scope)?,
                service: request.service_name,
                key: request.service_key,
                handler: request.handler_name,
            };
            Ok(identity::idempotent_id(&target, &request.idempotency_key))
        }
        None => Err(violation("RT0012", "an attach command has no target".into())),
    }
}

fn parse_invocation_id(text: &str) -> Result<InvocationId, Stop> {
    text.parse().map_err(|error| {
        violation("RT0012", format!("cannot decode entry: bad invocation id '{text}': {error}"))
    })
}
