//! `sys_inbox`, `sys_keyed_service_status`, `sys_locks`: who holds a key and who queues for it.

use reveille_engine::{
    keys::{self, tag},
    record::{InvocationRecord, LockRecord, decode},
    tx::EngineError,
};
use reveille_protocol::id::InvocationId;
use reveille_store::PartitionId;

use super::{instance_in_key, partition_of, state};
use crate::{
    cell::{
        Cell,
        Type::{Text, Time, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Stored, Table, World},
};

pub(super) const INBOX: Table = Table {
    name: "sys_inbox",
    columns: &[
        ("partition_key", U64),
        ("service_name", Text),
        ("service_key", Text),
        ("id", Text),
        ("sequence_number", U64),
        ("created_at", Time),
    ],
    keys: &["service_name", "service_key", "partition_key"],
    open: |world, filter| open(world, filter, tag::QUEUE),
};

pub(super) const STATUS: Table = Table {
    name: "sys_keyed_service_status",
    columns: &[
        ("partition_key", U64),
        ("service_name", Text),
        ("service_key", Text),
        ("invocation_id", Text),
    ],
    keys: &["service_name", "service_key", "partition_key"],
    open: |world, filter| open(world, filter, tag::LOCK),
};

pub(super) const LOCKS: Table = Table {
    name: "sys_locks",
    columns: &[
        ("partition_key", U64),
        ("scope", Text),
        ("lock_name", Text),
        ("acquired_at", Time),
        ("acquired_by", Text),
    ],
    keys: &["partition_key"],
    open: |world, filter| open(world, filter, tag::LOCK),
};

fn open(world: &World, filter: &Filter, tag: u8) -> Rows {
    let scan = state::scan(world, filter, tag);
    let world = world.clone();
    Box::new(scan.filter_map(move |stored| {
        let row = stored.and_then(|stored| {
            let invocation = invocation(&stored)?;
            Ok(invocation.map(|invocation| {
                Box::new(Entry { world: world.clone(), stored, invocation }) as Box<dyn Row>
            }))
        });
        row.transpose()
    }))
}

/// Who holds the key, or waits at this place. A lock row stays while edits or others wait, also when
/// nobody holds it.
fn invocation(Stored { key, value, .. }: &Stored) -> Result<Option<InvocationId>, EngineError> {
    let holder = match key.first() {
        Some(&tag::LOCK) => decode::<LockRecord>(key, value)?.holder,
        _ => value.clone(),
    };
    if holder.is_empty() {
        return Ok(None);
    }
    let id = keys::parse_id(&holder);
    id.map(Some).ok_or_else(|| EngineError::corrupt(key, "what it names is no invocation id"))
}

struct Entry {
    world: World,
    stored: Stored,
    invocation: InvocationId,
}

impl Entry {
    fn record(&self) -> Result<Option<InvocationRecord>, QueryError> {
        let key = keys::invocation(self.invocation);
        let partition = PartitionId(partition_of(&self.world, self.invocation));
        let value = self.world.snapshot.get(partition, &key)?;
        Ok(value.map(|value| decode(&key, &value)).transpose()?)
    }
}

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let (instance, at) = instance_in_key(&self.stored.key)?;
        Ok(match column {
            "partition_key" => state::partition_key(instance),
            "scope" => Cell::some(instance.scope, Cell::text),
            "service_name" => Cell::text(instance.service),
            "service_key" => Cell::text(instance.key),
            "lock_name" => Cell::text(format!("{}/{}", instance.service, instance.key)),
            "id" | "invocation_id" | "acquired_by" => Cell::text(self.invocation.to_string()),
            "sequence_number" => {
                let position = self.stored.key.get(at..).and_then(|rest| rest.try_into().ok());
                Cell::some(position, |position| Cell::Number(u64::from_be_bytes(position)))
            }
            "created_at" => Cell::some(self.record()?, |record| Cell::Time(record.created_at)),
            "acquired_at" => {
                Cell::some(self.record()?.and_then(|record| record.running_at()), Cell::Time)
            }
            _ => Cell::Null,
        })
    }
}
