//! `sys_rules` and `sys_user_limits`: which limits there are, and how far they are used.

use std::sync::Arc;

use reveille_engine::{
    identity,
    keys::{self, tag},
    units::LevelUsage,
};

use super::ready;
use crate::{
    cell::{
        Cell,
        Type::{Bool, Text, Time, U32, U64},
    },
    error::QueryError,
    table::{Filter, Row, Rows, Scan, Table, World},
};

pub(super) const RULES: Table = Table {
    name: "sys_rules",
    columns: &[
        ("pattern", Text),
        ("concurrency", U32),
        ("description", Text),
        ("disabled", Bool),
        ("version", U32),
        ("last_modified", Time),
    ],
    keys: &[],
    open: rules,
};

pub(super) const USER_LIMITS: Table = Table {
    name: "sys_user_limits",
    columns: &[
        ("partition_key", U64),
        ("scope", Text),
        ("l1", Text),
        ("l2", Text),
        ("level", Text),
        ("usage", U32),
        ("concurrency_limit", U32),
        ("rule_pattern", Text),
        ("available", U32),
        ("num_waiters", U64),
    ],
    keys: &[],
    open: levels,
};

fn rules(world: &World, _filter: &Filter) -> Rows {
    let rows = world.catalog.rules.by_pattern.iter().map(|(pattern, rule)| {
        vec![
            ("pattern", Cell::text(pattern.clone())),
            ("concurrency", Cell::some(rule.concurrency, |limit| Cell::Number(limit.into()))),
            ("description", Cell::some(rule.description.clone(), Cell::Text)),
            ("disabled", Cell::Bool(rule.disabled)),
            ("version", Cell::Number(rule.version.into())),
            ("last_modified", Cell::Time(rule.modified_at)),
        ]
    });
    ready(rows.collect())
}

fn levels(world: &World, _filter: &Filter) -> Rows {
    let catalog = Arc::clone(&world.catalog);
    Box::new(Scan::new(world, None, keys::table(tag::LEVEL)).map(move |stored| {
        let stored = stored?;
        let usage = LevelUsage::decode(&stored.key, &stored.value, &catalog.rules)?;
        Ok(Box::new(Level(usage)) as Box<dyn Row>)
    }))
}

struct Level(LevelUsage);

impl Row for Level {
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError> {
        let usage = &self.0;
        let name = |at: usize| Cell::some(usage.names.get(at).cloned(), Cell::Text);
        Ok(match column {
            "partition_key" => {
                let scope = usage.names.first().map_or("", String::as_str);
                Cell::Number(identity::partition_key_of(scope))
            }
            "scope" => name(0),
            "l1" => name(1),
            "l2" => name(2),
            "level" => Cell::text(usage.level()),
            "usage" => Cell::Number(usage.usage.into()),
            "concurrency_limit" => {
                Cell::some(usage.concurrency, |limit| Cell::Number(limit.into()))
            }
            "rule_pattern" => Cell::some(usage.pattern.clone(), Cell::Text),
            "available" => Cell::some(usage.available(), |left| Cell::Number(left.into())),
            "num_waiters" => Cell::Number(usage.waiting),
            _ => Cell::Null,
        })
    }
}
