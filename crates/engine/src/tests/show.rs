//! How effects and records look in the expected output of scripts.

use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{
    Notification, ProposeRunCompletionAck, Start, StateEntry, notification,
};

use crate::command::{AttemptId, Millis};
use crate::effect::{AttemptStart, Completed, Effect, Receipt, Reply};
use crate::event::{Event, EventKind};
use crate::keys;
use crate::message::{Message, Outcome};
use crate::record::JournalEntry;
use crate::wait::WaitKind;

use super::world::{BEGINNING, World};

/// Shows one effect.
pub fn effect(world: &mut World, effect: &Effect) -> String {
    match effect {
        Effect::Reply(request, answer) => format!("reply(r{} {})", request.0, reply(world, answer)),
        Effect::Park(request, id) => format!("park(r{} {})", request.0, world.alias(*id)),
        Effect::Completed { id, completed, .. } => {
            format!("completed({} {})", world.alias(*id), self::completed(completed))
        }
        Effect::StartAttempt(start) => attempt(world, start),
        Effect::Forward(id, attempt, frame) => {
            let id = at_attempt(world, *id, *attempt);
            if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
                let ack: ProposeRunCompletionAck = frame.decode().expect("an ack");
                return format!("ack({id} {})", ack.completion_id);
            }
            format!("forward({id} {})", self::frame(world, frame))
        }
        Effect::CloseInput(id, attempt) => format!("close({})", at_attempt(world, *id, *attempt)),
        Effect::EndAttempt(id, attempt) => format!("end({})", at_attempt(world, *id, *attempt)),
        Effect::AbortAttempt(id, attempt) => format!("abort({})", at_attempt(world, *id, *attempt)),
        Effect::RetryAt(id, attempt, at) => {
            format!("retry({} {})", at_attempt(world, *id, *attempt), time(*at))
        }
        Effect::Send(to, seq, message) => {
            let message = Message::decode(b"o", message).expect("a message decodes");
            let id = world.alias(message.target());
            format!("send(p{to} {seq} {} {id})", message_name(&message))
        }
        Effect::Acknowledge(to, seq) => format!("acknowledge(p{to} {seq})"),
        Effect::StateEditDropped { service, key } => format!("dropped({service}/{key})"),
        Effect::AdmitLater(_) => "admit later".to_owned(),
    }
}

/// Shows a record with its journal.
pub fn record(world: &mut World, id: InvocationId) -> String {
    let alias = world.alias(id);
    let Some(record) = world.record(id) else { return format!("{alias} unknown") };
    let partition = usize::from(world.partition_of(id));
    let mut entries = Vec::new();
    for index in 0..record.journal_len {
        let key = keys::journal(id, index);
        let row = world.partitions[partition].0[&key].clone();
        let entry = JournalEntry::decode(&key, &row).expect("a journal entry");
        entries.push(frame(world, &entry.frame));
    }
    let mut shown = format!("{alias} {:?} [{}]", record.status(), entries.join(" "));
    for wait in &record.waits {
        let kind = WaitKind::from_number(wait.kind).map_or("?", WaitKind::name);
        let name = wait.name.clone().unwrap_or_else(|| wait.index.to_string());
        shown += &format!(" wait({kind} {name} {} attempt {})", time(wait.since), wait.attempt);
    }
    if let Some(failure) = &record.last_failure {
        shown += &format!(" failure({} {} {})", failure.code, failure.doc_code, failure.message);
        if let Some(name) = &failure.command_name {
            shown += &format!(" at {name}");
        }
    }
    if let Some(from) = keys::parse_id(&record.restarted_from) {
        shown += &format!(" restarted from {}", world.alias(from));
    }
    if record.pause_requested {
        shown += " to pause";
    }
    if !record.pinned_deployment.is_empty() {
        shown += &format!(" pinned v{}", record.protocol_version);
    }
    shown
}

/// Shows the journal events of an invocation.
pub fn events(world: &World, id: InvocationId) -> String {
    let (start, end) = keys::of_invocation(keys::tag::EVENT, id);
    let rows = world.partitions.iter().flat_map(|rows| rows.0.range(start.clone()..end.clone()));
    let shown = rows.map(|(key, value)| {
        let event = Event::decode(key, value).expect("an event");
        let text = match &event.kind {
            EventKind::TransientError(failure) => {
                format!("{}:{} {}", failure.code, failure.message, failure.doc_code)
            }
            EventKind::Paused(None) => "paused".to_owned(),
            EventKind::Paused(Some(failure)) => format!("paused by {}", failure.message),
        };
        format!("{}({} after {} {text})", event.number, time(event.at), event.after_index)
    });
    format!("events[{}]", shown.collect::<Vec<_>>().join(" "))
}

/// Shows when an invocation was created, scheduled, queued and first started.
pub fn times(world: &World, id: InvocationId) -> String {
    let record = world.record(id).expect("a record");
    let shown = |at: Option<Millis>| at.map_or("-".to_owned(), time);
    format!(
        "{} created {} scheduled {} queued {} running {}",
        record.origin().name(),
        time(record.created_at),
        shown(record.scheduled_at()),
        shown(record.queued_at),
        shown(record.running_at())
    )
}

/// Shows a time relative to the beginning of the script.
pub fn time(at: Millis) -> String {
    format!("@{}", at - BEGINNING)
}

