//! Journal entries as JSON: whole, with payloads as lists of bytes; or lite, without payloads.
//!
//! - Owns: the shape that user interfaces and tools read.
//! - Does not own: what may not be shown ([`super::hidden`]).
//! - Invariant: an entry that cannot be decoded is shown as such, never left out.

use prost::Message;
use reveille_engine::identity;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        AttachInvocationCommand, CallCommand, ClearStateCommand, CompleteAwakeableCommand,
        CompletePromiseCommand, GetEagerStateCommand, GetEagerStateKeysCommand,
        GetInvocationOutputCommand, GetLazyStateCommand, GetLazyStateKeysCommand,
        GetPromiseCommand, InputCommand, Notification, OneWayCallCommand, OutputCommand,
        PeekPromiseCommand, RunCommand, SendSignalCommand, SetStateCommand, SleepCommand, Value,
        attach_invocation_command, complete_awakeable_command, complete_promise_command,
        get_eager_state_command, notification, output_command, send_signal_command,
    },
};
use serde_json::{Value as Json, json};

use super::members::{Members, Outcome, bytes, text};

/// The entry with its payloads; `callee` is the invocation that a call created.
pub(crate) fn full(frame: &Frame, callee: Option<&str>) -> Json {
    entry(frame, callee, true)
}

/// The entry without its payloads.
pub(crate) fn lite(frame: &Frame, callee: Option<&str>) -> Json {
    entry(frame, callee, false)
}

/// The entry name of a command; empty when it has none.
pub(super) fn name(frame: &Frame) -> String {
    /// Every command has its entry name in this field.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Named {
        #[prost(string, tag = "12")]
        name: String,
    }
    Named::decode(frame.payload.clone()).map(|named| named.name).unwrap_or_default()
}

fn entry(frame: &Frame, callee: Option<&str>, is_full: bool) -> Json {
    let shown = if frame.ty.is_command() {
        command(frame, callee, is_full)
            .map(|command| json!({"Command": {frame.ty.name(): command}}))
    } else {
        notified(frame, is_full).map(|notification| json!({"Notification": notification}))
    };
    shown.unwrap_or_else(|error| json!({"Unreadable": {"type": frame.ty.0, "error": error}}))
}

fn read<M: Message + Default>(frame: &Frame) -> Result<M, String> {
    frame.decode().map_err(|error| error.to_string())
}

fn success(value: &Value) -> Outcome<'_> {
    Outcome::Success(&value.content)
}

fn command(frame: &Frame, callee: Option<&str>, is_full: bool) -> Result<Json, String> {
    let members = Members::new();
    Ok(match frame.ty {
        MessageType::INPUT_COMMAND => {
            let input: InputCommand = read(frame)?;
            members
                .payload(is_full, "headers", || headers(&input.headers))
                .payload(is_full, "payload", || {
                    bytes(&input.value.clone().unwrap_or_default().content)
                })
                .named(input.name.clone())
        }
        MessageType::OUTPUT_COMMAND => {
            let output: OutputCommand = read(frame)?;
            let result = match &output.result {
                Some(output_command::Result::Value(value)) => success(value),
                Some(output_command::Result::Failure(failure)) => Outcome::Failure(failure),
                None => Outcome::Void,
            };
            members.with("result", result.json(is_full)).named(output.name.clone())
        }
        MessageType::SLEEP_COMMAND => {
            let sleep: SleepCommand = read(frame)?;
            members
                .with("wake_up_time", sleep.wake_up_time)
                .with("completion_id", sleep.result_completion_id)
                .named(sleep.name)
        }
        MessageType::RUN_COMMAND => {
            let run: RunCommand = read(frame)?;
            members.with("completion_id", run.result_completion_id).named(run.name)
        }
        MessageType::CALL_COMMAND => call(&read(frame)?, callee, is_full),
        MessageType::ONE_WAY_CALL_COMMAND => one_way_call(&read(frame)?, callee, is_full),
        MessageType::SEND_SIGNAL_COMMAND => send_signal(&read(frame)?, is_full),
        MessageType::COMPLETE_AWAKEABLE_COMMAND => {
            let complete: CompleteAwakeableCommand = read(frame)?;
            let result = match &complete.result {
                Some(complete_awakeable_command::Result::Value(value)) => success(value),
                Some(complete_awakeable_command::Result::Failure(failure)) => {
                    Outcome::Failure(failure)
                }
                None => Outcome::Void,
            };
            members
                .with("id", complete.awakeable_id.clone())
                .with("result", result.json(is_full))
                .named(complete.name.clone())
        }
        MessageType::ATTACH_INVOCATION_COMMAND => {
            let attach: AttachInvocationCommand = read(frame)?;
            attached(attach.target.as_ref(), attach.result_completion_id).named(attach.name)
        }
        MessageType::GET_INVOCATION_OUTPUT_COMMAND => {
            let output: GetInvocationOutputCommand = read(frame)?;
            attached(output.target.as_ref(), output.result_completion_id).named(output.name)
        }
        _ => return keyed(frame, is_full),
    }
    .done())
}

