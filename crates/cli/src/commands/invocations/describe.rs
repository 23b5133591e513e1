//! `reveille invocations describe`: everything about one invocation that helps to find out why it stands
//! where it stands.

use serde_json::{Map, Value, json};

use super::list::status;
use crate::operator::{
    Exit, Session, moment, queries,
    rows::{Row, Rows},
    session::Format,
    table::{Table, shown},
    timeline,
};

/// Prints one invocation.
pub async fn run(id: &str, session: &mut Session) -> anyhow::Result<Exit> {
    let found = session.query(&queries::invocation(id)).await?;
    let Some(row) = found.rows.first() else {
        anyhow::bail!(
            "there is no invocation '{id}'; `reveille invocations list --all` lists them"
        );
    };
    if session.format == Format::Ids {
        session.terminal.line(row.text("id"))?;
        return Ok(Exit::Done);
    }
    let waits = session.query(&queries::waits_of(id)).await?;
    let journal = session.query(&queries::journal(id)).await?;
    let events = session.query(&queries::events(id)).await?;
    if session.format == Format::Json {
        let mut journal = parsed(&journal, "entry_lite_json", "entry");
        journal.iter_mut().for_each(hide_secrets);
        session.terminal.json(&json!({
            "invocation": row,
            "waits": waits.rows,
            "journal": journal,
            "events": parsed(&events, "event_json", "event"),
        }))?;
        return Ok(Exit::Done);
    }
    let now = session.terminal.now_ms;
    session.terminal.table(fields(row, now))?;
    if !waits.rows.is_empty() {
        session.terminal.line("\nWaits for:")?;
        session.terminal.table(waits_table(&waits, now))?;
    }
    if !journal.rows.is_empty() {
        let count = row.number("journal_size");
        session.terminal.line(&format!("\nJournal, {count} entries:"))?;
        session.terminal.table(timeline::table(&journal, &events, now))?;
        if journal.rows.len() == queries::JOURNAL_ENTRIES_MAX {
            session
                .terminal
                .note("… the rest of the journal is left out; `reveille sql` shows it.");
        }
    }
    Ok(Exit::Done)
}

fn fields(row: &Row, now_ms: u64) -> Table {
    let mut table = Table::fields();
    let time = |column: &str| moment::both(now_ms, row.get(column));
    table.field("Id", row.get("id"));
    table.field("Target", row.get("target"));
    table.field("Status", status(row));
    table.field("Failure", row.get("completion_failure"));
    table.field("Created", time("created_at"));
    if row.text("status") == "scheduled" {
        table.field("Starts", time("scheduled_start_at"));
    }
    table.field("Started", time("running_at"));
    table.field("Changed", time("modified_at"));
    table.field("Completed", time("completed_at"));
    let by = match (row.text("invoked_by"), row.text("invoked_by_target")) {
        ("", _) => String::new(),
        ("service", target) => format!("{target} {}", row.text("invoked_by_id")),
        ("restart_as_new", _) => format!("a restart of {}", row.text("restarted_from")),
        (other, _) => other.to_owned(),
    };
    table.field("Invoked by", by);
    table.field("Idempotency key", row.get("idempotency_key"));
    let scope = [row.text("scope"), row.text("limit_key")].join(" ");
    table.field("Scope", scope.trim());
    let protocol = row.get("pinned_service_protocol_version");
    let protocol =
        if protocol.is_null() { String::new() } else { format!(" protocol v{protocol}") };
    table.field("Deployment", format!("{}{protocol}", row.text("pinned_deployment_id")));
    if row.text("status") != "completed" {
        attempts(&mut table, row, now_ms);
    }
    table
}

fn attempts(table: &mut Table, row: &Row, now_ms: u64) {
    table.field("Attempts", row.get("retry_count"));
    table.field("Next attempt", moment::both(now_ms, row.get("next_retry_at")));
    table.field("Last failure", row.get("last_failure"));
    let command = |part: &str| shown(row.get(&format!("last_failure_related_command_{part}")));
    let at = match (command("type"), command("name"), command("index")) {
        (ty, ..) if ty.is_empty() => String::new(),
        (ty, name, index) if name.is_empty() => format!("command {index}, {ty}"),
        (ty, name, index) => format!("command {index}, {ty} \"{name}\""),
    };
    table.field("Failed at", at);
}

fn waits_table(waits: &Rows, now_ms: u64) -> Table {
    let mut table = Table::new(&["KIND", "INDEX", "Name", "SINCE"]);
    for wait in &waits.rows {
        table.row([
            wait.get("kind").into(),
            wait.get("index").into(),
            wait.get("name").into(),
            moment::ago(now_ms, wait.get("since")).into(),
        ]);
    }
    table
}

/// The rows with a column of JSON text as JSON of its own.
fn parsed(rows: &Rows, column: &str, name: &str) -> Vec<Value> {
    let row = |row: &Row| {
        let pairs = row.0.iter().map(|(key, value)| match key == column {
            // Text that is no JSON stays text.
            true => (name.to_owned(), {
                let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
                parsed.unwrap_or_else(|| value.clone())
            }),
            false => (key.clone(), value.clone()),
        });
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    rows.rows.iter().map(row).collect()
}

/// An awakeable id in a journal would let its reader answer the wait.
fn hide_secrets(row: &mut Value) {
    if let Some(id) = row.pointer_mut("/entry/Command/CompleteAwakeable/id") {
        *id = json!(timeline::without_secret(&shown(id)));
    }
}
