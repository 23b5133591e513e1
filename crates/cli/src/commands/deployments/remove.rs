//! `reveille deployments remove`: only what nothing needs any more, unless forced.
//!
//! A deployment is needed by the invocations that started on it, and by new ones as long as it serves the
//! latest revision of a service.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{HINT, address};
use crate::{
    client::segment,
    operator::{
        Exit, Session, queries,
        session::{hint_missing, hint_status},
        table::shown,
    },
};

/// Arguments of `deployments remove`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Id of the deployment (dp_…)
    #[arg(value_name = "ID")]
    id: String,
    /// Remove it even if invocations or services still need it
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Removes the deployment, or says what still needs it.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let id = &arguments.id;
    let path = format!("/deployments/{}", segment(id));
    let deployment: Value = hint_missing(session.get(&path).await, HINT)?;
    let needs = needs(session, id).await?;
    if !needs.is_empty() {
        session.terminal.note(&format!("{id} ({}) is still needed:", address(&deployment)));
        for line in &needs {
            session.terminal.note(&format!("  {line}"));
        }
        if !arguments.force {
            anyhow::bail!(
                "{id} was not removed; register a newer deployment of these services and wait until \
                 `reveille invocations list --deployment {id}` is empty, or say --force"
            );
        }
    }
    let question = format!("Remove {id}, {}?", address(&deployment));
    if !session.terminal.confirm(&question, arguments.yes)? {
        return Ok(Exit::Nothing);
    }
    let path = if arguments.force { format!("{path}?force=true") } else { path };
    let answer = session.client.send(Method::DELETE, &path, &[], Bytes::new()).await?;
    hint_status(answer.success(), StatusCode::CONFLICT, "if that is meant, say --force")?;
    session.done(&json!({"removed": id}), std::slice::from_ref(id), &format!("Removed {id}."))
}

/// What still needs the deployment, one line each.
async fn needs(session: &Session, id: &str) -> anyhow::Result<Vec<String>> {
    let services: Value = session.get("/services").await?;
    let services = services["services"].as_array().cloned().unwrap_or_default();
    let latest = services.iter().filter(|service| service["deployment_id"] == id);
    let mut lines: Vec<String> =
        latest.map(|one| format!("new invocations of {} go to it", shown(&one["name"]))).collect();
    for row in session.query(&queries::needing(id)).await?.rows {
        let (count, service) = (row.number("invocations"), row.text("target_service_name"));
        let plural = if count == 1 { "" } else { "s" };
        lines.push(format!("{count} invocation{plural} of {service} started on it"));
    }
    Ok(lines)
}
