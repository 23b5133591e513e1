//! The journal of an invocation as people read it: what the handler did, and what came of it.
//!
//! - Owns: one line per command, with the result that a later notification brought; signals and failed
//!   attempts in between, in their order.
//! - Does not own: where entries come from ([`super::queries::journal`]).
//! - Invariant: values and secrets are not shown: entries come without payloads, and only the part of an
//!   awakeable id that names it is printed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    moment,
    rows::{Row, Rows},
    table::{Cell, Table},
};

/// What became of a command: the kind of result and when it came.
struct Outcome {
    result: String,
    at: Option<u64>,
}

/// Lays out a journal. Times are relative to its first entry.
pub fn table(journal: &Rows, events: &Rows, now_ms: u64) -> Table {
    let mut table = Table::new(&["#", "AT", "Entry", "Result"]);
    let entries: Vec<Entry<'_>> = journal.rows.iter().map(Entry::read).collect();
    let outcomes = outcomes(&entries);
    let start = entries.first().and_then(|entry| entry.at);
    let mut events = events.rows.iter().peekable();
    for entry in &entries {
        if let Some((text, result)) = entry.line(&outcomes, now_ms) {
            let index = Cell::from(entry.index);
            table.row([index, since(start, entry.at).into(), text.into(), result]);
        }
        while let Some(event) =
            events.next_if(|event| event.number("after_journal_entry_index") <= entry.index)
        {
            event_row(&mut table, start, event);
        }
    }
    events.for_each(|event| event_row(&mut table, start, event));
    table
}

struct Entry<'a> {
    index: u64,
    at: Option<u64>,
    /// Such as `Command: Sleep`.
    ty: &'a str,
    name: &'a str,
    body: Value,
}

