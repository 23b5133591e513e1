//! `reveille services list`.

use serde_json::Value;

use crate::operator::{
    Exit, Session,
    table::{Table, shown},
};

/// Prints the latest revision of every service.
pub async fn run(session: &mut Session) -> anyhow::Result<Exit> {
    let document: Value = session.get("/services").await?;
    let services = document["services"].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = services.iter().map(|one| shown(&one["name"])).collect();
    let nothing = "No services yet: `reveille deployments register URL` brings some.";
    session.list(&document, &names, nothing, |_| {
        let mut table = Table::new(&["NAME", "TYPE", "REVISION", "DEPLOYMENT", "Handlers"]);
        for one in &services {
            let handlers = one["handlers"].as_array().into_iter().flatten();
            let handlers: Vec<_> = handlers.map(|handler| shown(&handler["name"])).collect();
            let private = if one["public"] == false { " (private)" } else { "" };
            table.row([
                (&one["name"]).into(),
                format!("{}{private}", shown(&one["ty"])).into(),
                (&one["revision"]).into(),
                (&one["deployment_id"]).into(),
                handlers.join(", ").into(),
            ]);
        }
        table
    })
}
