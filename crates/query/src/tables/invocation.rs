//! `sys_invocation`, `sys_invocation_status`, `sys_invocation_state`: three views of one record.

use reveille_engine::{
    command::{AttemptId, Millis},
    keys::{self, tag},
    record::{InvocationRecord, JournalEntry, Kind, Origin, Status, StoredFailure, decode},
    tx::EngineError,
};
use reveille_protocol::{
    frame::MessageType,
    id::{DeploymentId, InvocationId},
    message::{CombinatorType, Failure, Future, OutputCommand, output_command},
};
use reveille_store::PartitionId;
use serde_json::{Value, json};

use super::{columns, id_in_key, nothing, of_invocation, partition_of, target};
use crate::{
    cell::Cell,
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Stored, Table, World},
    text,
};

/// The states as they are stored.
pub(super) const STATUS: Table = Table {
    name: "sys_invocation_status",
    columns: columns::STATUS,
    keys: &["id", "partition_key"],
    open: |world, filter| open(world, filter, View::Status),
};

/// What is known of attempts; only of invocations that have one, or a back-off.
pub(super) const STATE: Table = Table {
    name: "sys_invocation_state",
    columns: columns::STATE,
    keys: &["id", "partition_key"],
    open: |world, filter| open(world, filter, View::State),
};

/// Both together, with the status that users speak of.
pub(super) const INVOCATION: Table = Table {
    name: "sys_invocation",
    columns: columns::INVOCATION,
    keys: &["id"],
    open: |world, filter| open(world, filter, View::Both),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Status,
    State,
    Both,
}

struct Invocation {
    world: World,
    partition: PartitionId,
    id: InvocationId,
    record: InvocationRecord,
    view: View,
}

fn open(world: &World, filter: &Filter, view: View) -> Rows {
    let is_narrowed = ["id", "partition_key"].iter().any(|key| filter.get(key).is_some());
    if view == View::State && !is_narrowed {
        return attempted(world);
    }
    let Some(scan) = of_invocation(world, filter, tag::INVOCATION) else { return nothing() };
    let world = world.clone();
    Box::new(scan.filter_map(move |stored| read(&world, stored, view).transpose()))
}

/// Those with an attempt or a back-off have a mark of their own; they are few among many.
fn attempted(world: &World) -> Rows {
    let scan = Scan::new(world, None, keys::table(tag::IN_FLIGHT));
    let world = world.clone();
    Box::new(scan.filter_map(move |mark| {
        let stored = mark.and_then(|mark| {
            let key = keys::invocation(id_in_key(&mark.key)?);
            let value = world.snapshot.get(mark.partition, &key)?;
            Ok(value.map(|value| Stored { partition: mark.partition, key, value }))
        });
        stored.transpose().and_then(|stored| read(&world, stored, View::State).transpose())
    }))
}

fn read(
    world: &World,
    stored: Result<Stored, QueryError>,
    view: View,
) -> Result<Option<Box<dyn Row>>, QueryError> {
    let stored = stored?;
    let record: InvocationRecord = decode(&stored.key, &stored.value)?;
    let id = id_in_key(&stored.key)?;
    let invocation =
        Invocation { world: world.clone(), partition: stored.partition, id, record, view };
    // What is past its retention is gone, whether it was cleared away yet or not.
    let shown = !invocation.is_expired() && (view != View::State || invocation.is_attempted());
    Ok(shown.then(|| Box::new(invocation) as Box<dyn Row>))
}

impl Row for Invocation {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let record = &self.record;
        Ok(match column {
            "partition_key" => Cell::Number(self.id.partition_key()),
            "id" => Cell::text(self.id.to_string()),
            "status" => Cell::text(self.status_name()),
            "target" => Cell::text(target(&record.service, record.key.as_deref(), &record.handler)),
            "target_service_name" => Cell::text(record.service.clone()),
            "target_service_key" => Cell::some(record.key.clone(), Cell::Text),
            "target_handler_name" => Cell::text(record.handler.clone()),
            "target_service_ty" => Cell::text(service_type(record.kind())),
            "scope" => Cell::some(record.scope.clone(), Cell::Text),
            "limit_key" => Cell::some(record.limit_key.clone(), Cell::Text),
            "idempotency_key" => Cell::some(record.idempotency_key.clone(), Cell::Text),
            "completion_result" | "completion_failure" => self.completion(column)?,
            "journal_size" => Cell::Number(record.journal_len.into()),
            "journal_commands_size" => Cell::Number(record.commands_len.into()),
            "pinned_deployment_id" => deployment(&record.pinned_deployment),
            "pinned_service_protocol_version" if record.pinned_deployment.is_empty() => Cell::Null,
            "pinned_service_protocol_version" => Cell::Number(record.protocol_version.into()),
            "trace_id" => {
                let trace_id = record.trace.as_ref().map(|context| context.trace_id_text());
                Cell::some(trace_id, Cell::Text)
            }
            "completion_retention" => Cell::Duration(record.completion_retention_ms),
            "journal_retention" => Cell::Duration(record.journal_retention_ms),
            name if name.starts_with("invoked_by") || name == "restarted_from" => {
                self.origin(name)?
            }
            name if name.starts_with("suspended_waiting") => self.awaited(name),
            name if name.ends_with("_at") && name != "last_start_at" => self.time(name),
            name => self.attempt(name),
        })
    }
}