impl<'a> Entry<'a> {
    fn read(row: &'a Row) -> Entry<'a> {
        // An entry that cannot be read is shown by its type alone.
        let json: Value = serde_json::from_str(row.text("entry_lite_json")).unwrap_or_default();
        let ty = row.text("entry_type");
        let body = match ty.strip_prefix("Command: ") {
            Some(command) => json["Command"][command].clone(),
            None => json["Notification"].clone(),
        };
        let at = moment::parse(row.text("appended_at"));
        Entry { index: row.number("index"), at, ty, name: row.text("name"), body }
    }

    /// The completion that this command waits for.
    fn completion(&self) -> Option<u64> {
        let body = &self.body;
        let id = body["completion_id"].as_u64().or_else(|| body["result_completion_id"].as_u64());
        id.filter(|_| self.ty.starts_with("Command: "))
    }

    /// The line of this entry; none for what belongs to the line of a command.
    fn line(&self, outcomes: &BTreeMap<u64, Outcome>, now_ms: u64) -> Option<(String, Cell)> {
        let Some(command) = self.ty.strip_prefix("Command: ") else {
            let id = &self.body["id"];
            let what = match (id["SignalIndex"].as_u64(), id["SignalName"].as_str()) {
                (Some(1), _) => "cancellation".to_owned(),
                (Some(index), _) => format!("answer to awakeable {index}"),
                (_, Some(name)) => format!("signal \"{name}\""),
                // A completion: it is shown with its command.
                _ => return None,
            };
            return Some((what, result_cell(self.body["result"].as_str().unwrap_or_default(), "")));
        };
        let result = match (self.completion(), self.body["result"].as_str()) {
            (Some(id), _) => match outcomes.get(&id) {
                None => Cell::status("pending"),
                Some(outcome) => {
                    let later = match (self.at, outcome.at) {
                        (Some(from), Some(to)) => {
                            format!(" after {}", moment::span(to.saturating_sub(from)))
                        }
                        _ => String::new(),
                    };
                    result_cell(&outcome.result, &later)
                }
            },
            (None, Some(result)) => result_cell(result, ""),
            (None, None) => Cell::default(),
        };
        Some((self.command(command, now_ms), result))
    }

    /// What a command did.
    fn command(&self, command: &str, now_ms: u64) -> String {
        let body = &self.body;
        let text = |member: &str| body[member].as_str().unwrap_or_default();
        let about = match command {
            "Sleep" => match body["wake_up_time"].as_u64() {
                Some(at) => format!("sleep until {}", moment::relative(now_ms, at)),
                None => "sleep".to_owned(),
            },
            "Call" | "OneWayCall" => {
                let verb = if command == "Call" { "call" } else { "send" };
                let target = target(&body["invocation_target"]);
                let later = body["invoke_time"].as_u64().filter(|at| *at > 0);
                let later = later.map(|at| format!(" for {}", moment::relative(now_ms, at)));
                let id = text("invocation_id");
                format!("{verb} {target} {id}{}", later.unwrap_or_default())
            }
            "CompleteAwakeable" => format!("complete awakeable {}", without_secret(text("id"))),
            "SendSignal" => format!("send signal to {}", text("target_invocation_id")),
            "GetPromise" => format!("await promise \"{}\"", text("key")),
            "PeekPromise" => format!("peek promise \"{}\"", text("key")),
            "CompletePromise" => format!("complete promise \"{}\"", text("key")),
            "GetLazyState" | "GetEagerState" => format!("get state \"{}\"", text("key")),
            "SetState" => format!("set state \"{}\"", text("key")),
            "ClearState" => format!("clear state \"{}\"", text("key")),
            "ClearAllState" => "clear all state".to_owned(),
            "GetLazyStateKeys" | "GetEagerStateKeys" => "get the names of the state".to_owned(),
            "AttachInvocation" => format!("attach to {}", text_in(&body["target"])),
            "GetInvocationOutput" => format!("get the output of {}", text_in(&body["target"])),
            other => other.to_lowercase(),
        };
        let about = about.trim_end();
        if self.name.is_empty() { about.to_owned() } else { format!("{about} \"{}\"", self.name) }
    }
}

/// Results by completion id.
fn outcomes(entries: &[Entry<'_>]) -> BTreeMap<u64, Outcome> {
    let notified = entries.iter().filter_map(|entry| {
        let id = entry.body["id"]["CompletionId"].as_u64()?;
        let result = entry.body["result"].as_str().unwrap_or_default().to_owned();
        Some((id, Outcome { result, at: entry.at }))
    });
    notified.collect()
}

fn result_cell(result: &str, later: &str) -> Cell {
    match result {
        "Failure" => Cell::status("failed").followed_by(later),
        "Success" => Cell::status("succeeded").followed_by(later),
        "Void" | "InvocationId" | "StateKeys" => Cell::from("done").followed_by(later),
        other => Cell::from(other).followed_by(later),
    }
}

fn event_row(table: &mut Table, start: Option<u64>, event: &Row) {
    let json: Value = serde_json::from_str(event.text("event_json")).unwrap_or_default();
    let at = since(start, moment::parse(event.text("appended_at")));
    let (what, result) = match event.text("event_type") {
        "TransientError" => ("attempt", Cell::status("failed")),
        "Paused" => ("paused", Cell::status("paused")),
        other => (other, Cell::default()),
    };
    let message = json["error_message"].as_str().unwrap_or_default();
    let message = message.lines().next().unwrap_or_default();
    let text = if message.is_empty() { what.to_owned() } else { format!("{what}: {message}") };
    table.row(["".into(), at.into(), text.into(), result]);
}

fn since(start: Option<u64>, at: Option<u64>) -> String {
    match (start, at) {
        (Some(start), Some(at)) => format!("+{}", moment::span(at.saturating_sub(start))),
        _ => String::new(),
    }
}

/// `Service/handler` or `Object/key/handler` of a target such as `{"Service":{"name":…}}`.
fn target(target: &Value) -> String {
    let kinds = target.as_object().and_then(|kinds| kinds.values().next());
    let part = |name: &str| kinds.and_then(|kind| kind[name].as_str());
    [part("name"), part("key"), part("handler")].into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// The text in a value such as `{"InvocationId":"inv_…"}`.
fn text_in(value: &Value) -> String {
    let inner = value.as_object().and_then(|members| members.values().next());
    match inner.unwrap_or(value) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Characters of an awakeable id that are shown: the rest may hold its secret.
const AWAKEABLE_ID_CHARS: usize = 12;

/// The part of an awakeable id that may be shown.
pub fn without_secret(id: &str) -> String {
    match id.char_indices().nth(AWAKEABLE_ID_CHARS) {
        Some((at, _)) => format!("{}…", &id[..at]),
        None => id.to_owned(),
    }
}
