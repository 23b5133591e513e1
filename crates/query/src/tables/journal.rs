//! `sys_journal` and `sys_journal_events`: what an invocation did, and what went wrong meanwhile.

use reveille_engine::{
    event::{Event, EventKind},
    keys::{self, tag},
    record::JournalEntry,
    tx::EngineError,
};
use reveille_protocol::{
    frame::MessageType,
    id::InvocationId,
    message::{CallCommand, Notification, OneWayCallCommand, notification},
};
use reveille_store::PartitionId;
use serde_json::json;

use super::{entry_json, hidden, id_in_key, invocation::command_name, nothing};
use crate::{
    cell::{
        Cell,
        Type::{Binary, Bool, Text, Time, U32, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Stored, Table, World},
};

/// Entries with larger payloads show the lite form as `entry_json`: a list of numbers takes 40 times
/// the memory of its bytes. `raw` has them.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Entries behind a call among which the one that names its callee is looked for.
const ENTRIES_BEHIND_CALL: usize = 4;

pub(super) const JOURNAL: Table = Table {
    name: "sys_journal",
    columns: &[
        ("partition_key", U64),
        ("id", Text),
        ("index", U32),
        ("entry_type", Text),
        ("name", Text),
        ("completed", Bool),
        ("invoked_id", Text),
        ("invoked_target", Text),
        ("sleep_wakeup_at", Time),
        ("promise_name", Text),
        ("raw", Binary),
        ("raw_length", U64),
        ("version", U32),
        ("entry_json", Text),
        ("entry_lite_json", Text),
        ("appended_at", Time),
    ],
    keys: &["id", "partition_key"],
    open: |world, filter| {
        of_invocation(world, filter, tag::JOURNAL, |world, id, stored| {
            let index = stored.key.get(1 + 24..).and_then(|index| index.try_into().ok());
            let index = index.map(u32::from_be_bytes).ok_or_else(|| {
                EngineError::corrupt(&stored.key, "no index behind the invocation id")
            })?;
            let entry = JournalEntry::decode(&stored.key, &stored.value)?;
            let (world, partition) = (world.clone(), stored.partition);
            Ok(Box::new(Entry { world, partition, id, index, entry }))
        })
    },
};

pub(super) const EVENTS: Table = Table {
    name: "sys_journal_events",
    columns: &[
        ("partition_key", U64),
        ("id", Text),
        ("after_journal_entry_index", U32),
        ("appended_at", Time),
        ("event_type", Text),
        ("event_json", Text),
    ],
    keys: &["id", "partition_key"],
    open: |world, filter| {
        of_invocation(world, filter, tag::EVENT, |_, id, stored| {
            Ok(Box::new(EventRow { id, event: Event::decode(&stored.key, &stored.value)? }))
        })
    },
};

type Read = fn(&World, InvocationId, &Stored) -> Result<Box<dyn Row>, QueryError>;

/// The rows of a table by invocation: those of one, or of all.
fn of_invocation(world: &World, filter: &Filter, tag: u8, read: Read) -> Rows {
    let Some(scan) = super::of_invocation(world, filter, tag) else { return nothing() };
    let world = world.clone();
    Box::new(scan.map(move |stored| {
        let stored = stored?;
        read(&world, id_in_key(&stored.key)?, &stored)
    }))
}

struct Entry {
    world: World,
    partition: PartitionId,
    id: InvocationId,
    index: u32,
    entry: JournalEntry,
}

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let frame = &self.entry.frame;
        Ok(match column {
            "partition_key" => Cell::Number(self.id.partition_key()),
            "id" => Cell::text(self.id.to_string()),
            "index" => Cell::Number(self.index.into()),
            "entry_type" => Cell::text(entry_type(frame.ty)),
            "name" if frame.ty.is_command() => Cell::text(entry_json::name(frame)),
            "raw" => Cell::some(hidden::shown(frame), |frame| Cell::Binary(frame.payload)),
            "raw_length" => Cell::Number(frame.payload.len() as u64),
            // The journals of service protocol 4 and up; older ones are not spoken here.
            "version" => Cell::Number(2),
            "entry_json" => self.json(frame.payload.len() <= PAYLOAD_BYTES_MAX)?,
            "entry_lite_json" => self.json(false)?,
            "appended_at" => Cell::Time(self.entry.at),
            _ => Cell::Null,
        })
    }
}

