//! `sys_journal` and `sys_journal_events`: what an invocation did, and what went wrong meanwhile.

use reveille_engine::{
    event::{Event, EventKind},
    keys::{self, tag},
    record::JournalEntry,
};
use reveille_protocol::{frame::MessageType, id::InvocationId};
use serde_json::json;

use super::{entry_json, invocation::command_name, nothing, partition_of};
use crate::{
    cell::{
        Cell,
        Type::{Binary, Bool, Text, Time, U32, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Table, World},
};

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
    keys: &["id"],
    open: |world, filter| {
        of_invocation(world, filter, tag::JOURNAL, |id, key, value| {
            let index = key.last_chunk().copied().map_or(0, u32::from_be_bytes);
            let entry = JournalEntry::decode(key, value)?;
            Ok(Box::new(Entry { id, index, entry }))
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
    keys: &["id"],
    open: |world, filter| {
        of_invocation(world, filter, tag::EVENT, |id, key, value| {
            Ok(Box::new(EventRow { id, event: Event::decode(key, value)? }))
        })
    },
};

type Read = fn(InvocationId, &[u8], &bytes::Bytes) -> Result<Box<dyn Row>, QueryError>;

/// The rows of a table by invocation: those of one, or of all.
fn of_invocation(world: &World, filter: &Filter, tag: u8, read: Read) -> Rows {
    let scan = match filter.get("id").map(str::parse::<InvocationId>) {
        Some(Err(_)) => return nothing(),
        Some(Ok(id)) => {
            Scan::new(world, Some(partition_of(world, id)), keys::of_invocation(tag, id))
        }
        None => Scan::new(world, None, keys::table(tag)),
    };
    Box::new(scan.filter_map(move |stored| {
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => return Some(Err(error)),
        };
        let id = keys::parse_id(stored.key.get(1..)?)?;
        Some(read(id, &stored.key, &stored.value))
    }))
}

struct Entry {
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
            "raw" => Cell::Binary(entry_json::without_secrets(frame)),
            "raw_length" => Cell::Number(frame.payload.len() as u64),
            // The journals of service protocol 4 and up; older ones are not spoken here.
            "version" => Cell::Number(2),
            "entry_json" => Cell::text(entry_json::full(frame).to_string()),
            "entry_lite_json" => Cell::text(entry_json::lite(frame).to_string()),
            "appended_at" => Cell::Time(self.entry.at),
            _ => Cell::Null,
        })
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
