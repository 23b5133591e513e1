//! The invariants of a partition's rows, checked over a whole partition at once.
//!
//! Most tables follow from the invocation records and the pending completions. The check computes
//! which rows must be there and compares: a missing row and a row too many are both found.
//! - Owns: [`check_rows`], which tests and the simulator call after every step.
//! - Does not own: repair. A finding is a bug of the engine or of the store.
//! - Invariant: reads rows only; knows no rule that is not stated in the key table or in `lib.rs`.

mod levels;
mod sequences;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use reveille_protocol::frame::MessageType;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{Notification, notification};
use reveille_protocol::text::hex;

use crate::command::Caller;
use crate::keys::{self, Timer, TimerKind, tag};
use crate::record::{
    Decision, InvocationRecord, JournalEntry, Kind, LockRecord, Pending, PromiseRecord, Status,
    decode, encode,
};
use crate::tx::Invocation;
use crate::wait::WaitKind;

/// Checks all rows of one partition, in any order; keys as in [`crate::keys`].
///
/// The error names the first finding. Costs one pass and a copy of the keys.
pub fn check_rows(rows: impl Iterator<Item = (Bytes, Bytes)>) -> Result<(), String> {
    let mut tables: BTreeMap<u8, Rows> = BTreeMap::new();
    for (key, value) in rows {
        let tag = *key.first().ok_or("there is a row with an empty key")?;
        tables.entry(tag).or_default().insert(key, value);
    }
    let tables = Tables(tables);
    tables.check_tags()?;
    let mut expected = Expected::default();
    let mut counted = levels::Counted::default();
    for (key, value) in tables.rows(tag::INVOCATION) {
        let id = keys::parse_id(&key[1..]).ok_or_else(|| finding("no id in", key))?;
        let record = decode(key, value).map_err(|error| error.to_string())?;
        let invocation = Invocation { id, record };
        let pending = tables.check_owned(&invocation).and_then(|pending| {
            check_record(&invocation)?;
            Ok(pending)
        });
        let pending = pending.map_err(|finding| format!("invocation {id}: {finding}"))?;
        expected.of_record(&invocation);
        counted.add(&invocation);
        expected.of_pending(&invocation, &pending);
    }
    expected.compare(&tables)?;
    counted.compare(tables.rows(tag::LEVEL))?;
    tables.check_locks()?;
    tables.check_outbox()?;
    tables.check_offsets()
}

type Rows = BTreeMap<Bytes, Bytes>;

/// Positions that were given out, and how many of them are state edits.
type Positions = (std::ops::Range<u64>, u32);

/// The rows by table.
struct Tables(BTreeMap<u8, Rows>);

