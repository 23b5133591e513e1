//! `sys_promise`: durable promises of workflows.

use reveille_engine::{
    keys::tag,
    record::{PromiseRecord, decode},
};

use super::{instance_in_key, state};
use crate::{
    cell::{
        Cell,
        Type::{Binary, Bool, Text, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Stored, Table, World},
    text,
};

pub(super) const PROMISE: Table = Table {
    name: "sys_promise",
    columns: &[
        ("partition_key", U64),
        ("scope", Text),
        ("service_name", Text),
        ("service_key", Text),
        ("key", Text),
        ("completed", Bool),
        ("completion_success_value", Binary),
        ("completion_success_value_utf8", Text),
        ("completion_failure", Text),
    ],
    keys: &["service_name", "service_key", "partition_key"],
    open,
};

fn open(world: &World, filter: &Filter) -> Rows {
    Box::new(state::scan(world, filter, tag::PROMISE).map(|stored| {
        let stored = stored?;
        let record = decode(&stored.key, &stored.value)?;
        Ok(Box::new(Entry { stored, record }) as Box<dyn Row>)
    }))
}

struct Entry {
    stored: Stored,
    record: PromiseRecord,
}

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let (instance, at) = instance_in_key(&self.stored.key)?;
        let result = self.record.result.as_ref();
        let value = result.filter(|result| result.failure.is_none()).map(|result| &result.value);
        let failure = result.and_then(|result| result.failure.as_ref());
        Ok(match column {
            "partition_key" => state::partition_key(instance),
            "scope" => Cell::some(instance.scope, Cell::text),
            "service_name" => Cell::text(instance.service),
            "service_key" => Cell::text(instance.key),
            "key" => Cell::text(String::from_utf8_lossy(&self.stored.key[at..])),
            "completed" => Cell::Bool(result.is_some()),
            "completion_success_value" => Cell::some(value, |value| Cell::Binary(value.clone())),
            "completion_success_value_utf8" => {
                Cell::some(value.and_then(|value| std::str::from_utf8(value).ok()), Cell::text)
            }
            "completion_failure" => {
                Cell::some(failure, |failure| Cell::text(text::failure(failure)))
            }
            _ => Cell::Null,
        })
    }
}
