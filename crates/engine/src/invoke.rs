//! Creating invocations, and joining the ones that exist.
//!
//! - Owns: what a new invocation looks like, idempotency, scheduling and queueing.
//! - Invariant: the same id is created once; whoever comes later is told which one it joined.

use reveille_protocol::frame::{Frame, MessageType};

use crate::attempt;
use crate::command::{Invoke, RequestId, Source};
use crate::complete;
use crate::effect::{Effect, Reply};
use crate::identity;
use crate::keys::{self, TimerKind};
use crate::lock;
use crate::message::{Message, Outcome};
use crate::record::{InvocationRecord, JournalEntry, Kind, Status, StoredCaller};
use crate::schema::{HandlerKind, HandlerSchema, ServiceKind, ServiceSchema};
use crate::timer;
use crate::tx::{EngineError, Invocation, Tx};

/// An invocation from the ingress.
pub fn on_invoke(
    tx: &mut Tx<'_>,
    request: RequestId,
    invoke: Invoke,
    wait: bool,
) -> Result<(), EngineError> {
    let id = invoke.id;
    let execution_time = invoke.start_at;
    if let Some(existing) = existing(tx, &invoke)? {
        let reply = match (wait, existing.kind()) {
            (true, Kind::WorkflowRun) => Reply::WorkflowAlreadyInvoked(id),
            (true, _) => return complete::reply_result(tx, request, &existing),
            (false, _) => Reply::Accepted { id, fresh: false, execution_time: None },
        };
        tx.emit(Effect::Reply(request, reply));
        return Ok(());
    }
    if create(tx, invoke)?.is_some() {
        tx.emit(if wait {
            Effect::Park(request, id)
        } else {
            Effect::Reply(request, Reply::Accepted { id, fresh: true, execution_time })
        });
    } else {
        tx.emit(Effect::Reply(request, Reply::Unavailable(REMOVED.to_owned())));
    }
    Ok(())
}

/// What is said when the handler went between the check of a request and its step.
pub(crate) const REMOVED: &str =
    "the handler was removed a moment ago, register its deployment again";

/// An invocation from a handler.
pub fn on_message(tx: &mut Tx<'_>, invoke: Invoke) -> Result<(), EngineError> {
    let (id, caller) = (invoke.id, invoke.caller);
    if let Some(existing) = existing(tx, &invoke)? {
        let Some(caller) = caller else { return Ok(()) };
        if existing.kind() == Kind::WorkflowRun {
            let outcome = Outcome::failure(409, "the workflow method was already invoked");
            return tx.send(Message::Notify(caller, outcome.into_notification()));
        }
        return complete::on_attach_message(tx, id, caller, true);
    }
    if create(tx, invoke)?.is_none()
        && let Some(caller) = caller
    {
        let outcome = Outcome::failure(404, "the handler is not registered any more");
        tx.send(Message::Notify(caller, outcome.into_notification()))?;
    }
    Ok(())
}

/// Starts an invocation whose time has come: at once, or behind the lock of its key.
pub fn begin(tx: &mut Tx<'_>, mut invocation: Invocation) -> Result<(), EngineError> {
    if invocation.kind() == Kind::Exclusive && !lock::acquire(tx, &mut invocation)? {
        tx.put(&invocation);
        return Ok(());
    }
    attempt::start(tx, &mut invocation)
}

/// The invocation with the same id. What belongs to an expired run is forgotten first.
pub(crate) fn existing(
    tx: &mut Tx<'_>,
    invoke: &Invoke,
) -> Result<Option<Invocation>, EngineError> {
    if let (Some(key), Some((service, _))) = (
        invoke.target.key.as_deref(),
        tx.context.schema.handler(&invoke.target.service, &invoke.target.handler),
    ) && service.kind == ServiceKind::Workflow
    {
        let scope = invoke.target.scope.as_deref();
        tx.load(identity::workflow_run_id(scope, &service.name, key))?;
    }
    if invoke.fresh { Ok(None) } else { tx.load(invoke.id) }
}

/// Creates and begins an invocation; `None` when its handler is not registered.
pub(crate) fn create(tx: &mut Tx<'_>, invoke: Invoke) -> Result<Option<()>, EngineError> {
    let schema = tx.context.schema;
    let target = &invoke.target;
    let Some((service, handler)) = schema.handler(&target.service, &target.handler) else {
        return Ok(None);
    };
    let now = tx.now();
    let mut invocation = Invocation { id: invoke.id, record: record(service, handler, &invoke) };
    let record = &mut invocation.record;
    record.trace = invoke.trace;
    record.created_at = now;
    record.modified_at = now;
    record.last_entry_at = now;
    record.journal_len = 1;
    record.commands_len = 1;
    let input = Frame::new(MessageType::INPUT_COMMAND, invoke.input);
    tx.note_absent(keys::invocation(invoke.id));
    tx.create(keys::journal(invoke.id, 0), JournalEntry { at: now, frame: input }.encode());
    match invoke.start_at {
        Some(at) if at > now => {
            invocation.record.set_status(Status::Scheduled);
            timer::set(tx, at, TimerKind::Start, invoke.id, 0);
            tx.put(&invocation);
        }
        _ => begin(tx, invocation)?,
    }
    Ok(Some(()))
}

/// What is known of an invocation before it begins; times and journal are up to the caller.
pub fn record(
    service: &ServiceSchema,
    handler: &HandlerSchema,
    invoke: &Invoke,
) -> InvocationRecord {
    let kind = match (service.kind, handler.kind) {
        (_, HandlerKind::Plain) | (ServiceKind::Service, _) => Kind::Plain,
        (_, HandlerKind::Exclusive) => Kind::Exclusive,
        (_, HandlerKind::Workflow) => Kind::WorkflowRun,
        (ServiceKind::VirtualObject, HandlerKind::Shared) => Kind::SharedObject,
        (ServiceKind::Workflow, HandlerKind::Shared) => Kind::SharedWorkflow,
    };
    let options = &handler.options;
    let kept = match invoke.source {
        Source::Ingress | Source::Subscription(_) => true,
        Source::Handler(_) => invoke.idempotency_key.is_some(),
    };
    let completion_retention_ms = match kind {
        Kind::WorkflowRun => options.workflow_retention_ms,
        _ if kept => options.idempotency_retention_ms,
        _ => 0,
    };
    let mut record = InvocationRecord {
        scope: invoke.target.scope.clone(),
        limit_key: invoke.limit_key.clone(),
        service: invoke.target.service.clone(),
        key: invoke.target.key.clone(),
        handler: invoke.target.handler.clone(),
        start_at: invoke.start_at,
        caller: invoke.caller.map(StoredCaller::from),
        sender: invoke.source.to_stored(),
        idempotency_key: invoke.idempotency_key.clone(),
        completion_retention_ms,
        journal_retention_ms: options.journal_retention_ms.min(completion_retention_ms),
        ..InvocationRecord::default()
    };
    record.set_kind(kind);
    record
}