/// Commands on state.
fn keyed(frame: &Frame, is_full: bool) -> Result<Json, String> {
    let members = Members::new();
    Ok(match frame.ty {
        MessageType::GET_LAZY_STATE_COMMAND => {
            let get: GetLazyStateCommand = read(frame)?;
            members
                .with("key", text(&get.key))
                .with("completion_id", get.result_completion_id)
                .named(get.name)
        }
        MessageType::SET_STATE_COMMAND => {
            let set: SetStateCommand = read(frame)?;
            let value = set.value.unwrap_or_default();
            members
                .with("key", text(&set.key))
                .payload(is_full, "value", || bytes(&value.content))
                .named(set.name)
        }
        MessageType::CLEAR_STATE_COMMAND => {
            let clear: ClearStateCommand = read(frame)?;
            members.with("key", text(&clear.key)).named(clear.name)
        }
        MessageType::GET_LAZY_STATE_KEYS_COMMAND => {
            let keys: GetLazyStateKeysCommand = read(frame)?;
            members.with("completion_id", keys.result_completion_id).named(keys.name)
        }
        MessageType::GET_EAGER_STATE_COMMAND => {
            let get: GetEagerStateCommand = read(frame)?;
            let result = match &get.result {
                Some(get_eager_state_command::Result::Value(value)) => success(value),
                Some(get_eager_state_command::Result::Void(_)) | None => Outcome::Void,
            };
            members
                .with("key", text(&get.key))
                .with("result", result.json(is_full))
                .named(get.name.clone())
        }
        MessageType::GET_EAGER_STATE_KEYS_COMMAND => {
            let get: GetEagerStateKeysCommand = read(frame)?;
            let keys = get.value.unwrap_or_default().keys;
            members
                .payload(is_full, "state_keys", || keys.iter().map(|key| text(key)).collect())
                .named(get.name)
        }
        _ => return promised(frame, is_full),
    }
    .done())
}

/// Commands on promises, and those that have nothing to show.
fn promised(frame: &Frame, is_full: bool) -> Result<Json, String> {
    let members = Members::new();
    Ok(match frame.ty {
        MessageType::GET_PROMISE_COMMAND => {
            let get: GetPromiseCommand = read(frame)?;
            members
                .with("key", get.key)
                .with("completion_id", get.result_completion_id)
                .named(get.name)
        }
        MessageType::PEEK_PROMISE_COMMAND => {
            let peek: PeekPromiseCommand = read(frame)?;
            members
                .with("key", peek.key)
                .with("completion_id", peek.result_completion_id)
                .named(peek.name)
        }
        MessageType::COMPLETE_PROMISE_COMMAND => {
            let complete: CompletePromiseCommand = read(frame)?;
            let value = match &complete.completion {
                Some(complete_promise_command::Completion::Value(value)) => success(value),
                Some(complete_promise_command::Completion::Failure(failure)) => {
                    Outcome::Failure(failure)
                }
                None => Outcome::Void,
            };
            members
                .with("key", complete.key.clone())
                .with("value", value.json(is_full))
                .with("completion_id", complete.result_completion_id)
                .named(complete.name.clone())
        }
        _ => members.named(name(frame)),
    }
    .done())
}

fn call(call: &CallCommand, callee: Option<&str>, is_full: bool) -> Members {
    let target = target(&call.service_name, &call.key, &call.handler_name, call.scope.as_deref());
    Members::new()
        .with("invocation_id", callee)
        .with("invocation_target", target)
        .payload(is_full, "headers", || headers(&call.headers))
        .payload(is_full, "parameter", || bytes(&call.parameter))
        .payload(is_full, "idempotency_key", || json!(call.idempotency_key))
        .with("invocation_id_completion_id", call.invocation_id_notification_idx)
        .with("result_completion_id", call.result_completion_id)
        .named(call.name.clone())
}