impl Entry {
    fn json(&self, is_full: bool) -> Result<Cell, QueryError> {
        let frame = &self.entry.frame;
        let callee = match frame.ty {
            MessageType::CALL_COMMAND => {
                self.callee::<CallCommand>(|call| call.invocation_id_notification_idx)?
            }
            MessageType::ONE_WAY_CALL_COMMAND => {
                self.callee::<OneWayCallCommand>(|call| call.invocation_id_notification_idx)?
            }
            _ => None,
        };
        // What cannot be read has no JSON that could hold a secret.
        let frame = hidden::shown(frame).unwrap_or_else(|| frame.clone());
        let json = if is_full { entry_json::full } else { entry_json::lite };
        Ok(Cell::text(json(&frame, callee.as_deref()).to_string()))
    }

    /// The invocation that this call created. The notification that names it was stored in the same
    /// step, right behind the command.
    fn callee<M: prost::Message + Default>(
        &self,
        completion_id: impl Fn(&M) -> u32,
    ) -> Result<Option<String>, QueryError> {
        let Ok(command) = self.entry.frame.decode::<M>() else { return Ok(None) };
        let named = notification::Id::CompletionId(completion_id(&command));
        for index in (self.index.saturating_add(1)..).take(ENTRIES_BEHIND_CALL) {
            let key = keys::journal(self.id, index);
            let Some(value) = self.world.snapshot.get(self.partition, &key)? else { break };
            let entry = JournalEntry::decode(&key, &value)?;
            if entry.frame.ty != MessageType::CALL_INVOCATION_ID_NOTIFICATION {
                continue;
            }
            let told: Option<Notification> = entry.frame.decode().ok();
            if let Some(Notification {
                id,
                result: Some(notification::Result::InvocationId(callee)),
            }) = told
                && id.as_ref() == Some(&named)
            {
                return Ok(Some(callee));
            }
        }
        Ok(None)
    }
}

fn entry_type(ty: MessageType) -> String {
    let kind = if ty.is_command() { "Command" } else { "Notification" };
    format!("{kind}: {}", ty.name())
}

struct EventRow {
    id: InvocationId,
    event: Event,
}

impl Row for EventRow {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        Ok(match column {
            "partition_key" => Cell::Number(self.id.partition_key()),
            "id" => Cell::text(self.id.to_string()),
            "after_journal_entry_index" => Cell::Number(self.event.after_index.into()),
            "appended_at" => Cell::Time(self.event.at),
            "event_type" => Cell::text(self.event.kind.name()),
            "event_json" => Cell::text(event_json(&self.event.kind).to_string()),
            _ => Cell::Null,
        })
    }
}

fn event_json(kind: &EventKind) -> serde_json::Value {
    let (ty, failure) = match kind {
        EventKind::TransientError(failure) => ("TransientError", Some(failure)),
        EventKind::Paused(failure) => ("Paused", failure.as_ref()),
    };
    let Some(failure) = failure else { return json!({"ty": ty}) };
    let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let error = json!({
        "error_code": failure.code,
        "error_message": failure.message,
        "error_stacktrace": present(&failure.stacktrace),
        "restate_doc_error_code": present(&failure.doc_code),
        "related_command_index": failure.command_index,
        "related_command_name": failure.command_name,
        "related_command_type": failure.command_type.map(command_name),
    });
    match kind {
        EventKind::Paused(_) => json!({"ty": ty, "last_failure": error}),
        EventKind::TransientError(_) => {
            let mut event = json!({"ty": ty});
            if let (Some(event), serde_json::Value::Object(error)) = (event.as_object_mut(), error)
            {
                event.extend(error);
            }
            event
        }
    }
}
