//! What a run reached: commands, effects, replies, statuses, messages, faults.
//!
//! - Invariant: everything in [`EXPECTED`] is reached by a few hundred seeds; what is not is a hole in
//!   the workload, and the run fails.

use std::collections::BTreeMap;

use reveille_engine::command::Command;
use reveille_engine::effect::{Effect, Receipt, ReceiptOutcome, Reply};
use reveille_engine::record::Status;
use reveille_protocol::frame::{Frame, MessageType};

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How often each thing was reached.
    pub hits: BTreeMap<&'static str, u64>,
}

impl Coverage {
    /// Counts one hit.
    pub fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Coverage) {
        for (what, count) in &other.hits {
            *self.hits.entry(what).or_default() += count;
        }
    }

    /// What should have been reached and was not.
    pub fn holes(&self) -> Vec<&'static str> {
        let messages = MESSAGES.iter().map(|ty| ty.name());
        let all = EXPECTED.iter().copied().chain(messages);
        all.filter(|what| !self.hits.contains_key(what)).collect()
    }
}

/// Messages that the model SDK sends.
const MESSAGES: &[MessageType] = &[
    MessageType::SUSPENSION,
    MessageType::ERROR,
    MessageType::END,
    MessageType::PROPOSE_RUN_COMPLETION,
    MessageType::AWAITING_ON,
    MessageType::OUTPUT_COMMAND,
    MessageType::GET_LAZY_STATE_COMMAND,
    MessageType::SET_STATE_COMMAND,
    MessageType::CLEAR_STATE_COMMAND,
    MessageType::CLEAR_ALL_STATE_COMMAND,
    MessageType::GET_LAZY_STATE_KEYS_COMMAND,
    MessageType::GET_EAGER_STATE_COMMAND,
    MessageType::GET_EAGER_STATE_KEYS_COMMAND,
    MessageType::GET_PROMISE_COMMAND,
    MessageType::PEEK_PROMISE_COMMAND,
    MessageType::COMPLETE_PROMISE_COMMAND,
    MessageType::SLEEP_COMMAND,
    MessageType::CALL_COMMAND,
    MessageType::ONE_WAY_CALL_COMMAND,
    MessageType::SEND_SIGNAL_COMMAND,
    MessageType::RUN_COMMAND,
    MessageType::ATTACH_INVOCATION_COMMAND,
    MessageType::GET_INVOCATION_OUTPUT_COMMAND,
    MessageType::COMPLETE_AWAKEABLE_COMMAND,
];

/// Everything else that a run must reach.
const EXPECTED: &[&str] = &[
    "Invoke",
    "TakeRecord",
    "reply Taken",
    "reply TakenTooEarly",
    "Attach",
    "Output",
    "CompleteWait",
    "DescribeWait",
    "ReplaceWait",
    "Cancel",
    "Kill",
    "Pause",
    "Resume",
    "RestartAsNew",
    "ReplaceState",
    "Purge",
    "PurgeJournal",
    "Frames",
    "AttemptFailed",
    "AttemptIdle",
    "AttemptAdmitted",
    "TimerDue",
    "RetryDue",
    "Deliver",
    "Delivered",
    "Recover",
    "effect Reply",
    "effect Park",
    "effect Completed",
    "effect StartAttempt",
    "effect Forward",
    "effect CloseInput",
    "effect EndAttempt",
    "effect AbortAttempt",
    "effect RetryAt",
    "effect Send",
    "effect Acknowledge",
    "effect StateEditDropped",
    "effect AdmitLater",
    "rules changed",
    "status Limited",
    "reply Accepted",
    "reply Result",
    "reply WorkflowAlreadyInvoked",
    "reply NotReady",
    "reply NotFound",
    "reply Done",
    "reply Accept",
    "reply Conflict",
    "reply Invalid",
    "reply TooEarly",
    "reply Gone",
    "reply Unsupported",
    "reply Receipt",
    "receipt Completed",
    "receipt Replayed",
    "receipt Conflict",
    "receipt Gone",
    "receipt Unknown",
    "receipt Pending",
    "status Scheduled",
    "status Queued",
    "status Running",
    "status BackingOff",
    "status Suspended",
    "status Paused",
    "status Completed",
    "v5 bidirectional",
    "v5 request/response",
    "v6 bidirectional",
    "v6 request/response",
    "v7 bidirectional",
    "v7 request/response",
    "commit: durable",
    "commit: fenced",
    "commit: out of order",
    "commit: disk full",
    "commit: crashed",
    "fault: crash before the commit",
    "fault: crash after the commit",
    "fault: torn group commit",
    "fault: crash between commits",
    "fault: process crashed",
    "fault: disk full once",
    "fault: disk full for a while",
    "fault: second owner",
    "fault: superseded owner addressed",
    "fault: redeployed",
    "fault: stream broke",
    "fault: message lost",
    "fault: message repeated",
    "fault: message sent again",
    "fault: timers reordered",
    "late frames",
    "attempt queued for a place",
    "reply lost",
    "wrong secret",
];