impl Tables {
    fn rows(&self, tag: u8) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.get(&tag).into_iter().flatten()
    }

    fn get(&self, key: &Bytes) -> Option<&Bytes> {
        self.0.get(key.first()?)?.get(key)
    }

    fn of(&self, tag: u8, id: InvocationId) -> Vec<(&Bytes, &Bytes)> {
        let (start, end) = keys::of_invocation(tag, id);
        self.0.get(&tag).map(|rows| rows.range(start..end).collect()).unwrap_or_default()
    }

    fn check_tags(&self) -> Result<(), String> {
        const KNOWN: &[u8] = b"ijvcdalqesprtwfoxnuyk";
        if let Some(tag) = self.0.keys().find(|tag| !KNOWN.contains(tag)) {
            return Err(format!("there is no table with the tag {tag:#04x}"));
        }
        for owned in [tag::JOURNAL, tag::EVENT, tag::PENDING, tag::DECISION, tag::ATTACHED] {
            for (key, _) in self.rows(owned) {
                let id = keys::parse_id(&key[1..]).ok_or_else(|| finding("no id in", key))?;
                if self.get(&keys::invocation(id)).is_none() {
                    return Err(finding("the invocation does not exist of", key));
                }
            }
        }
        for (key, value) in self.rows(tag::PROMISE) {
            decode::<PromiseRecord>(key, value).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Checks the tables whose rows a record counts; returns the pending completions.
    fn check_owned(&self, invocation: &Invocation) -> Result<Vec<(u32, Pending)>, String> {
        let (id, record) = (invocation.id, &invocation.record);
        self.check_journal(invocation)?;
        let events = self.of(tag::EVENT, id).into_iter().map(|(key, _)| last_number(key));
        if !events.eq(crate::event::kept(record.events_total)) {
            return Err(format!(
                "other events than the {} recorded ones ask for",
                record.events_total
            ));
        }
        let pending = self.of(tag::PENDING, id);
        let decisions = self.of(tag::DECISION, id);
        for (what, rows, counted) in [
            ("pending", pending.len(), record.pending_len),
            ("decisions", decisions.len(), record.decisions_len),
            ("attached", self.of(tag::ATTACHED, id).len(), record.attached_len),
        ] {
            if rows != counted as usize {
                return Err(format!("{what}: {rows} rows, but the record counts {counted}"));
            }
        }
        for (key, value) in decisions {
            let decision: Decision = decode(key, value).map_err(|error| error.to_string())?;
            let journal_gone = record.journal_len == 0;
            if !journal_gone && !self.decides(id, last_number(key), &decision)? {
                return Err(finding("the journal has no such signal:", key));
            }
        }
        let read = |(key, value): (&Bytes, &Bytes)| Ok((last_number(key), decode(key, value)?));
        let read: Result<_, crate::tx::EngineError> = pending.into_iter().map(read).collect();
        read.map_err(|error| error.to_string())
    }

    fn check_journal(&self, invocation: &Invocation) -> Result<(), String> {
        let record = &invocation.record;
        let (mut commands, mut last_output) = (0, None);
        for (index, (key, value)) in (0..).zip(self.of(tag::JOURNAL, invocation.id)) {
            if last_number(key) != index {
                return Err(format!("journal entry {index} is missing"));
            }
            let entry = JournalEntry::decode(key, value).map_err(|error| error.to_string())?;
            commands += u32::from(entry.frame.ty.is_command());
            if entry.frame.ty == MessageType::OUTPUT_COMMAND {
                last_output = Some(index);
            }
        }
        let rows = self.of(tag::JOURNAL, invocation.id).len();
        if rows != record.journal_len as usize {
            return Err(format!("{rows} journal rows, but journal_len is {}", record.journal_len));
        }
        if commands != record.commands_len || last_output != record.output_index {
            return Err("commands_len or output_index differ from the journal".to_owned());
        }
        Ok(())
    }

    fn decides(&self, id: InvocationId, index: u32, decision: &Decision) -> Result<bool, String> {
        let key = keys::journal(id, decision.journal_index);
        let Some(value) = self.get(&key) else { return Ok(false) };
        let entry = JournalEntry::decode(&key, value).map_err(|error| error.to_string())?;
        let found = entry.frame.decode::<Notification>().map_err(|error| error.to_string())?;
        let signal = entry.frame.ty == MessageType::SIGNAL_NOTIFICATION;
        Ok(signal && found.id == Some(notification::Id::SignalId(index)))
    }

    fn queue_from(&self, start: &[u8]) -> impl Iterator<Item = &Bytes> {
        let start = Bytes::copy_from_slice(start);
        let rows = self.0.get(&tag::QUEUE).into_iter();
        rows.flat_map(move |rows| rows.range(start.clone()..)).map(|(key, _)| key)
    }

    /// A lock is held by an exclusive invocation that has begun, and every such holds its lock.
    fn check_locks(&self) -> Result<(), String> {
        let mut holders = BTreeSet::new();
        let mut edits = BTreeMap::new();
        for (key, value) in self.rows(tag::LOCK) {
            let lock: LockRecord = decode(key, value).map_err(|error| error.to_string())?;
            let id = keys::parse_id(&lock.holder).ok_or_else(|| finding("no holder in", key))?;
            holders.insert((key.clone(), id));
            edits.insert(key.slice(1..), (lock.head..lock.tail, lock.edits));
            let mut queue = vec![tag::QUEUE];
            queue.extend_from_slice(&key[1..]);
            for row in self.queue_from(&queue).take_while(|row| row.starts_with(&queue)) {
                let position = row.last_chunk().copied().map(u64::from_be_bytes);
                if !position.is_some_and(|position| (lock.head..lock.tail).contains(&position)) {
                    return Err(finding("queued out of the range of its lock:", row));
                }
            }
        }
        let mut expected = BTreeSet::new();
        for (key, value) in self.rows(tag::INVOCATION) {
            let record = decode(key, value).map_err(|error| error.to_string())?;
            let Some(id) = keys::parse_id(&key[1..]) else { continue };
            let invocation = Invocation { id, record };
            if invocation.record.state_edits > 0 {
                let of = keys::lock(invocation.instance()).slice(1..);
                let count = invocation.record.state_edits;
                edits.insert(of, (0..u64::from(count), count));
            }
            let begun = !matches!(
                invocation.status(),
                Status::Scheduled | Status::Queued | Status::Completed
            );
            if begun && invocation.kind() == Kind::Exclusive {
                expected.insert((keys::lock(invocation.instance()), id));
            }
        }
        self.check_state_edits(edits)?;
        match holders.symmetric_difference(&expected).next() {
            Some((key, id)) => Err(finding(&format!("{id} holds, or ought to hold,"), key)),
            None => Ok(()),
        }
    }

    /// Each edit that waits has a position of its lock or run, which count them.
    fn check_state_edits(&self, mut counted: BTreeMap<Bytes, Positions>) -> Result<(), String> {
        for (key, _) in self.rows(tag::STATE_EDIT) {
            let of = key.get(1..key.len().saturating_sub(8)).unwrap_or_default();
            let position = key.last_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
            match counted.get_mut(of) {
                Some((range, count)) if *count > 0 && range.contains(&position) => *count -= 1,
                _ => return Err(finding("nobody makes wait", key)),
            }
        }
        match counted.into_iter().find(|(_, (_, count))| *count > 0) {
            Some((of, (_, count))) => {
                Err(finding(&format!("{count} state edits are missing of"), &of))
            }
            None => Ok(()),
        }
    }
}

/// Tables whose rows all follow from records.
const DERIVED: [u8; 6] =
    [tag::IN_FLIGHT, tag::QUEUE, tag::WAIT, tag::TIMER, tag::PROMISE_WAITER, tag::LIMITED];

/// Rows that follow from records: keys, and values where they are known.
#[derive(Default)]
struct Expected(BTreeMap<Bytes, Option<Bytes>>);

impl Expected {
    fn of_record(&mut self, invocation: &Invocation) {
        let (id, record) = (invocation.id, &invocation.record);
        match invocation.status() {
            Status::Running | Status::BackingOff => self.key(keys::in_flight(id)),
            Status::Queued => {
                let key = keys::queue(invocation.instance(), record.queue_position);
                self.0.insert(key, Some(crate::message::id_bytes(id)));
            }
            Status::Limited => {
                self.0.insert(levels::place(record), Some(crate::message::id_bytes(id)));
            }
            Status::Suspended => self.of_waits(invocation),
            Status::Scheduled => {
                self.timer(record.start_at.unwrap_or_default(), TimerKind::Start, id, 0);
            }
            Status::Completed => {
                self.timer(invocation.expires_at(), TimerKind::Purge, id, 0);
                if record.journal_len > 0
                    && record.journal_retention_ms < record.completion_retention_ms
                {
                    let due = record.completed_at.saturating_add(record.journal_retention_ms);
                    self.timer(due, TimerKind::PurgeJournal, id, 0);
                }
            }
            Status::Paused => {}
        }
    }

    fn of_waits(&mut self, invocation: &Invocation) {
        let record = &invocation.record;
        for wait in &record.waits {
            let row = wait.row_of(record);
            let kind = u8::try_from(wait.kind).unwrap_or(0);
            let key = keys::wait(wait.since, invocation.id, kind, wait.ordinal);
            self.0.insert(key, Some(encode(&row)));
        }
    }

    fn of_pending(&mut self, invocation: &Invocation, pending: &[(u32, Pending)]) {
        for (completion_id, pending) in pending {
            let caller = Caller {
                id: invocation.id,
                created_at: invocation.record.created_at,
                completion_id: *completion_id,
            };
            match MessageType(u16::try_from(pending.command).unwrap_or(0)) {
                MessageType::SLEEP_COMMAND => {
                    let due = pending.wake_up_at;
                    self.timer(due, TimerKind::Sleep, invocation.id, *completion_id);
                }
                MessageType::GET_PROMISE_COMMAND => {
                    let instance = invocation.instance();
                    self.key(keys::promise_waiter(instance, &pending.name, &caller));
                }
                _ => {}
            }
        }
    }

    fn key(&mut self, key: Bytes) {
        self.0.insert(key, Some(Bytes::new()));
    }

    fn timer(&mut self, due: u64, kind: TimerKind, id: InvocationId, number: u32) {
        self.key(keys::timer(Timer { due, kind, id, number }));
    }

    fn compare(mut self, tables: &Tables) -> Result<(), String> {
        for derived in DERIVED {
            for (key, value) in tables.rows(derived) {
                match self.0.remove(key) {
                    None => return Err(finding("nothing asks for", key)),
                    Some(Some(expected)) if expected != *value => {
                        return Err(finding("another value is expected in", key));
                    }
                    Some(_) => {}
                }
            }
        }
        match self.0.keys().next() {
            Some(key) => Err(finding("missing:", key)),
            None => Ok(()),
        }
    }
}

/// Checks what a record says of itself.
fn check_record(invocation: &Invocation) -> Result<(), String> {
    let record: &InvocationRecord = &invocation.record;
    let status = invocation.status();
    let waits_to_start = matches!(status, Status::Scheduled | Status::Queued);
    for (holds, text) in [
        (record.awaiting.is_some() == (status == Status::Suspended), "awaits iff suspended"),
        (record.next_retry_at.is_some() == (status == Status::BackingOff), "timed iff backing off"),
        (
            record.state_edits == 0 || !waits_to_start && status != Status::Completed,
            "holds up edits",
        ),
        (!record.pause_requested || status == Status::Running, "is to pause only while running"),
        (!record.input_open || status == Status::Running, "has an open input only while running"),
        (record.seen <= record.journal_len || status == Status::Completed, "has seen too much"),
        (!waits_to_start || record.attempt == 0, "has no attempt before it starts"),
        (
            waits_to_start || status == Status::Limited || record.attempt > 0,
            "has attempts once it started",
        ),
        (record.limit_key.is_none() || record.scope.is_some(), "has a limit key within a scope"),
        (status != Status::Limited || record.scope.is_some(), "is limited within a scope"),
        (status == Status::Completed || record.journal_len > 0, "has an input"),
        (status != Status::Completed || record.pending_len == 0, "ended, yet awaits"),
        (status != Status::Completed || record.attached_len == 0, "ended, yet owes results"),
        (status != Status::Completed || record.completion_retention_ms > 0, "ended, yet kept"),
        (
            status != Status::Completed || record.result.is_some() || record.output_index.is_some(),
            "ended without a result",
        ),
        (
            record.waits.iter().all(|wait| WaitKind::from_number(wait.kind).is_some()),
            "has waits of known kinds",
        ),
    ] {
        if !holds {
            return Err(format!("{status:?}: \"{text}\" is violated"));
        }
    }
    Ok(())
}

fn last_number(key: &[u8]) -> u32 {
    key.last_chunk().copied().map(u32::from_be_bytes).unwrap_or_default()
}

fn finding(text: &str, key: &[u8]) -> String {
    let (tag, rest) = key.split_first().unwrap_or((&b'?', &[]));
    format!("{text} row {}:{}", char::from(*tag), hex(rest))
}