impl Invocation {
    fn status(&self) -> Status {
        self.record.status()
    }

    /// True while a retry or an attempt is going, which is when figures of attempts are shown.
    fn is_attempted(&self) -> bool {
        matches!(self.status(), Status::Running | Status::BackingOff)
    }

    /// When the current attempt was started, if its request is open.
    fn started_at(&self) -> Option<Millis> {
        let (created_at, number) = (self.record.created_at, self.record.attempt);
        let attempts = &self.world.attempts;
        let open = attempts.started_at(self.id, AttemptId { created_at, number });
        open.filter(|_| self.status() == Status::Running)
    }

    fn is_expired(&self) -> bool {
        let expires_at =
            self.record.completed_at.saturating_add(self.record.completion_retention_ms);
        self.status() == Status::Completed && expires_at <= self.world.now_ms
    }

    fn status_name(&self) -> &'static str {
        match (self.status(), self.view) {
            (Status::Scheduled, _) => "scheduled",
            (Status::Queued | Status::Limited, View::Status) => "inboxed",
            (Status::Queued | Status::Limited, _) => "pending",
            (Status::Running | Status::BackingOff, View::Status) => "invoked",
            (Status::Running, _) if self.started_at().is_some() => "running",
            (Status::Running, _) => "ready",
            (Status::BackingOff, _) => "backing-off",
            (Status::Suspended, _) => "suspended",
            (Status::Paused, _) => "paused",
            (Status::Completed, _) => "completed",
        }
    }

    fn time(&self, column: &str) -> Cell {
        let record = &self.record;
        let at: Option<Millis> = match column {
            "created_at" => Some(record.created_at),
            "modified_at" => Some(record.modified_at),
            "inboxed_at" => record.queued_at,
            "scheduled_at" => record.scheduled_at(),
            "scheduled_start_at" => record.start_at,
            "running_at" => record.running_at(),
            "completed_at" => (record.completed_at > 0).then_some(record.completed_at),
            "next_retry_at" if self.status() == Status::BackingOff => record.next_retry_at,
            _ => None,
        };
        Cell::some(at, Cell::Time)
    }

    fn completion(&self, column: &str) -> Result<Cell, QueryError> {
        if self.status() != Status::Completed {
            return Ok(Cell::Null);
        }
        let failure = match &self.record.result {
            Some(result) => result.failure.clone(),
            None => self.output_failure()?,
        };
        Ok(match (column, failure) {
            ("completion_result", None) => Cell::text("success"),
            ("completion_result", Some(_)) => Cell::text("failure"),
            (_, failure) => Cell::some(failure, |failure| Cell::text(text::failure(&failure))),
        })
    }

    /// The failure that the last output entry of the journal holds.
    fn output_failure(&self) -> Result<Option<Failure>, QueryError> {
        let Some(index) = self.record.output_index else { return Ok(None) };
        let key = keys::journal(self.id, index);
        let Some(value) = self.world.snapshot.get(self.partition, &key)? else { return Ok(None) };
        let entry = JournalEntry::decode(&key, &value)?;
        let output: Result<OutputCommand, _> = entry.frame.decode();
        let output = output.map_err(|error| EngineError::corrupt(&key, &error.to_string()))?;
        Ok(match output.result {
            Some(output_command::Result::Failure(failure)) => Some(failure),
            _ => None,
        })
    }

    fn origin(&self, column: &str) -> Result<Cell, QueryError> {
        let origin = self.record.origin();
        let by = match origin {
            Origin::Handler(id) => Some(id),
            _ => None,
        };
        Ok(match (column, origin) {
            ("invoked_by", _) => Cell::text(origin.name()),
            ("invoked_by_subscription_id", Origin::Subscription(id)) => Cell::text(id.to_string()),
            ("restarted_from", Origin::Restart(id)) => Cell::text(id.to_string()),
            ("invoked_by_id", _) => Cell::some(by, |id| Cell::text(id.to_string())),
            ("invoked_by_target" | "invoked_by_service_name", _) => {
                let caller = by.map(|id| self.other(id)).transpose()?.flatten();
                Cell::some(caller, |caller| match column {
                    "invoked_by_service_name" => Cell::Text(caller.service),
                    _ => {
                        Cell::text(target(&caller.service, caller.key.as_deref(), &caller.handler))
                    }
                })
            }
            _ => Cell::Null,
        })
    }

    /// The record of another invocation, if it is still there.
    fn other(&self, id: InvocationId) -> Result<Option<InvocationRecord>, QueryError> {
        let key = keys::invocation(id);
        let partition = PartitionId(partition_of(&self.world, id));
        let value = self.world.snapshot.get(partition, &key)?;
        Ok(value.map(|value| decode(&key, &value)).transpose()?)
    }

    fn awaited(&self, column: &str) -> Cell {
        let awaiting = self.record.awaiting.as_ref();
        let Some(awaiting) = awaiting.filter(|_| self.status() == Status::Suspended) else {
            return Cell::Null;
        };
        let (mut completions, mut signals) = (Vec::new(), Vec::new());
        collect(awaiting, &mut completions, &mut signals);
        match column {
            "suspended_waiting_for_completions" => Cell::Numbers(completions),
            "suspended_waiting_for_signals" => Cell::Numbers(signals),
            _ => Cell::text(future_json(awaiting).to_string()),
        }
    }

    fn attempt(&self, column: &str) -> Cell {
        if !self.is_attempted() {
            return Cell::Null;
        }
        let record = &self.record;
        let failure = record.last_failure.as_ref().filter(|_| record.failed_attempts > 0);
        match column {
            "in_flight" => Cell::Bool(self.started_at().is_some()),
            "last_start_at" => Cell::some(self.started_at(), Cell::Time),
            // The attempt that runs counts, too.
            "retry_count" => {
                let running = u64::from(self.status() == Status::Running);
                Cell::Number(u64::from(record.failed_attempts) + running)
            }
            "last_attempt_deployment_id" => deployment(&record.attempt_deployment),
            "last_attempt_server" => self.attempt_server(),
            name => Cell::some(failure, |failure| failure_cell(failure, name)),
        }
    }

    /// The SDK at the deployment of the attempt, while that is registered.
    fn attempt_server(&self) -> Cell {
        let Cell::Text(id) = deployment(&self.record.attempt_deployment) else { return Cell::Null };
        let known = self.world.catalog.deployments.iter().find(|known| known.id == id);
        Cell::some(known.and_then(|known| known.server.clone()), Cell::Text)
    }
}

