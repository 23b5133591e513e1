//! Calls and sends to other handlers.
//!
//! - Owns: preconditions, the id of the callee and its invocation message.
//! - Invariant: the callee's id is known when the command is stored, so the id notification never
//!   waits for the callee's partition.

use bytes::Bytes;
use prost::Message as _;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{
    CallCommand, Header, InputCommand, OneWayCallCommand, Value, notification,
};

use super::{await_completion, caller, check_completion_id};
use crate::command::{Invoke, Source, Target};
use crate::frames::{Stop, violation};
use crate::identity;
use crate::journal::{append_command, complete_now};
use crate::level::{check_name, parse_limit_key};
use crate::message::{Message, id_bytes};
use crate::record::Pending;
use crate::schema::{HandlerKind, ServiceKind};
use crate::trace::TraceContext;
use crate::tx::{Invocation, Tx, decode_payload};

/// First version of the service protocol with scopes and limit keys.
const SCOPE_VERSION: u32 = 7;

pub fn on_call(tx: &mut Tx<'_>, invocation: &mut Invocation, frame: &Frame) -> Result<(), Stop> {
    let command: CallCommand = decode_payload(&frame.payload)?;
    check_completion_id(tx, invocation, command.result_completion_id)?;
    let scope = check_scope(invocation, command.scope)?;
    let limit_key = check_limit_key(invocation, scope.as_deref(), command.limit_key)?;
    let idempotency_key = command.idempotency_key;
    let (service, handler) = (command.service_name, command.handler_name);
    let target = resolve(tx, service, command.key, handler, idempotency_key.as_deref())?;
    let target = Target { scope, ..target };
    let (id, fresh) = callee_id(tx, invocation, &target, idempotency_key.as_deref());
    let trace = trace(invocation, &command.headers);
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    announce(tx, invocation, command.invocation_id_notification_idx, id)?;
    let pending = Pending { target: id_bytes(id), ..Pending::default() };
    await_completion(tx, invocation, command.result_completion_id, frame.ty, pending);
    tx.send(Message::Invoke(Box::new(Invoke {
        id,
        fresh,
        target,
        input: input(command.headers, command.parameter),
        idempotency_key,
        limit_key,
        start_at: None,
        caller: Some(caller(invocation, command.result_completion_id)),
        source: Source::Handler(invocation.id),
        trace,
    })))?;
    Ok(())
}

pub fn on_one_way_call(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    frame: &Frame,
) -> Result<(), Stop> {
    let command: OneWayCallCommand = decode_payload(&frame.payload)?;
    let scope = check_scope(invocation, command.scope)?;
    let limit_key = check_limit_key(invocation, scope.as_deref(), command.limit_key)?;
    let idempotency_key = command.idempotency_key;
    let (service, handler) = (command.service_name, command.handler_name);
    let target = resolve(tx, service, command.key, handler, idempotency_key.as_deref())?;
    let target = Target { scope, ..target };
    let (id, fresh) = callee_id(tx, invocation, &target, idempotency_key.as_deref());
    let trace = trace(invocation, &command.headers);
    append_command(tx, invocation, frame.ty, frame.payload.clone());
    announce(tx, invocation, command.invocation_id_notification_idx, id)?;
    tx.send(Message::Invoke(Box::new(Invoke {
        id,
        fresh,
        target,
        input: input(command.headers, command.parameter),
        idempotency_key,
        limit_key,
        start_at: Some(command.invoke_time).filter(|at| *at > tx.now()),
        caller: None,
        source: Source::Handler(invocation.id),
        trace,
    })))?;
    Ok(())
}

/// Checks the target of a call against what is registered.
fn resolve(
    tx: &Tx<'_>,
    service: String,
    key: String,
    handler: String,
    idempotency_key: Option<&str>,
) -> Result<Target, Stop> {
    super::check_name("object key", key.as_bytes())?;
    super::check_name("idempotency key", idempotency_key.unwrap_or_default().as_bytes())?;
    let Some((found, handler_schema)) = tx.context.schema.handler(&service, &handler) else {
        return Err(violation(
            "RT0018",
            format!(
                "failed precondition: the service handler {service}/{handler} was not found; the \
                 call is retried until its deployment is registered"
            ),
        ));
    };
    if found.kind == ServiceKind::Service && !key.is_empty() {
        let text = format!(
            "failed precondition: a key was provided, but the callee '{service}' is a Service"
        );
        return Err(violation("RT0017", text));
    }
    if idempotency_key == Some("") {
        let text = "failed precondition: the idempotency key is empty".to_owned();
        return Err(violation("RT0017", text));
    }
    if idempotency_key.is_some() && handler_schema.kind == HandlerKind::Workflow {
        let text = format!(
            "failed precondition: an idempotency key was given for the run handler of workflow \
             '{service}', which is idempotent by its key already"
        );
        return Err(violation("RT0017", text));
    }
    let key = found.kind.keyed().then_some(key);
    Ok(Target { scope: None, service, key, handler })
}

/// Checks the scope of a command; an empty one is none.
pub fn check_scope(caller: &Invocation, scope: Option<String>) -> Result<Option<String>, Stop> {
    let Some(scope) = scope.filter(|scope| !scope.is_empty()) else { return Ok(None) };
    check_version(caller, "a scope")?;
    match check_name(&scope) {
        Ok(()) => Ok(Some(scope)),
        Err(error) => {
            Err(violation("RT0017", format!("failed precondition: bad scope value: {error}")))
        }
    }
}