fn one_way_call(call: &OneWayCallCommand, callee: Option<&str>, is_full: bool) -> Members {
    let target = target(&call.service_name, &call.key, &call.handler_name, call.scope.as_deref());
    Members::new()
        .with("invocation_id", callee)
        .with("invocation_target", target)
        .payload(is_full, "headers", || headers(&call.headers))
        .payload(is_full, "parameter", || bytes(&call.parameter))
        .payload(is_full, "idempotency_key", || json!(call.idempotency_key))
        .with("invoke_time", call.invoke_time)
        .with("invocation_id_completion_id", call.invocation_id_notification_idx)
        .named(call.name.clone())
}

fn headers(headers: &[reveille_protocol::message::Header]) -> Json {
    headers.iter().map(|pair| json!({"name": pair.key, "value": pair.value})).collect()
}

/// The callee. Its type is not part of the command: a key makes it an object.
fn target(service: &str, key: &str, handler: &str, scope: Option<&str>) -> Json {
    match key {
        "" => json!({"Service": {"name": service, "handler": handler, "scope": scope}}),
        key => {
            json!({"VirtualObject": {"name": service, "key": key, "handler": handler, "scope": scope}})
        }
    }
}

fn send_signal(send: &SendSignalCommand, is_full: bool) -> Members {
    let id = match &send.signal_id {
        Some(send_signal_command::SignalId::Idx(index)) => json!({"Index": index}),
        Some(send_signal_command::SignalId::Name(name)) => json!({"Name": name}),
        None => Json::Null,
    };
    let result = match &send.result {
        Some(send_signal_command::Result::Value(value)) => success(value),
        Some(send_signal_command::Result::Failure(failure)) => Outcome::Failure(failure),
        Some(send_signal_command::Result::Void(_)) | None => Outcome::Void,
    };
    Members::new()
        .with("target_invocation_id", send.target_invocation_id.clone())
        .with("signal_id", id)
        .with("result", result.json(is_full))
        .named(send.entry_name.clone())
}

fn attached(target: Option<&attach_invocation_command::Target>, completion_id: u32) -> Members {
    use attach_invocation_command::Target;
    let target = match target {
        Some(Target::InvocationId(id)) => json!({"InvocationId": id}),
        Some(Target::IdempotentRequestTarget(request)) => json!({"IdempotentRequest": {
            "service": request.service_name,
            "key": request.service_key,
            "handler": request.handler_name,
            "idempotency_key": request.idempotency_key,
        }}),
        Some(Target::WorkflowTarget(workflow)) => {
            let id = identity::workflow_run_id(
                workflow.scope.as_deref(),
                &workflow.workflow_name,
                &workflow.workflow_key,
            );
            json!({"Workflow": {
                "name": workflow.workflow_name,
                "key": workflow.workflow_key,
                "invocation_id": id.to_string(),
            }})
        }
        None => Json::Null,
    };
    Members::new().with("target", target).with("completion_id", completion_id)
}

fn notified(frame: &Frame, is_full: bool) -> Result<Json, String> {
    let notification: Notification = read(frame)?;
    let ty = frame.ty.name();
    let result = match &notification.result {
        Some(notification::Result::Value(value)) => success(value),
        Some(notification::Result::Failure(failure)) => Outcome::Failure(failure),
        Some(notification::Result::InvocationId(id)) => Outcome::InvocationId(id),
        Some(notification::Result::StateKeys(keys)) => {
            Outcome::StateKeys(keys.keys.iter().map(|key| text(key)).collect())
        }
        Some(notification::Result::Void(_)) | None => Outcome::Void,
    };
    let result = result.json(is_full);
    let is_signal = frame.ty == MessageType::SIGNAL_NOTIFICATION;
    Ok(match (notification.id, is_full) {
        (Some(notification::Id::CompletionId(id)), true) if !is_signal => {
            json!({"Completion": {ty: {"completion_id": id, "result": result}}})
        }
        (Some(notification::Id::CompletionId(id)), _) => json!({
            "ty": {"Completion": ty}, "id": {"CompletionId": id}, "result": result
        }),
        (Some(notification::Id::SignalId(index)), true) => {
            json!({"Signal": {"id": {"Index": index}, "result": result}})
        }
        (Some(notification::Id::SignalName(name)), true) => {
            json!({"Signal": {"id": {"Name": name}, "result": result}})
        }
        (Some(notification::Id::SignalId(index)), false) => {
            json!({"ty": ty, "id": {"SignalIndex": index}, "result": result})
        }
        (Some(notification::Id::SignalName(name)), false) => {
            json!({"ty": ty, "id": {"SignalName": name}, "result": result})
        }
        (None, _) => json!({"ty": ty, "id": null, "result": result}),
    })
}
