//! `reveille whoami`: which server answers, and what it has to do.

use serde_json::{Value, json};

use crate::operator::{
    self, Connection, Exit, Session, Terminal, queries, rows::Rows, session::Format, table::Table,
};

/// Arguments of `whoami`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
}

/// Asks the server about itself.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| show(session).await)
}

async fn show(session: &mut Session) -> anyhow::Result<Exit> {
    let version: Value = session.get("/version").await?;
    let is_healthy = session.client.get("/health").await?.status.is_success();
    let deployments: Value = session.get("/deployments").await?;
    let services: Value = session.get("/services").await?;
    let count = |document: &Value, member: &str| document[member].as_array().map_or(0, Vec::len);
    let invocations = session.query(&queries::counts()).await?;
    let waits = session.query(&queries::wait_counts()).await?;
    let document = json!({
        "admin_url": session.client.url(),
        "ingress_url": version["ingress_endpoint"],
        "version": version["version"],
        "healthy": is_healthy,
        "deployments": count(&deployments, "deployments"),
        "services": count(&services, "services"),
        "invocations": by_name(&invocations, "status", "invocations"),
        "waits": by_name(&waits, "kind", "waits"),
    });
    match session.format {
        Format::Json => session.terminal.json(&document)?,
        Format::Ids => session.terminal.line(&session.client.url())?,
        Format::Text => session.terminal.table(table(&document))?,
    }
    Ok(if is_healthy { Exit::Done } else { Exit::Nothing })
}

fn table(document: &Value) -> Table {
    let mut table = Table::fields();
    table.field("Admin API", &document["admin_url"]);
    table.field("Ingress", &document["ingress_url"]);
    table.field("Version", &document["version"]);
    table.field("Health", if document["healthy"] == true { "healthy" } else { "not healthy" });
    table.field("Deployments", &document["deployments"]);
    table.field("Services", &document["services"]);
    for (title, member) in [("Invocations", "invocations"), ("Waits", "waits")] {
        let counts = document[member].as_object().into_iter().flatten();
        let parts: Vec<_> = counts.map(|(name, count)| format!("{count} {name}")).collect();
        table.field(title, if parts.is_empty() { "none".to_owned() } else { parts.join(", ") });
    }
    table
}

fn by_name(rows: &Rows, name: &str, count: &str) -> Value {
    let pairs = rows.rows.iter().map(|row| (row.text(name).to_owned(), row.get(count).clone()));
    Value::Object(pairs.collect())
}
