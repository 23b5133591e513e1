//! `reveille services describe`.

use serde_json::Value;

use super::{HINT, config};
use crate::{
    client::segment,
    operator::{
        Exit, Session,
        session::{Format, hint_missing},
        table::{Table, shown},
    },
};

/// Prints one service.
pub async fn run(service: &str, session: &mut Session) -> anyhow::Result<Exit> {
    let path = format!("/services/{}", segment(service));
    let found: Value = hint_missing(session.get(&path).await, HINT)?;
    match session.format {
        Format::Json => session.terminal.json(&found)?,
        Format::Ids => session.terminal.line(&shown(&found["name"]))?,
        Format::Text => {
            let mut table = Table::fields();
            table.field("Name", &found["name"]);
            table.field("Type", &found["ty"]);
            table.field("Revision", &found["revision"]);
            table.field("Deployment", &found["deployment_id"]);
            table.field("About", &found["documentation"]);
            config::fields(&mut table, &found);
            session.terminal.table(table)?;
            session.terminal.line("")?;
            session.terminal.table(handlers(&found))?;
        }
    }
    Ok(Exit::Done)
}

fn handlers(service: &Value) -> Table {
    let mut table = Table::new(&["HANDLER", "TYPE", "INPUT", "OUTPUT", "About"]);
    for handler in service["handlers"].as_array().into_iter().flatten() {
        table.row([
            (&handler["name"]).into(),
            (&handler["ty"]).into(),
            (&handler["input_description"]).into(),
            (&handler["output_description"]).into(),
            (&handler["documentation"]).into(),
        ]);
    }
    table
}
