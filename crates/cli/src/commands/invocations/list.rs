//! `reveille invocations list`.

use crate::operator::{
    Exit, Session, moment,
    queries::{self, InvocationFilter},
    rows::{Row, Rows},
    table::{Cell, Table},
};

/// What an invocation may be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Status {
    Scheduled,
    Pending,
    Ready,
    Running,
    BackingOff,
    Suspended,
    Paused,
    Completed,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Scheduled => "scheduled",
            Status::Pending => "pending",
            Status::Ready => "ready",
            Status::Running => "running",
            Status::BackingOff => "backing-off",
            Status::Suspended => "suspended",
            Status::Paused => "paused",
            Status::Completed => "completed",
        }
    }
}

/// Arguments of `invocations list`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Of this service; may be repeated
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Of this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// In this status; several with commas
    #[arg(long, value_enum, value_delimiter = ',')]
    status: Vec<Status>,
    /// That run, or were last tried, on this deployment
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    /// Created since then: an age such as 10m, or a time in UTC
    #[arg(long, value_name = "AGE OR TIME")]
    since: Option<String>,
    /// Most invocations to list
    #[arg(long, value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Completed ones as well
    #[arg(long)]
    all: bool,
}

/// Prints what matches.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let since = arguments.since.as_deref();
    let since = since.map(|since| moment::since(session.terminal.now_ms, since)).transpose()?;
    let filter = InvocationFilter {
        services: arguments.service.clone(),
        handler: arguments.handler.clone(),
        key: arguments.key.clone(),
        statuses: arguments.status.iter().map(|status| status.name().to_owned()).collect(),
        has_completed: arguments.all,
        deployment: arguments.deployment.clone(),
        since_ms: since,
    };
    let limit = usize::try_from(arguments.limit)?;
    let mut rows = session.query(&queries::invocations(&filter, limit + 1)).await?;
    let has_more = rows.rows.len() > limit;
    rows.rows.truncate(limit);
    let nothing = match arguments.all || !arguments.status.is_empty() {
        true => "No such invocations.",
        false => "No such invocations; --all shows completed ones as well.",
    };
    let exit = session.list(&rows.rows, &rows.texts("id"), nothing, |now| table(&rows, now))?;
    if has_more {
        session.terminal.note(&format!("… and more: these are the newest {limit}, see --limit."));
    }
    Ok(exit)
}

fn table(rows: &Rows, now_ms: u64) -> Table {
    let mut table = Table::new(&["ID", "Target", "STATUS", "CREATED", "Details"]);
    for row in &rows.rows {
        table.row([
            row.get("id").into(),
            row.get("target").into(),
            status(row),
            moment::ago(now_ms, row.get("created_at")).into(),
            details(row, now_ms).into(),
        ]);
    }
    table
}

/// The status; of a completed invocation, how it ended.
pub fn status(row: &Row) -> Cell {
    match (row.text("status"), row.text("completion_result")) {
        ("completed", "success") => Cell::status("succeeded"),
        ("completed", "failure") => Cell::status("failed"),
        (status, _) => Cell::status(status),
    }
}

/// What to know beyond the status, on one line.
fn details(row: &Row, now_ms: u64) -> String {
    let first_line = |column: &str| row.text(column).lines().next().unwrap_or_default().to_owned();
    match row.text("status") {
        "completed" => first_line("completion_failure"),
        "scheduled" => format!("starts {}", moment::ago(now_ms, row.get("scheduled_start_at"))),
        "backing-off" => {
            let retry = moment::ago(now_ms, row.get("next_retry_at"));
            let attempts = row.number("retry_count");
            format!("attempt {attempts}, retry {retry}: {}", first_line("last_failure"))
        }
        "suspended" | "paused" => {
            let since = moment::ago(now_ms, row.get("modified_at"));
            let failure = first_line("last_failure");
            let failure = if failure.is_empty() { failure } else { format!(": {failure}") };
            format!("since {since}{failure}")
        }
        _ => first_line("last_failure"),
    }
}
