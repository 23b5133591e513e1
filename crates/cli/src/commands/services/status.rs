//! `reveille services status`: how much each handler has to do, and which keys are in the way.

use serde_json::{Value, json};

use super::HINT;
use crate::{
    client::segment,
    operator::{
        Exit, Session, moment, queries,
        rows::Rows,
        session::{Format, hint_missing},
        table::{Cell, Table},
    },
};

/// Arguments of `services status`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the service; all of them when there is none
    service: Option<String>,
}

/// Prints invocations per handler and status, and the keys that most invocations queue for.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let service = arguments.service.as_deref();
    if let Some(name) = service {
        let path = format!("/services/{}", segment(name));
        let _exists: Value = hint_missing(session.get(&path).await, HINT)?;
    }
    let activity = session.query(&queries::activity(service)).await?;
    let blocked = session.query(&queries::blocked_keys(service)).await?;
    let keys: Vec<_> = blocked
        .rows
        .iter()
        .map(|row| (row.text("service_name"), row.text("service_key")))
        .collect();
    let holders = match keys.is_empty() {
        true => Rows::default(),
        false => session.query(&queries::holders(&keys)).await?,
    };
    let holder = |service: &str, key: &str| {
        let same = |row: &&crate::operator::rows::Row| {
            row.text("service_name") == service && row.text("service_key") == key
        };
        holders.rows.iter().find(same).map(|row| row.text("invocation_id").to_owned())
    };
    let blocked_keys: Vec<Value> = blocked
        .rows
        .iter()
        .map(|row| {
            let (service, key) = (row.text("service_name"), row.text("service_key"));
            json!({"service": service, "key": key, "waiting": row.number("waiting"),
                "oldest": row.get("oldest"), "held_by": holder(service, key)})
        })
        .collect();
    match session.format {
        Format::Json => {
            let document = json!({"handlers": activity.rows, "blocked_keys": blocked_keys});
            session.terminal.json(&document)?;
        }
        Format::Ids => {
            let mut names = activity.texts("target_service_name");
            names.dedup();
            names.iter().try_for_each(|name| session.terminal.line(name))?;
        }
        Format::Text if activity.rows.is_empty() => session.terminal.note("Nothing to do."),
        Format::Text => {
            let now = session.terminal.now_ms;
            session.terminal.table(handlers(&activity, now))?;
            if !blocked_keys.is_empty() {
                session.terminal.line("\nKeys that most invocations queue for:")?;
                session.terminal.table(keys_table(&blocked_keys, now))?;
            }
        }
    }
    // Nothing to do is good news, not a failure.
    Ok(Exit::Done)
}

fn handlers(activity: &Rows, now_ms: u64) -> Table {
    let mut table = Table::new(&["SERVICE", "HANDLER", "STATUS", "INVOCATIONS", "OLDEST"]);
    for row in &activity.rows {
        table.row([
            row.get("target_service_name").into(),
            row.get("target_handler_name").into(),
            Cell::status(row.text("status")),
            row.number("invocations").into(),
            moment::ago(now_ms, row.get("oldest")).into(),
        ]);
    }
    table
}

fn keys_table(keys: &[Value], now_ms: u64) -> Table {
    let mut table = Table::new(&["SERVICE", "Key", "WAITING", "OLDEST", "HELD BY"]);
    for key in keys {
        table.row([
            (&key["service"]).into(),
            (&key["key"]).into(),
            (&key["waiting"]).into(),
            moment::ago(now_ms, &key["oldest"]).into(),
            (&key["held_by"]).into(),
        ]);
    }
    table
}
