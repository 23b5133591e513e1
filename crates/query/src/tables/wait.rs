//! `sys_wait`: what parked invocations wait for. Never the secret of an awakeable.

use reveille_engine::{
    keys::{self, tag},
    record::{InvocationRecord, decode},
    wait::{WaitKind, WaitRow},
};
use reveille_protocol::id::InvocationId;
use reveille_store::PartitionId;

use super::{nothing, partition_of, target};
use crate::{
    cell::{
        Cell,
        Type::{Text, Time, U32},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Stored, Table, World},
};

pub(super) const WAIT: Table = Table {
    name: "sys_wait",
    columns: &[
        ("kind", Text),
        ("invocation_id", Text),
        ("index", U32),
        ("name", Text),
        ("target", Text),
        ("service", Text),
        ("key", Text),
        ("handler", Text),
        ("scope", Text),
        ("since", Time),
        ("attempt", U32),
    ],
    keys: &["invocation_id"],
    open,
};

fn open(world: &World, filter: &Filter) -> Rows {
    match filter.get("invocation_id") {
        None => {
            let scan = Scan::new(world, None, keys::table(tag::WAIT));
            Box::new(scan.map(|stored| entry(&stored?)))
        }
        Some(text) => match text.parse().ok().map(|id| of_invocation(world, id)) {
            None => nothing(),
            Some(Err(error)) => Box::new(std::iter::once(Err(error))),
            Some(Ok(rows)) => Box::new(rows.into_iter().map(|stored| entry(&stored))),
        },
    }
}

fn entry(stored: &Stored) -> Result<Box<dyn Row>, QueryError> {
    Ok(Box::new(Entry(WaitRow::decode(&stored.key, &stored.value)?)))
}

/// The waits of one invocation. Their keys begin with their age, which its record knows.
fn of_invocation(world: &World, id: InvocationId) -> Result<Vec<Stored>, QueryError> {
    let partition = PartitionId(partition_of(world, id));
    let key = keys::invocation(id);
    let Some(value) = world.snapshot.get(partition, &key)? else { return Ok(Vec::new()) };
    let record: InvocationRecord = decode(&key, &value)?;
    let mut rows = Vec::new();
    for wait in &record.waits {
        let kind = u8::try_from(wait.kind).unwrap_or(0);
        let key = keys::wait(wait.since, id, kind, wait.ordinal);
        // An invocation that goes on remembers waits that are listed no more.
        if let Some(value) = world.snapshot.get(partition, &key)? {
            rows.push(Stored { partition, key, value });
        }
    }
    Ok(rows)
}

struct Entry(WaitRow);

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let wait = &self.0;
        Ok(match column {
            "kind" => Cell::text(wait.kind.name()),
            "invocation_id" => Cell::text(wait.invocation.to_string()),
            "index" if wait.kind == WaitKind::Signal => Cell::Null,
            "index" => Cell::Number(wait.index.into()),
            "name" => Cell::some(wait.name.clone(), Cell::Text),
            "target" => Cell::text(target(&wait.service, wait.key.as_deref(), &wait.handler)),
            "service" => Cell::text(wait.service.clone()),
            "key" => Cell::some(wait.key.clone(), Cell::Text),
            "handler" => Cell::text(wait.handler.clone()),
            "scope" => Cell::some(wait.scope.clone(), Cell::Text),
            "since" => Cell::Time(wait.since),
            "attempt" => Cell::Number(wait.attempt.into()),
            _ => Cell::Null,
        })
    }
}