/// Checks the limit key of a command; an empty one is none.
fn check_limit_key(
    caller: &Invocation,
    scope: Option<&str>,
    limit_key: Option<String>,
) -> Result<Option<String>, Stop> {
    let Some(limit_key) = limit_key.filter(|key| !key.is_empty()) else { return Ok(None) };
    check_version(caller, "a limit key")?;
    if scope.is_none() {
        let text = "failed precondition: limit-key requires a scope to be set".to_owned();
        return Err(violation("RT0017", text));
    }
    match parse_limit_key(&limit_key) {
        Ok(limit_key) => Ok(Some(limit_key)),
        Err(error) => {
            Err(violation("RT0017", format!("failed precondition: invalid limit-key: {error}")))
        }
    }
}

/// The fields exist from version 7 on. Ignoring them would run what should wait, or wait elsewhere.
fn check_version(caller: &Invocation, what: &str) -> Result<(), Stop> {
    let version = caller.record.protocol_version;
    if version >= SCOPE_VERSION {
        return Ok(());
    }
    let text = format!(
        "{what} needs service protocol version {SCOPE_VERSION}, this attempt speaks {version}; \
         register the deployment again with a newer SDK"
    );
    Err(violation("RT0017", text))
}

/// The id of the callee and whether it is fresh: derived from the target when that is idempotent,
/// else from the command, which is stored once.
fn callee_id(
    tx: &Tx<'_>,
    parent: &Invocation,
    target: &Target,
    idempotency_key: Option<&str>,
) -> (InvocationId, bool) {
    let handler = tx.context.schema.handler(&target.service, &target.handler);
    let run = handler.is_some_and(|(_, handler)| handler.kind == HandlerKind::Workflow);
    let scope = target.scope.as_deref();
    match (run, target.key.as_deref(), idempotency_key) {
        (true, Some(key), _) => (identity::workflow_run_id(scope, &target.service, key), false),
        (_, _, Some(idempotency_key)) => (identity::idempotent_id(target, idempotency_key), false),
        (_, _, None) => {
            let record = &parent.record;
            let (index, routing) = (record.commands_len, target.routing_text());
            (identity::child_id(parent.id, record.created_at, index, routing, tx.now()), true)
        }
    }
}

/// Tells the caller the id of the callee.
fn announce(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    completion_id: u32,
    id: InvocationId,
) -> Result<(), Stop> {
    let result = notification::Result::InvocationId(id.to_string());
    let ty = MessageType::CALL_INVOCATION_ID_NOTIFICATION;
    complete_now(tx, invocation, ty, completion_id, result)?;
    Ok(())
}

/// The trace of a callee: the span that an SDK opened for the call and sent along, else the attempt.
fn trace(invocation: &Invocation, headers: &[Header]) -> Option<Box<TraceContext>> {
    let own = invocation.record.trace.as_deref();
    let sent = header(headers, "traceparent")
        .and_then(|parent| TraceContext::parse(parent, header(headers, "tracestate")));
    let context = match sent {
        Some(sent) => {
            let recorded = sent.is_sampled() && own.is_some_and(|own| own.recorded);
            TraceContext { recorded, ..sent }
        }
        None => own?.of_attempt(invocation.id, invocation.attempt()),
    };
    Some(Box::new(context))
}

fn header<'h>(headers: &'h [Header], name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|header| header.key.eq_ignore_ascii_case(name));
    found.map(|header| header.value.as_str())
}

fn input(headers: Vec<Header>, parameter: Bytes) -> Bytes {
    let command =
        InputCommand { headers, value: Some(Value { content: parameter }), name: String::new() };
    command.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::InvocationRecord;
    use crate::trace::attempt_span;

    const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00000000000000aa-01";
    const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-00000000000000aa-00";

    #[test]
    fn a_callee_continues_the_span_that_called_it() {
        let id = InvocationId::from_parts(1, 2);
        let caller = |recorded: Option<bool>| {
            let trace = recorded.map(|recorded| {
                let own = TraceContext::parse(OWN, Some("a=1")).expect("valid");
                Box::new(TraceContext { recorded, ..own })
            });
            let record = InvocationRecord { trace, attempt: 3, ..InvocationRecord::default() };
            Invocation { id, record }
        };
        let span = attempt_span(id, caller(None).attempt());
        let attempt = format!("00-0af7651916cd43dd8448eb211c80319c-{span:016x}-01");
        // Whether the caller is recorded, what its SDK sends; what the callee gets, and recorded.
        type Row<'t> = (Option<bool>, Option<&'t str>, Option<(&'t str, bool)>);
        let table: [Row<'_>; 9] = [
            (None, None, None),
            (None, Some(SENT), Some((SENT, false))),
            (Some(false), None, Some((OWN, false))),
            (Some(false), Some(SENT), Some((SENT, false))),
            (Some(true), None, Some((&attempt, true))),
            (Some(true), Some(SENT), Some((SENT, true))),
            (Some(true), Some(UNSAMPLED), Some((UNSAMPLED, false))),
            (Some(true), Some("nonsense"), Some((&attempt, true))),
            (None, Some("nonsense"), None),
        ];
        for (recorded, sent, expected) in table {
            let header = |value: &str| Header { key: "Traceparent".into(), value: value.into() };
            let headers: Vec<Header> = sent.into_iter().map(header).collect();
            let found = trace(&caller(recorded), &headers);
            let found = found.map(|context| (context.traceparent(), context.recorded));
            let found = found.as_ref().map(|(parent, recorded)| (parent.as_str(), *recorded));
            assert_eq!(found, expected, "{recorded:?} {sent:?}");
        }
    }
}
