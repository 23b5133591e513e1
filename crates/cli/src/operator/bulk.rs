//! The same request for many invocations: preview, question, progress, summary.
//!
//! - Owns: resolving selectors, the bound on what runs at once, and what is said about failures.
//! - Does not own: what a verb does (the server).
//! - Invariant: more than one invocation is changed only after the user has seen which; every failure is
//!   reported, and ends in exit code 1.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    Exit, Session, Usage, moment, queries,
    selector::Selector,
    table::{Cell, Table},
};
use crate::{
    client::Client,
    operator::session::{Format, hint_missing},
};

/// Requests that are under way at once.
const REQUESTS_AT_ONCE: usize = 8;

/// Invocations that the preview shows.
const PREVIEW_ROWS: usize = 10;

/// Failures that are told one by one.
const FAILURES_SHOWN: usize = 10;

/// What is done to every selected invocation.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// As in "cancel 3 invocations".
    pub infinitive: &'static str,
    /// As in "cancelled 3 invocations".
    pub past: &'static str,
    /// Statuses in which it makes sense; others are not selected. Ids are taken as they are.
    pub statuses: &'static [&'static str],
}

/// Which invocations, and whether to ask.
#[derive(Clone, Debug, clap::Args)]
pub struct Selection {
    /// Ids, or Service, Service/handler, Object/key, Object/key/handler
    #[arg(required = true, value_name = "ID OR TARGET")]
    selectors: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Most invocations that a target selects, oldest first
    #[arg(long, value_name = "COUNT", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

struct Selected {
    id: String,
    target: String,
    status: String,
    created_at: Value,
}

/// What became of one request.
struct Done {
    id: String,
    result: Result<Value, String>,
}

/// Sends `PATCH path(id)` for every selected invocation, after asking when there are several.
pub async fn run(
    session: &mut Session,
    selection: &Selection,
    verb: Verb,
    path: impl Fn(&str) -> String,
) -> anyhow::Result<Exit> {
    let selected = select(session, selection, verb).await?;
    if selected.is_empty() {
        session.terminal.note(&format!(
            "No such invocation is {}: see `reveille invocations list --all`.",
            verb.statuses.join(", ")
        ));
        if session.format == Format::Json {
            session.terminal.json(&json!({"done": [], "failed": []}))?;
        }
        return Ok(Exit::Nothing);
    }
    if selected.len() > 1 && !selection.yes {
        preview(session, &selected);
        let infinitive = verb.infinitive;
        let question = format!("{} {}?", capitalised(infinitive), counted(selected.len()));
        if !session.terminal.confirm(&question, false)? {
            return Ok(Exit::Nothing);
        }
    }
    let requests = selected.iter().map(|one| (one.id.clone(), path(&one.id))).collect();
    let done = send_all(session, requests).await?;
    report(session, verb, done)
}

async fn select(
    session: &mut Session,
    selection: &Selection,
    verb: Verb,
) -> anyhow::Result<Vec<Selected>> {
    let parsed: Result<Vec<_>, Usage> =
        selection.selectors.iter().map(|text| Selector::parse(text)).collect();
    let mut selected = Vec::new();
    let mut seen = BTreeSet::new();
    let limit = usize::try_from(selection.limit)?;
    for (selector, text) in parsed?.into_iter().zip(&selection.selectors) {
        let found = match selector {
            Selector::Id(id) => {
                let [target, status] = [String::new(), String::new()];
                vec![Selected { id, target, status, created_at: Value::Null }]
            }
            Selector::Where(condition) => {
                let sql = queries::selected(&condition, verb.statuses, limit + 1);
                let rows = session.query(&sql).await?.rows;
                if rows.len() > limit {
                    session.terminal.note(&format!(
                        "'{text}' selects more than {limit} invocations: only the oldest {limit} are \
                         taken, see --limit"
                    ));
                }
                let show = |row: &super::rows::Row| Selected {
                    id: row.text("id").to_owned(),
                    target: row.text("target").to_owned(),
                    status: row.text("status").to_owned(),
                    created_at: row.get("created_at").clone(),
                };
                rows.iter().take(limit).map(show).collect()
            }
        };
        selected.extend(found.into_iter().filter(|one| seen.insert(one.id.clone())));
    }
    Ok(selected)
}

fn preview(session: &mut Session, selected: &[Selected]) {
    let now = session.terminal.now_ms;
    let mut table = Table::new(&["ID", "Target", "STATUS", "CREATED"]);
    for one in selected.iter().take(PREVIEW_ROWS) {
        table.row([
            (&*one.id).into(),
            (&*one.target).into(),
            Cell::status(&one.status),
            moment::ago(now, &one.created_at).into(),
        ]);
    }
    session.terminal.note_table(table);
    if selected.len() > PREVIEW_ROWS {
        session.terminal.note(&format!("… and {} more", selected.len() - PREVIEW_ROWS));
    }
}

async fn send_all(
    session: &mut Session,
    requests: Vec<(String, String)>,
) -> anyhow::Result<Vec<Done>> {
    let bar = session.terminal.progress(requests.len());
    let mut order: Vec<String> = requests.iter().map(|(id, _)| id.clone()).collect();
    let mut waiting = requests.into_iter();
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    loop {
        while running.len() < REQUESTS_AT_ONCE {
            let Some((id, path)) = waiting.next() else { break };
            running.spawn(send(session.client.clone(), id, path));
        }
        let Some(ended) = running.join_next().await else { break };
        done.push(ended?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // In the order of the selection, whatever came back first.
    let position: std::collections::BTreeMap<String, usize> =
        order.drain(..).enumerate().map(|(at, id)| (id, at)).collect();
    done.sort_by_key(|one| position.get(&one.id).copied());
    Ok(done)
}

async fn send(client: Client, id: String, path: String) -> Done {
    let answer = client.send(Method::PATCH, &path, &[], bytes::Bytes::new()).await;
    let result = answer.and_then(|answer| answer.success());
    let result = hint_missing(result, "`reveille invocations list --all` lists what there is");
    // Only one verb answers with a body.
    let body = result.map(|body| serde_json::from_slice(&body).unwrap_or_default());
    Done { id, result: body.map_err(|error| format!("{error:#}")) }
}

fn report(session: &mut Session, verb: Verb, done: Vec<Done>) -> anyhow::Result<Exit> {
    let (good, bad): (Vec<_>, Vec<_>) = done.into_iter().partition(|one| one.result.is_ok());
    match session.format {
        Format::Json => {
            let done: Vec<_> = good.iter().map(shown).collect();
            let failed: Vec<_> = bad.iter().map(shown).collect();
            session.terminal.json(&json!({"done": done, "failed": failed}))?;
        }
        Format::Ids => good.iter().try_for_each(|one| session.terminal.line(affected(one)))?,
        Format::Text => {
            for one in &good {
                if affected(one) != one.id {
                    session.terminal.line(&format!(
                        "{} runs again as {}",
                        one.id,
                        affected(one)
                    ))?;
                }
            }
            if !good.is_empty() {
                let text = format!("{} {}.", capitalised(verb.past), counted(good.len()));
                session.terminal.line(&text)?;
            }
        }
    }
    if bad.is_empty() {
        return Ok(Exit::Done);
    }
    session.terminal.note(&format!("Could not {} {}:", verb.infinitive, counted(bad.len())));
    for one in bad.iter().take(FAILURES_SHOWN) {
        let why = one.result.as_ref().err().map(String::as_str).unwrap_or_default();
        session.terminal.note(&format!("  {}  {why}", one.id));
    }
    if bad.len() > FAILURES_SHOWN {
        session.terminal.note(&format!("  … and {} more", bad.len() - FAILURES_SHOWN));
    }
    Ok(Exit::Nothing)
}

/// The id that matters afterwards: that of the new invocation, where there is one.
fn affected(one: &Done) -> &str {
    let new = one.result.as_ref().ok().and_then(|body| body["new_invocation_id"].as_str());
    new.unwrap_or(&one.id)
}

fn shown(one: &Done) -> Value {
    match &one.result {
        Ok(body) if body["new_invocation_id"].is_string() => {
            json!({"id": one.id, "new_invocation_id": body["new_invocation_id"]})
        }
        Ok(_) => json!({"id": one.id}),
        Err(why) => json!({"id": one.id, "error": why}),
    }
}

/// `1 invocation`, `2 invocations`.
fn counted(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} invocation{plural}")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
