//! `state`: the key-value state of objects and workflows.

use reveille_engine::keys::{self, Instance, tag};
use reveille_protocol::id::InvocationId;

use super::{instance_in_key, partition_of_filter, partition_of_key};
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
    keys: &["service_name", "service_key", "partition_key"],
    open,
};

fn open(world: &World, filter: &Filter) -> Rows {
    let scan = scan(world, filter, tag::STATE);
    Box::new(scan.map(|stored| stored.map(|stored| Box::new(Entry(stored)) as Box<dyn Row>)))
}

/// The rows of a table by instance: those of one key, of one service, or all. Those in scopes come
/// after the others, and are not narrowed: a key has one place in every scope.
pub(super) fn scan(
    world: &World,
    filter: &Filter,
    tag: u8,
) -> impl Iterator<Item = Result<Stored, QueryError>> + use<> {
    let (partition, range) = match (filter.get("service_name"), filter.get("service_key")) {
        (Some(service), Some(key)) => {
            let instance = Instance { scope: None, service, key };
            (Some(partition_of_key(world, key)), keys::of_instance_range(tag, instance))
        }
        (Some(service), None) => (None, keys::of_service_range(tag, service)),
        (None, _) => (None, keys::table(tag)),
    };
    let is_narrowed = filter.get("service_name").is_some();
    let routed = partition_of_filter(world, filter);
    let scoped = is_narrowed.then(|| Scan::new(world, routed, keys::of_scoped_range(tag)));
    Scan::new(world, routed.or(partition), range).chain(scoped.into_iter().flatten())
}

/// The routing key of an instance.
pub(super) fn partition_key(instance: Instance<'_>) -> Cell {
    let routing = instance.scope.unwrap_or(instance.key);
    let key = reveille_engine::identity::partition_key_of(routing);
    Cell::Number(InvocationId::from_parts(key, 0).partition_key())
}

struct Entry(Stored);

impl Row for Entry {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let (instance, at) = instance_in_key(&self.0.key)?;
        let name = &self.0.key[at..];
        let value = &self.0.value;
        Ok(match column {
            "partition_key" => partition_key(instance),
            "scope" => Cell::some(instance.scope, Cell::text),
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
