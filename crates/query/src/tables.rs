//! Every table: one row of [`ALL`] each, and the module that reads it.

mod columns;
pub(crate) mod entry_json;
pub(crate) mod hidden;
mod inbox;
mod invocation;
mod journal;
mod limits;
mod members;
mod promise;
mod registry;
mod schema;
mod state;
mod unused;
mod wait;

use reveille_engine::{
    identity,
    keys::{self, Instance},
    tx::EngineError,
};
use reveille_protocol::id::InvocationId;

use crate::{
    cell::Cell,
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Table, World},
};

/// Every table.
pub const ALL: &[Table] = &[
    state::STATE,
    registry::DEPLOYMENT,
    registry::SERVICE,
    inbox::INBOX,
    inbox::STATUS,
    inbox::LOCKS,
    promise::PROMISE,
    invocation::STATUS,
    invocation::STATE,
    invocation::INVOCATION,
    journal::JOURNAL,
    journal::EVENTS,
    wait::WAIT,
    limits::RULES,
    limits::USER_LIMITS,
    unused::SCHEDULER,
    unused::VQUEUES,
    unused::VQUEUE_META,
    unused::VQUEUE_ENTRY_STATUS,
    schema::TABLES,
    schema::COLUMNS,
];

/// The partition of an invocation.
fn partition_of(world: &World, id: InvocationId) -> u16 {
    identity::partition_of(id, world.snapshot.partition_count())
}

/// The rows of a table by invocation: those of one, of one routing key, or all. `None` when nothing can
/// be as the filter asks.
fn of_invocation(world: &World, filter: &Filter, tag: u8) -> Option<Scan> {
    if let Some(text) = filter.get("id") {
        // A text that is no id is the id of nothing.
        let id = text.parse().ok()?;
        return Some(Scan::new(world, Some(partition_of(world, id)), keys::of_invocation(tag, id)));
    }
    let Some(text) = filter.get("partition_key") else {
        return Some(Scan::new(world, None, keys::table(tag)));
    };
    // Ids begin with it.
    let partition_key = text.parse().ok()?;
    let bound = |unique| keys::of_invocation(tag, InvocationId::from_parts(partition_key, unique));
    let (start, end) = (bound(0).0, bound(u128::MAX).1);
    let partition = partition_of(world, InvocationId::from_parts(partition_key, 0));
    Some(Scan::new(world, Some(partition), (start, end)))
}

/// The partition that a filter on the routing key leaves.
fn partition_of_filter(world: &World, filter: &Filter) -> Option<u16> {
    let partition_key = filter.get("partition_key")?.parse().ok()?;
    Some(partition_of(world, InvocationId::from_parts(partition_key, 0)))
}

/// The partition of a key.
fn partition_of_key(world: &World, key: &str) -> u16 {
    let id = InvocationId::from_parts(identity::partition_key_of(key), 0);
    partition_of(world, id)
}

/// The invocation whose id stands in a row key behind its tag.
fn id_in_key(key: &[u8]) -> Result<InvocationId, EngineError> {
    let id = key.get(1..).and_then(keys::parse_id);
    id.ok_or_else(|| EngineError::corrupt(key, "no invocation id behind the tag"))
}

/// Scope, service and key, as they stand at the start of a row key behind its tag; and where they end.
fn instance_in_key(key: &[u8]) -> Result<(Instance<'_>, usize), EngineError> {
    split_instance(key).ok_or_else(|| EngineError::corrupt(key, "no instance behind the tag"))
}

fn split_instance(key: &[u8]) -> Option<(Instance<'_>, usize)> {
    let (scope, at) = match key.get(1..3)? {
        [0xFF, 0xFF] => split_name(key, 3).map(|(scope, at)| (Some(scope), at))?,
        _ => (None, 1),
    };
    let (service, at) = split_name(key, at)?;
    let (name, at) = split_name(key, at)?;
    Some((Instance { scope, service, key: name }, at))
}

/// A name with its length in front, and where it ends.
fn split_name(key: &[u8], at: usize) -> Option<(&str, usize)> {
    let length = usize::from(u16::from_be_bytes(key.get(at..at + 2)?.try_into().ok()?));
    let name = key.get(at + 2..at + 2 + length)?;
    Some((std::str::from_utf8(name).ok()?, at + 2 + length))
}

/// `Service/handler`, or `Object/key/handler`.
fn target(service: &str, key: Option<&str>, handler: &str) -> String {
    match key {
        Some(key) => format!("{service}/{key}/{handler}"),
        None => format!("{service}/{handler}"),
    }
}

/// No rows.
fn nothing() -> Rows {
    Box::new(std::iter::empty())
}

/// Rows from finished cells, for tables that are small.
struct Ready(Vec<(&'static str, Cell)>);

impl Row for Ready {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let cell = self.0.iter().find(|(name, _)| *name == column);
        Ok(cell.map_or(Cell::Null, |(_, cell)| cell.clone()))
    }
}

fn ready(rows: Vec<Vec<(&'static str, Cell)>>) -> Rows {
    Box::new(rows.into_iter().map(|cells| Ok(Box::new(Ready(cells)) as Box<dyn Row>)))
}
