//! One life of an invocation, and what its rows may become.
//!
//! - Owns: the transition rules of records, what a completed journal says.
//! - Does not own: the rows ([`crate::observer`]).

use std::collections::BTreeMap;

use reveille_engine::message::Outcome;
use reveille_engine::record::{InvocationRecord, JournalEntry, Kind, Status};
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{
    Notification, OutputCommand, SleepCommand, notification, output_command,
};

use crate::observer::Change;
use crate::trace::{Checked, invariant, violation};

/// One life of an invocation: from its creation until it is forgotten.
#[derive(Clone, Debug)]
pub struct Life {
    /// When it was created.
    pub created_at: u64,
    /// Kind of its handler.
    pub kind: Kind,
    /// The last durable record.
    pub record: InvocationRecord,
    /// Every journal entry that was ever durable.
    pub journal: Vec<Frame>,
    /// Entries that it took over from the invocation that it is a restart of.
    pub copied_entries: usize,
    /// How many of them are commands.
    pub copied_commands: usize,
    /// Values of awakeables, by index.
    pub awakeables: BTreeMap<u32, notification::Result>,
    /// Its result, when a row ever showed it.
    pub outcome: Option<Outcome>,
    /// True when it is forgotten.
    pub forgotten: bool,
}

impl Life {
    /// True when its result was there before it began.
    pub fn has_copied_output(&self) -> bool {
        let copied = self.journal.iter().take(self.copied_entries);
        copied.into_iter().any(|frame| frame.ty == MessageType::OUTPUT_COMMAND)
    }

    /// Checks that an entry was taken over from an older life: the same at the same place, or what
    /// completes one of those.
    pub fn check_copy(&self, id: InvocationId, index: usize, old: &[Life]) -> Checked {
        let frame = &self.journal[index];
        let same = |life: &Life| {
            life.journal.get(index) == Some(frame)
                || frame.ty.is_notification()
                    && frame.ty != MessageType::SIGNAL_NOTIFICATION
                    && life.journal.contains(frame)
        };
        if old.iter().any(same) {
            return Ok(());
        }
        let text = format!("entry {index} of {id} ({}) was made up at its restart", frame.ty);
        violation(invariant::REPLAY, text)
    }

    /// True while it is neither completed nor forgotten.
    pub fn is_open(&self) -> bool {
        !self.forgotten && self.record.status() != Status::Completed
    }
}

/// Names a life: the invocation, and when it was created.
pub type LifeKey = (InvocationId, u64);

/// Notes the result of a life that has ended, once its rows are all there.
pub fn settle(id: InvocationId, life: &mut Life) -> Option<Change> {
    if life.record.status() != Status::Completed || life.outcome.is_some() {
        return None;
    }
    life.outcome = outcome_of(life);
    life.outcome.clone().map(|outcome| Change::Completed(id, outcome))
}

/// What a completed record says, with the journal where the result is there.
fn outcome_of(life: &Life) -> Option<Outcome> {
    if let Some(stored) = life.record.result.clone() {
        return Some(Outcome::from_stored(stored));
    }
    let index = life.record.output_index?;
    let command: OutputCommand = life.journal.get(index as usize)?.decode().ok()?;
    Some(match command.result? {
        output_command::Result::Value(value) => Outcome::Success(value.content),
        output_command::Result::Failure(failure) => Outcome::Failure(failure),
    })
}

/// True when a sleep is over before its time.
pub fn is_early(journal: &[Frame], entry: &JournalEntry) -> bool {
    if entry.frame.ty != MessageType::SLEEP_NOTIFICATION {
        return false;
    }
    let id = entry.frame.decode::<Notification>().ok().and_then(|notification| notification.id);
    let sleeps = journal.iter().filter(|frame| frame.ty == MessageType::SLEEP_COMMAND);
    let mut commands = sleeps.filter_map(|frame| frame.decode::<SleepCommand>().ok());
    let this = |command: &SleepCommand| {
        id == Some(notification::Id::CompletionId(command.result_completion_id))
    };
    commands.find(this).is_none_or(|command| entry.at < command.wake_up_time)
}

/// The awakeable that a journal entry completes.
pub fn awakeable_of(frame: &Frame) -> Option<(u32, notification::Result)> {
    if frame.ty != MessageType::SIGNAL_NOTIFICATION {
        return None;
    }
    let notification: Notification = frame.decode().ok()?;
    match notification.id? {
        notification::Id::SignalId(index) if index >= 17 => Some((index, notification.result?)),
        _ => None,
    }
}

/// A record only goes where the table of transitions in the engine's `lib.rs` lets it.
pub fn check_step(id: InvocationId, old: &InvocationRecord, new: &InvocationRecord) -> Checked {
    let (before, after) = (old.status(), new.status());
    let allowed = match after {
        Status::Scheduled => before == Status::Scheduled,
        Status::Queued => matches!(before, Status::Scheduled | Status::Queued),
        // A handler may suspend and be woken within one step, and find its unit taken.
        Status::Limited => before != Status::Completed,
        Status::Suspended => matches!(before, Status::Running | Status::Suspended),
        Status::Running | Status::BackingOff | Status::Paused => before != Status::Completed,
        Status::Completed => true,
    };
    if !allowed || old.created_at != new.created_at {
        return violation(invariant::RULES, format!("{id} went from {before:?} to {after:?}"));
    }
    if new.attempt < old.attempt || new.completed_at < old.completed_at {
        return violation(invariant::ONE_ATTEMPT, format!("{id} went back in time"));
    }
    Ok(())
}
