//! `sys_wait`: what parked invocations wait for. Never the secret of an awakeable.

use reveille_engine::{
    keys::{self, tag},
    wait::{WaitKind, WaitRow},
};

use super::target;
use crate::{
    cell::{
        Cell,
        Type::{Text, Time, U32},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Table, World},
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
        ("since", Time),
        ("attempt", U32),
    ],
    keys: &[],
    open,
};

fn open(world: &World, _filter: &Filter) -> Rows {
    Box::new(Scan::new(world, None, keys::table(tag::WAIT)).map(|stored| {
        let stored = stored?;
        Ok(Box::new(Entry(WaitRow::decode(&stored.key, &stored.value)?)) as Box<dyn Row>)
    }))
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
            "since" => Cell::Time(wait.since),
            "attempt" => Cell::Number(wait.attempt.into()),
            _ => Cell::Null,
        })
    }
}