/// The name of a command.
pub fn command(command: &Command) -> &'static str {
    match command {
        Command::Invoke { .. } => "Invoke",
        Command::TakeRecord { .. } => "TakeRecord",
        Command::ForgetSubscription { .. } => "ForgetSubscription",
        Command::Attach { .. } => "Attach",
        Command::Output { .. } => "Output",
        Command::CompleteWait { .. } => "CompleteWait",
        Command::DescribeWait { .. } => "DescribeWait",
        Command::ReplaceWait { .. } => "ReplaceWait",
        Command::Cancel { .. } => "Cancel",
        Command::Kill { .. } => "Kill",
        Command::Pause { .. } => "Pause",
        Command::Resume { .. } => "Resume",
        Command::RestartAsNew { .. } => "RestartAsNew",
        Command::ReplaceState { .. } => "ReplaceState",
        Command::Purge { .. } => "Purge",
        Command::PurgeJournal { .. } => "PurgeJournal",
        Command::Frames { .. } => "Frames",
        Command::AttemptFailed { .. } => "AttemptFailed",
        Command::AttemptIdle { .. } => "AttemptIdle",
        Command::AttemptAdmitted { .. } => "AttemptAdmitted",
        Command::TimerDue { .. } => "TimerDue",
        Command::RetryDue { .. } => "RetryDue",
        Command::Deliver { .. } => "Deliver",
        Command::Delivered { .. } => "Delivered",
        Command::Recover { .. } => "Recover",
        Command::Admit { .. } => "Admit",
    }
}

/// A command as a line of the trace.
pub fn show(command: &Command) -> String {
    match command {
        Command::Invoke { invoke, wait, .. } => {
            let target = &invoke.target;
            let (service, handler, key) = (&target.service, &target.handler, &target.key);
            let scope = target.scope.as_deref().unwrap_or_default();
            let limit_key = invoke.limit_key.as_deref().unwrap_or_default();
            format!(
                "Invoke {} {scope}@{service}/{key:?}/{handler} {limit_key} wait={wait}",
                invoke.id
            )
        }
        Command::Frames { id, attempt, frames } => {
            format!("Frames {id} attempt {attempt}: {}", names(frames))
        }
        Command::Deliver { from, seq, .. } => format!("Deliver {seq} from p{from}"),
        Command::TimerDue { key } => {
            format!("TimerDue {:?}", reveille_engine::keys::parse_timer(key))
        }
        other => format!("{other:?}"),
    }
}

/// The name of an effect.
pub fn effect(effect: &Effect) -> &'static str {
    match effect {
        Effect::Reply(..) => "effect Reply",
        Effect::Park(..) => "effect Park",
        Effect::Completed { .. } => "effect Completed",
        Effect::StartAttempt(_) => "effect StartAttempt",
        Effect::Forward(..) => "effect Forward",
        Effect::CloseInput(..) => "effect CloseInput",
        Effect::EndAttempt(..) => "effect EndAttempt",
        Effect::AbortAttempt(..) => "effect AbortAttempt",
        Effect::RetryAt(..) => "effect RetryAt",
        Effect::Send(..) => "effect Send",
        Effect::StateEditDropped { .. } => "effect StateEditDropped",
        Effect::Acknowledge(..) => "effect Acknowledge",
        Effect::AdmitLater(_) => "effect AdmitLater",
    }
}

/// An effect as a line of the trace.
pub fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::StartAttempt(start) => {
            let mode = crate::programs::mode(start.protocol_version, start.bidirectional);
            let (service, handler) = (&start.service, &start.handler);
            let names = names(&start.frames);
            format!(
                "StartAttempt {} {} {service}/{handler} {mode}: {names}",
                start.id, start.attempt
            )
        }
        Effect::Forward(id, attempt, frame) => {
            format!("Forward {id} {attempt}: {}", names(std::slice::from_ref(frame)))
        }
        Effect::Send(to, seq, _) => format!("Send {seq} to p{to}"),
        other => format!("{other:?}"),
    }
}

fn names(frames: &[Frame]) -> String {
    let names = frames.iter().map(|frame| match frame.ty.is_notification() {
        true => format!("{}!", frame.ty.name()),
        false => frame.ty.name().to_owned(),
    });
    names.collect::<Vec<_>>().join(" ")
}

/// The name of a reply.
pub fn reply(reply: &Reply) -> &'static str {
    match reply {
        Reply::Accepted { .. } => "reply Accepted",
        Reply::Taken { .. } => "reply Taken",
        Reply::TakenTooEarly { .. } => "reply TakenTooEarly",
        Reply::Result { .. } => "reply Result",
        Reply::WorkflowAlreadyInvoked(_) => "reply WorkflowAlreadyInvoked",
        Reply::NotReady(_) => "reply NotReady",
        Reply::NotFound(_) => "reply NotFound",
        Reply::Done => "reply Done",
        Reply::Accept => "reply Accept",
        Reply::Conflict(_) => "reply Conflict",
        Reply::Invalid(_) => "reply Invalid",
        Reply::Gone(_) => "reply Gone",
        Reply::Unsupported(_) => "reply Unsupported",
        Reply::TooEarly(_) => "reply TooEarly",
        Reply::Receipt(_) => "reply Receipt",
        Reply::Unavailable(_) => "reply Unavailable",
    }
}

/// The name of a receipt.
pub fn receipt(receipt: &Receipt) -> &'static str {
    match receipt.outcome {
        ReceiptOutcome::Completed => "receipt Completed",
        ReceiptOutcome::Replayed => "receipt Replayed",
        ReceiptOutcome::Conflict => "receipt Conflict",
        ReceiptOutcome::Gone => "receipt Gone",
        ReceiptOutcome::Unknown => "receipt Unknown",
        ReceiptOutcome::Pending => "receipt Pending",
    }
}

/// The name of a status.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "status Scheduled",
        Status::Queued => "status Queued",
        Status::Running => "status Running",
        Status::BackingOff => "status BackingOff",
        Status::Suspended => "status Suspended",
        Status::Paused => "status Paused",
        Status::Completed => "status Completed",
        Status::Limited => "status Limited",
    }
}
