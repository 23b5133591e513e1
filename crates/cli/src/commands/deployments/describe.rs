//! `reveille deployments describe`.

use serde_json::Value;

use super::{HINT, address, list::protocol};
use crate::{
    client::segment,
    operator::{
        Exit, Session, moment,
        session::{Format, hint_missing},
        table::{Table, shown},
    },
};

/// Arguments of `deployments describe`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Id of the deployment (dp_…)
    #[arg(value_name = "ID")]
    id: String,
}

/// Prints one deployment.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let path = format!("/deployments/{}", segment(&arguments.id));
    let deployment: Value = hint_missing(session.get(&path).await, HINT)?;
    match session.format {
        Format::Json => session.terminal.json(&deployment)?,
        Format::Ids => session.terminal.line(deployment["id"].as_str().unwrap_or_default())?,
        Format::Text => {
            let table = fields(&deployment, session.terminal.now_ms);
            session.terminal.table(table)?;
            session.terminal.line("")?;
            session.terminal.table(services(&deployment))?;
        }
    }
    Ok(Exit::Done)
}

fn fields(deployment: &Value, now_ms: u64) -> Table {
    let mut table = Table::fields();
    table.field("Id", &deployment["id"]);
    table.field("Address", address(deployment));
    table.field("Role", &deployment["assume_role_arn"]);
    let kind = ["protocol_type", "http_version"].map(|member| shown(&deployment[member]));
    table.field("Transport", kind.join(" ").trim());
    table.field("Protocol", protocol(deployment));
    table.field("SDK", &deployment["sdk_version"]);
    table.field("Registered", moment::both(now_ms, &deployment["created_at"]));
    for (title, member) in [("Headers", "additional_headers"), ("Metadata", "metadata")] {
        let pairs = deployment[member].as_object().into_iter().flatten();
        let lines: Vec<_> =
            pairs.map(|(name, value)| format!("{name}: {}", shown(value))).collect();
        table.field(title, lines.join("\n"));
    }
    table
}

fn services(deployment: &Value) -> Table {
    let mut table = Table::new(&["SERVICE", "TYPE", "REVISION", "Handlers"]);
    for service in deployment["services"].as_array().into_iter().flatten() {
        let handlers = service["handlers"].as_array().into_iter().flatten();
        let names: Vec<_> = handlers.map(|handler| shown(&handler["name"])).collect();
        table.row([
            (&service["name"]).into(),
            (&service["ty"]).into(),
            (&service["revision"]).into(),
            names.join(", ").into(),
        ]);
    }
    table
}
