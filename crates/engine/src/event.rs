//! Journal events: what went wrong or was stopped, and after which entry of the journal.
//!
//! An event is recorded when an attempt has failed and is to be retried, and when an invocation is
//! paused. Of each invocation the first [`EVENTS_FIRST`] and the latest [`EVENTS_LATEST`] are kept.
//! - Owns: the event table, the counter in the record that says which rows exist.
//! - Does not own: when an attempt has failed ([`crate::retry`]).
//! - Invariant: events go with the journal that they are attached to; an error that repeats itself at
//!   the same place is stored once.

use std::ops::Range;

use bytes::Bytes;
use prost::Message;

use crate::command::Millis;
use crate::keys;
use crate::record::{self, InvocationRecord, StoredFailure};
use crate::tx::{EngineError, Invocation, Tx};

/// Events that are kept from the beginning: what went wrong first explains what follows.
pub const EVENTS_FIRST: u32 = 16;

/// Events that are kept at the end.
pub const EVENTS_LATEST: u32 = 16;

/// A journal event.
#[derive(Clone, PartialEq, Message)]
pub struct StoredEvent {
    /// When it was recorded.
    #[prost(uint64, tag = "1")]
    pub at: Millis,
    /// The last journal index at that time.
    #[prost(uint32, tag = "2")]
    pub after_index: u32,
    /// The failed attempt; for a pause the last one, if there was one since the last entry.
    #[prost(message, optional, tag = "3")]
    pub failure: Option<StoredFailure>,
    /// True for a pause.
    #[prost(bool, tag = "4")]
    pub paused: bool,
}

/// One event, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Counts the events of the invocation from 0; gaps are events that are not kept.
    pub number: u32,
    /// When it happened.
    pub at: Millis,
    /// Index of the last journal entry at that time.
    pub after_index: u32,
    /// What happened. Failures carry no time of their own, it is that of the event.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// An attempt failed and is retried, or was the last one before a pause.
    TransientError(StoredFailure),
    /// It needs an operator from then on; with what failed last, if it is paused out of failures.
    Paused(Option<StoredFailure>),
}

impl EventKind {
    /// The word used in APIs.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::TransientError(_) => "TransientError",
            EventKind::Paused(_) => "Paused",
        }
    }
}

impl Event {
    /// Decodes a row of the event table.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<Event, EngineError> {
        let stored: StoredEvent = record::decode(key, value)?;
        let number = key.last_chunk().copied().map(u32::from_be_bytes);
        Ok(Event {
            number: number.ok_or_else(|| EngineError::corrupt(key, "not an event"))?,
            at: stored.at,
            after_index: stored.after_index,
            kind: match (stored.paused, stored.failure) {
                (true, failure) => EventKind::Paused(failure),
                (false, failure) => EventKind::TransientError(failure.unwrap_or_default()),
            },
        })
    }
}

/// Records that an attempt failed, unless the same is on record for this place in the journal.
/// The caller writes the record back. Reads at most [`EVENTS_FIRST`] + [`EVENTS_LATEST`] rows.
pub fn failed(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    failure: &StoredFailure,
) -> Result<(), EngineError> {
    let after_index = last_index(&invocation.record);
    // The time is in the event; without it two of the same kind compare as the same.
    let failure = StoredFailure { at: 0, ..failure.clone() };
    for number in kept(invocation.record.events_total) {
        let known: Option<StoredEvent> = tx.read(&keys::event(invocation.id, number))?;
        let same = |known: &StoredEvent| {
            !known.paused
                && known.after_index == after_index
                && known.failure.as_ref() == Some(&failure)
        };
        if known.as_ref().is_some_and(same) {
            return Ok(());
        }
    }
    append(tx, invocation, Some(failure), false);
    Ok(())
}

/// Records that it was paused, before its failed attempts are forgotten. The caller writes the record back.
pub fn paused(tx: &mut Tx<'_>, invocation: &mut Invocation) {
    let record = &invocation.record;
    let failed = record.last_failure.clone().filter(|_| record.failed_attempts > 0);
    append(tx, invocation, failed.map(|failure| StoredFailure { at: 0, ..failure }), true);
}

/// Forgets all events of an invocation. The caller writes the record back, or deletes it.
pub fn forget(tx: &mut Tx<'_>, invocation: &Invocation) {
    for number in kept(invocation.record.events_total) {
        tx.delete(keys::event(invocation.id, number));
    }
}

/// The numbers of the events that are kept when so many were recorded.
pub fn kept(total: u32) -> impl Iterator<Item = u32> {
    let latest: Range<u32> = total.saturating_sub(EVENTS_LATEST).max(EVENTS_FIRST)..total;
    (0..total.min(EVENTS_FIRST)).chain(latest)
}

fn append(
    tx: &mut Tx<'_>,
    invocation: &mut Invocation,
    failure: Option<StoredFailure>,
    paused: bool,
) {
    let number = invocation.record.events_total;
    let after_index = last_index(&invocation.record);
    let event = StoredEvent { at: tx.now(), after_index, failure, paused };
    tx.create(keys::event(invocation.id, number), record::encode(&event));
    if number >= EVENTS_FIRST + EVENTS_LATEST {
        tx.delete(keys::event(invocation.id, number - EVENTS_LATEST));
    }
    invocation.record.events_total = number.saturating_add(1);
}

fn last_index(record: &InvocationRecord) -> u32 {
    record.journal_len.saturating_sub(1)
}
