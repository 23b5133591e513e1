//! `information_schema.tables` and `information_schema.columns`.

use super::{ALL, ready};
use crate::{
    cell::{
        Cell,
        Type::{Text, U64},
    },
    table::{Filter, Rows, Table, World},
};

/// The schema that these two are in; the lexer joins it to their names.
const SCHEMA: &str = "information_schema_";

pub(super) const TABLES: Table = Table {
    name: "information_schema_tables",
    columns: &[
        ("table_catalog", Text),
        ("table_schema", Text),
        ("table_name", Text),
        ("table_type", Text),
    ],
    keys: &[],
    open: tables,
};

pub(super) const COLUMNS: Table = Table {
    name: "information_schema_columns",
    columns: &[
        ("table_catalog", Text),
        ("table_schema", Text),
        ("table_name", Text),
        ("column_name", Text),
        ("ordinal_position", U64),
        ("is_nullable", Text),
        ("data_type", Text),
    ],
    keys: &[],
    open: columns,
};

/// The cells that both tables share.
fn name(table: &Table) -> Vec<(&'static str, Cell)> {
    let (schema, name) = match table.name.strip_prefix(SCHEMA) {
        Some(name) => ("information_schema", name),
        None => ("public", table.name),
    };
    vec![
        ("table_catalog", Cell::text("restate")),
        ("table_schema", Cell::text(schema)),
        ("table_name", Cell::text(name)),
    ]
}

fn tables(_world: &World, _filter: &Filter) -> Rows {
    let rows = ALL.iter().map(|table| {
        let kind = match table.name {
            "sys_invocation" => "VIEW",
            name if name.starts_with(SCHEMA) => "VIEW",
            _ => "BASE TABLE",
        };
        [name(table), vec![("table_type", Cell::text(kind))]].concat()
    });
    ready(rows.collect())
}

fn columns(_world: &World, _filter: &Filter) -> Rows {
    let rows = ALL.iter().flat_map(|table| {
        table.columns.iter().zip(0u64..).map(|((column, ty), position)| {
            let own = vec![
                ("column_name", Cell::text(*column)),
                ("ordinal_position", Cell::Number(position)),
                ("is_nullable", Cell::text("YES")),
                ("data_type", Cell::text(ty.arrow_name())),
            ];
            [name(table), own].concat()
        })
    });
    ready(rows.collect())
}
