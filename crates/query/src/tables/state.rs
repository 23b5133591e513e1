//! `state`: the key-value state of objects and workflows.

use reveille_engine::keys::{self, Instance, tag};
use reveille_protocol::id::InvocationId;

use super::{partition_of_key, split_instance};
use crate::{
    cell::{
        Cell,
        Type::{Binary, Text, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Stored, Table, World},
};

pub(super) const STATE: Table = Table {
    name: "state",
    columns: &[
        ("partition_key", U64),
        ("scope", Text),
        ("service_name", Text),
        ("service_key", Text),
        ("key", Text),
        ("key_length", U64),
        ("value_utf8", Text),
        ("value", Binary),
        ("value_length", U64),
    ],
    keys: &["service_name", "service_key"],
    open,
};

fn open(world: &World, filter: &Filter) -> Rows {
    let scan = scan(world, filter, tag::STATE);
    Box::new(scan.map(|stored| stored.map(|stored| Box::new(Entry(stored)) as Box<dyn Row>)))
}

/// The rows of a table by instance: those of one key, of one service, or all.
pub(super) fn scan(world: &World, filter: &Filter, tag: u8) -> Scan {
    match (filter.get("service_name"), filter.get("service_key")) {
        (Some(service), Some(key)) => {
            let range = keys::of_instance_range(tag, Instance { service, key });
            Scan::new(world, Some(partition_of_key(world, key)), range)
        }
        (Some(service), None) => Scan::new(world, None, keys::of_service_range(tag, service)),
        (None, Some(key)) => Scan::new(world, Some(partition_of_key(world, key)), keys::table(tag)),
        (None, None) => Scan::new(world, None, keys::table(tag)),
    }
}

/// The routing key of an instance.
pub(super) fn partition_key(instance: Instance<'_>) -> Cell {
    let key = reveille_engine::identity::partition_key_of(instance.key);
    Cell::Number(InvocationId::from_parts(key, 0).partition_key())
}

struct Entry(Stored);

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let Some((instance, at)) = split_instance(&self.0.key) else { return Ok(Cell::Null) };
        let name = &self.0.key[at..];
        let value = &self.0.value;
        Ok(match column {
            "partition_key" => partition_key(instance),
            "service_name" => Cell::text(instance.service),
            "service_key" => Cell::text(instance.key),
            "key" => Cell::text(String::from_utf8_lossy(name)),
            "key_length" => Cell::Number(name.len() as u64),
            "value_utf8" => Cell::some(std::str::from_utf8(value).ok(), Cell::text),
            "value" => Cell::Binary(value.clone()),
            "value_length" => Cell::Number(value.len() as u64),
            _ => Cell::Null,
        })
    }
}
