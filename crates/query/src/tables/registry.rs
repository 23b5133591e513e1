//! `sys_deployment`, `sys_service`: what is registered.

use super::ready;
use crate::{
    cell::{
        Cell,
        Type::{Bool, Text, Texts, Time, U32, U64},
    },
    table::{Filter, Rows, Table, World},
};

pub(super) const DEPLOYMENT: Table = Table {
    name: "sys_deployment",
    columns: &[
        ("id", Text),
        ("ty", Text),
        ("endpoint", Text),
        ("created_at", Time),
        ("min_service_protocol_version", U32),
        ("max_service_protocol_version", U32),
        ("services", Texts),
    ],
    keys: &["id"],
    open: deployments,
};

pub(super) const SERVICE: Table = Table {
    name: "sys_service",
    columns: &[
        ("name", Text),
        ("revision", U64),
        ("public", Bool),
        ("ty", Text),
        ("deployment_id", Text),
    ],
    keys: &["name"],
    open: services,
};

fn deployments(world: &World, filter: &Filter) -> Rows {
    let id = filter.get("id");
    let rows = world.catalog.deployments.iter();
    let rows = rows.filter(|row| id.is_none_or(|id| id == row.id)).map(|row| {
        vec![
            ("id", Cell::text(row.id.clone())),
            ("ty", Cell::text(row.ty)),
            ("endpoint", Cell::text(row.endpoint.clone())),
            ("created_at", Cell::Time(row.created_at_ms)),
            ("min_service_protocol_version", Cell::Number(row.protocol_version_min.into())),
            ("max_service_protocol_version", Cell::Number(row.protocol_version_max.into())),
            ("services", Cell::Texts(row.services.clone())),
        ]
    });
    ready(rows.collect())
}

fn services(world: &World, filter: &Filter) -> Rows {
    let name = filter.get("name");
    let rows = world.catalog.services.iter();
    let rows = rows.filter(|row| name.is_none_or(|name| name == row.name)).map(|row| {
        vec![
            ("name", Cell::text(row.name.clone())),
            ("revision", Cell::Number(row.revision)),
            ("public", Cell::Bool(row.public)),
            ("ty", Cell::text(row.ty)),
            ("deployment_id", Cell::text(row.deployment_id.clone())),
        ]
    });
    ready(rows.collect())
}
