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
    keys: &[],
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
    keys: &[],
    open: services,
};

fn deployments(world: &World, _filter: &Filter) -> Rows {
    let rows = world.catalog.deployments.iter().map(|row| {
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

fn services(world: &World, _filter: &Filter) -> Rows {
    let rows = world.catalog.services.iter().map(|row| {
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
