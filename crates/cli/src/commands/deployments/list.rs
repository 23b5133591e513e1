//! `reveille deployments list`.

use serde_json::Value;

use super::address;
use crate::operator::{Exit, Session, moment, table::Table};

/// Prints all deployments, as the server orders them.
pub async fn run(session: &mut Session) -> anyhow::Result<Exit> {
    let document: Value = session.get("/deployments").await?;
    let deployments = document["deployments"].as_array().cloned().unwrap_or_default();
    let ids: Vec<String> =
        deployments.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
    let nothing = "No deployments yet: register one with `reveille deployments register URL`.";
    session.list(&document, &ids, nothing, |now| {
        let mut table = Table::new(&["ID", "Address", "PROTOCOL", "Services", "REGISTERED"]);
        for one in &deployments {
            table.row([
                (&one["id"]).into(),
                address(one).into(),
                protocol(one).into(),
                services(one).into(),
                moment::ago(now, &one["created_at"]).into(),
            ]);
        }
        table
    })
}

/// The range of protocol versions.
pub fn protocol(deployment: &Value) -> String {
    let (min, max) = (&deployment["min_protocol_version"], &deployment["max_protocol_version"]);
    if min == max { format!("v{min}") } else { format!("v{min} to v{max}") }
}

/// Names with revisions: `Greeter@1, Account@3`.
fn services(deployment: &Value) -> String {
    let services = deployment["services"].as_array().into_iter().flatten();
    let named = services
        .map(|one| format!("{}@{}", one["name"].as_str().unwrap_or_default(), one["revision"]));
    named.collect::<Vec<_>>().join(", ")
}