fn attempt(world: &mut World, start: &AttemptStart) -> String {
    let (first, entries) = start.frames.split_first().expect("an attempt begins with a frame");
    let message: Start = first.decode().expect("an attempt begins with Start");
    assert_eq!(message.known_entries as usize, entries.len());
    assert_eq!(message.id.len(), 40);
    assert_eq!(message.key, start.key.clone().unwrap_or_default());
    let entries: Vec<_> = entries.iter().map(|entry| frame(world, entry)).collect();
    let id = at_attempt(world, start.id, start.attempt);
    let mut shown = format!("start({id} v{} [{}]", start.protocol_version, entries.join(" "));
    if start.deployment.0 != 1 {
        shown += &format!(" deployment {}", start.deployment.0);
    }
    if message.retry_count_since_last_stored_entry > 0 {
        let count = message.retry_count_since_last_stored_entry;
        shown += &format!(" retries {count} over {}", message.duration_since_last_stored_entry);
    }
    let state = |entry: &StateEntry| format!(" {}={}", text(&entry.key), text(&entry.value));
    shown.extend(message.state_map.iter().map(state));
    if message.partial_state && start.key.is_some() {
        shown += " partial";
    }
    if let Some(key) = message.idempotency_key {
        shown += &format!(" key {key}");
    }
    if let Some(scope) = message.scope {
        shown += &format!(" scope {scope}");
    }
    if let Some(limit_key) = message.limit_key {
        shown += &format!(" limit key {limit_key}");
    }
    shown + ")"
}

fn frame(world: &mut World, frame: &Frame) -> String {
    if frame.ty.is_command() {
        return frame.ty.name().to_owned();
    }
    let notification: Notification = frame.decode().expect("a notification decodes");
    let id = match notification.id.expect("a notification has an id") {
        notification::Id::CompletionId(id) => format!("{}!{id}", frame.ty.name()),
        notification::Id::SignalId(1) => return "cancel".to_owned(),
        notification::Id::SignalId(index) => format!("s{index}"),
        notification::Id::SignalName(name) => format!("'{name}"),
    };
    match notification.result.expect("a notification has a result") {
        notification::Result::Void(_) => id,
        notification::Result::Value(value) => format!("{id}={}", text(&value.content)),
        notification::Result::Failure(failure) => {
            format!("{id}={}", outcome(&Outcome::Failure(failure)))
        }
        notification::Result::InvocationId(child) => {
            format!("{id}={}", world.alias(child.parse().expect("an invocation id")))
        }
        notification::Result::StateKeys(keys) => {
            let keys: Vec<_> = keys.keys.iter().map(|key| text(key)).collect();
            format!("{id}={{{}}}", keys.join(","))
        }
    }
}

fn reply(world: &mut World, reply: &Reply) -> String {
    match reply {
        Reply::Accepted { id, fresh, execution_time } => {
            let at = execution_time.map(|at| format!(" {}", time(at))).unwrap_or_default();
            let fresh = if *fresh { "accepted" } else { "previously accepted" };
            format!("{fresh} {}{at}", world.alias(*id))
        }
        Reply::Taken { id, taken } => format!("{taken:?} {}", world.alias(*id)).to_lowercase(),
        Reply::TakenTooEarly { taken } => match taken {
            Some(offset) => format!("too early after {offset}"),
            None => "too early".to_owned(),
        },
        Reply::Result { id, completed, expires_at, .. } => {
            let expires = expires_at.map(|at| format!(" until {}", time(at))).unwrap_or_default();
            format!("{} {}{expires}", world.alias(*id), self::completed(completed))
        }
        Reply::WorkflowAlreadyInvoked(id) => format!("already invoked {}", world.alias(*id)),
        Reply::NotReady(id) => format!("not ready {}", world.alias(*id)),
        Reply::NotFound(id) => format!("not found {}", world.alias(*id)),
        Reply::Done => "done".to_owned(),
        Reply::Accept => "accept".to_owned(),
        Reply::Conflict(text) => format!("conflict: {}", named(world, text)),
        Reply::Invalid(text) => format!("invalid: {}", named(world, text)),
        Reply::TooEarly(text) => format!("too early: {}", named(world, text)),
        Reply::Gone(text) => format!("gone: {}", named(world, text)),
        Reply::Unsupported(text) => format!("unsupported: {}", named(world, text)),
        Reply::Receipt(receipt) => self::receipt(receipt),
        Reply::Unavailable(text) => format!("unavailable: {text}"),
    }
}

fn receipt(receipt: &Receipt) -> String {
    let mut shown = format!("{:?}", receipt.outcome).to_lowercase();
    shown.extend(receipt.verb.map(|verb| format!(" {verb:?}").to_lowercase()));
    shown.extend(receipt.decided_at.map(|at| format!(" {}", time(at))));
    shown
}

fn completed(completed: &Completed) -> String {
    let trace = completed.stacktrace.as_ref().map(|trace| format!(" trace {trace}"));
    outcome(&completed.outcome) + &trace.unwrap_or_default()
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(value) => text(value),
        Outcome::Failure(failure) => {
            let metadata = failure.metadata.iter().map(|m| format!(" {}={}", m.key, m.value));
            format!("{}:{}{}", failure.code, failure.message, metadata.collect::<String>())
        }
    }
}

fn message_name(message: &Message) -> &'static str {
    match message {
        Message::Invoke(_) => "invoke",
        Message::Notify(..) => "notify",
        Message::Attach(..) => "attach",
        Message::Signal(..) => "signal",
        Message::CompleteAwakeable(..) => "awakeable",
        Message::Kill(..) => "kill",
    }
}

/// Puts aliases into a text that names invocations.
fn named(world: &World, text: &str) -> String {
    world
        .aliases
        .iter()
        .fold(text.to_owned(), |text, (id, alias)| text.replace(&id.to_string(), alias))
}

fn at_attempt(world: &mut World, id: InvocationId, attempt: AttemptId) -> String {
    format!("{}/{attempt}", world.alias(id))
}

fn text(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes)).trim_matches('"').to_owned()
}