fn failure_cell(failure: &StoredFailure, column: &str) -> Cell {
    match column {
        "last_failure" => Cell::text(text::attempt_failure(failure)),
        "last_failure_error_code" if failure.doc_code.is_empty() => Cell::Null,
        "last_failure_error_code" => Cell::text(failure.doc_code.clone()),
        "last_failure_related_command_index" | "last_failure_related_entry_index" => {
            Cell::some(failure.command_index, |index| Cell::Number(index.into()))
        }
        "last_failure_related_command_name" | "last_failure_related_entry_name" => {
            Cell::some(failure.command_name.clone(), Cell::Text)
        }
        "last_failure_related_command_type" | "last_failure_related_entry_type" => {
            Cell::some(failure.command_type, |ty| Cell::text(command_name(ty)))
        }
        _ => Cell::Null,
    }
}

/// The name of a command by its code.
pub(super) fn command_name(code: u32) -> &'static str {
    u16::try_from(code).map_or("Unknown", |code| MessageType(code).name())
}

fn deployment(bytes: &[u8]) -> Cell {
    let id: Option<[u8; 16]> = bytes.try_into().ok();
    Cell::some(id, |id| Cell::text(DeploymentId(u128::from_be_bytes(id)).to_string()))
}

pub(super) fn service_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "service",
        Kind::Exclusive | Kind::SharedObject => "virtual_object",
        Kind::WorkflowRun | Kind::SharedWorkflow => "workflow",
    }
}

fn collect(future: &Future, completions: &mut Vec<u32>, signals: &mut Vec<u32>) {
    completions.extend(&future.waiting_completions);
    signals.extend(&future.waiting_signals);
    for nested in &future.nested_futures {
        collect(nested, completions, signals);
    }
}

/// `{"FirstCompleted":[{"Single":{"SignalIndex":17}}, …]}`
fn future_json(future: &Future) -> Value {
    let single = |name: &str, value: Value| json!({"Single": {name: value}});
    let mut children: Vec<Value> = Vec::new();
    children.extend(future.waiting_signals.iter().map(|at| single("SignalIndex", json!(at))));
    children.extend(future.waiting_completions.iter().map(|at| single("CompletionId", json!(at))));
    let names = &future.waiting_named_signals;
    children.extend(names.iter().map(|name| single("SignalName", json!(name))));
    children.extend(future.nested_futures.iter().map(future_json));
    let combinator = match future.combinator_type() {
        CombinatorType::Unknown => "Unknown",
        CombinatorType::FirstCompleted => "FirstCompleted",
        CombinatorType::AllCompleted => "AllCompleted",
        CombinatorType::FirstSucceededOrAllFailed => "FirstSucceededOrAllFailed",
        CombinatorType::AllSucceededOrFirstFailed => "AllSucceededOrFirstFailed",
    };
    json!({combinator: children})
}
