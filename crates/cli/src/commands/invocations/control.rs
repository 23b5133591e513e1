//! `reveille invocations cancel`, `kill`, `pause`, `resume`, `purge` and `restart-as-new`.

use crate::{
    client::segment,
    operator::{
        Exit, Session,
        bulk::{self, Selection, Verb},
    },
};

/// One verb of the API: its path and its words.
#[derive(Clone, Copy)]
pub struct Control {
    path: &'static str,
    verb: Verb,
}

const UNFINISHED: &[&str] =
    &["scheduled", "pending", "ready", "running", "backing-off", "suspended", "paused"];
const COMPLETED: &[&str] = &["completed"];

const fn control(
    path: &'static str,
    infinitive: &'static str,
    past: &'static str,
    statuses: &'static [&'static str],
) -> Control {
    Control { path, verb: Verb { infinitive, past, statuses } }
}

/// See the command.
pub const CANCEL: Control = control("cancel", "cancel", "cancelled", UNFINISHED);
/// See the command.
pub const KILL: Control = control("kill", "kill", "killed", UNFINISHED);
/// See the command. A suspended invocation stands still anyway.
pub const PAUSE: Control =
    control("pause", "pause", "paused", &["ready", "running", "backing-off"]);
const RESUME: Control = control("resume", "resume", "resumed", &["paused", "backing-off"]);
const PURGE: Control = control("purge", "purge", "purged", COMPLETED);
const PURGE_JOURNAL: Control =
    control("purge-journal", "purge the journals of", "purged the journals of", COMPLETED);
const RESTART: Control = control("restart-as-new", "restart", "restarted", COMPLETED);

/// Applies a verb to what is selected.
pub async fn run(
    session: &mut Session,
    selection: &Selection,
    control: Control,
    query: &str,
) -> anyhow::Result<Exit> {
    let path = |id: &str| format!("/invocations/{}/{}{query}", segment(id), control.path);
    bulk::run(session, selection, control.verb, path).await
}

/// Arguments of `invocations resume`.
#[derive(clap::Args)]
pub struct ResumeArguments {
    #[command(flatten)]
    selection: Selection,
    /// Where to go on: keep, latest, or the id of a deployment
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<String>,
}

impl ResumeArguments {
    /// Resumes.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        let deployment = self.deployment.as_ref().map(|id| format!("deployment={}", segment(id)));
        run(session, &self.selection, RESUME, &query([deployment, None])).await
    }
}

/// Arguments of `invocations purge`.
#[derive(clap::Args)]
pub struct PurgeArguments {
    #[command(flatten)]
    selection: Selection,
    /// Forget the journal and keep the result
    #[arg(long)]
    journal_only: bool,
}

impl PurgeArguments {
    /// Purges.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        let control = if self.journal_only { PURGE_JOURNAL } else { PURGE };
        run(session, &self.selection, control, "").await
    }
}

/// Arguments of `invocations restart-as-new`.
#[derive(clap::Args)]
pub struct RestartArguments {
    #[command(flatten)]
    selection: Selection,
    /// Keep the journal up to this entry; 0 is the input alone
    #[arg(long, value_name = "INDEX")]
    from: Option<u32>,
    /// Where to run: keep, latest, or the id of a deployment
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<String>,
}

impl RestartArguments {
    /// Restarts.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        let from = self.from.map(|from| format!("from={from}"));
        let deployment = self.deployment.as_ref().map(|id| format!("deployment={}", segment(id)));
        run(session, &self.selection, RESTART, &query([from, deployment])).await
    }
}

fn query(parts: [Option<String>; 2]) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}
