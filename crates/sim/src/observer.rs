//! The durable history: what the store has acknowledged, and the lives of invocations in it.
//!
//! The observer sees each batch when it is durable, and keeps its own copy of all rows, so that a
//! store that forgets, tears or lets in a superseded owner is found out.
//! - Owns: the mirror of the rows, one [`Life`] per creation of an invocation.
//! - Does not own: what the outside was told ([`crate::claims`]).
//! - Invariant: history only grows.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use reveille_engine::keys::{self, tag};
use reveille_engine::message::Outcome;
use reveille_engine::record::{InvocationRecord, JournalEntry, Kind, LockRecord, Status, decode};
use reveille_protocol::frame::Frame;
use reveille_protocol::id::InvocationId;
use reveille_store::{Batch, Epoch, Lease, Write};

use crate::life::{Life, LifeKey, awakeable_of, check_step, is_early, settle};
use crate::trace::{Checked, invariant, violation};
use crate::units::Units;

/// The durable history.
#[derive(Default)]
pub struct Observer {
    /// All durable rows, by partition.
    pub rows: Vec<BTreeMap<Bytes, Bytes>>,
    /// All lives, by id, oldest first.
    pub lives: BTreeMap<InvocationId, Vec<Life>>,
    /// Every message that was ever in an outbox: from, to, number.
    pub sent: BTreeMap<(u16, u16, u64), Bytes>,
    /// Awakeables whose value an administrator replaced.
    pub replaced: BTreeSet<(InvocationId, u32)>,
    /// For each life of an exclusive invocation the one of the same key that was active before.
    pub predecessors: BTreeMap<LifeKey, LifeKey>,
    heads: Vec<(Epoch, u64)>,
    active: BTreeMap<(String, String), BTreeSet<InvocationId>>,
    last_active: BTreeMap<(String, String), LifeKey>,
    /// Every status that was ever durable.
    pub statuses: BTreeSet<Status>,
    /// Units in use.
    pub units: Units,
    /// Changes to lives since they were last taken, for the checkers.
    pub changed: Vec<Change>,
}

/// Something that became durable.
#[derive(Clone, Debug)]
pub enum Change {
    /// A journal grew; the number of commands it has now.
    Appended(InvocationId, usize, Frame),
    /// An invocation ended.
    Completed(InvocationId, Outcome),
    /// A workflow run was forgotten, with its state.
    Forgotten(InvocationId),
}

impl Observer {
    /// Starts with empty partitions.
    pub fn new(partitions: u16) -> Observer {
        let count = usize::from(partitions);
        Observer {
            rows: vec![BTreeMap::new(); count],
            heads: vec![(Epoch(0), 0); count],
            ..Observer::default()
        }
    }

    /// The last life of an invocation.
    pub fn last(&self, id: InvocationId) -> Option<&Life> {
        self.lives.get(&id)?.last()
    }

    /// A partition was taken over: everything that was ever durable must be there.
    pub fn acquired(&mut self, lease: Lease) -> Checked {
        let partition = usize::from(lease.partition.0);
        let (_, last) = self.heads[partition];
        if lease.last_seq != last {
            let text = format!(
                "{} was at batch {last}, after the take-over it is at {}",
                lease.partition, lease.last_seq
            );
            return violation(invariant::DURABLE, text);
        }
        self.heads[partition] = (lease.epoch, last);
        Ok(())
    }

    /// A commit is durable, acknowledged or not.
    pub fn committed(&mut self, lease: Lease, seq: u64, batch: &Batch) -> Checked {
        let partition = usize::from(lease.partition.0);
        let (epoch, last) = self.heads[partition];
        if lease.epoch < epoch {
            let text = format!("batch {seq} of {} was let in under {epoch}", lease.epoch);
            return violation(invariant::ONE_ATTEMPT, text);
        }
        if seq != last + 1 {
            return violation(invariant::DURABLE, format!("batch {seq} follows batch {last}"));
        }
        self.heads[partition] = (lease.epoch, seq);
        self.apply(partition, batch)
    }

    fn apply(&mut self, partition: usize, batch: &Batch) -> Checked {
        for Write { key, value, fresh } in &batch.writes {
            if *fresh && self.rows[partition].contains_key(key) {
                return violation(invariant::ROWS, format!("{key:?} is said to be fresh"));
            }
            match key.first().copied() {
                Some(tag::INVOCATION) => self.on_invocation(partition, key, value.as_ref())?,
                Some(tag::JOURNAL) => self.on_journal(partition, key, value.as_ref())?,
                Some(tag::DECISION) => self.on_decision(partition, key, value.as_ref())?,
                Some(tag::LOCK) => self.on_lock(partition, key, value.as_ref())?,
                Some(tag::OUTBOX) => self.on_outbox(partition, key, value.as_ref())?,
                _ => {}
            }
            match value {
                Some(value) => self.rows[partition].insert(key.clone(), value.clone()),
                None => self.rows[partition].remove(key),
            };
        }
        self.units.check()?;
        match self.active.iter().find(|(_, ids)| ids.len() > 1) {
            Some((instance, ids)) => {
                violation(invariant::LOCK, format!("{instance:?} is held by {ids:?}"))
            }
            None => Ok(()),
        }
    }

    fn on_invocation(&mut self, partition: usize, key: &Bytes, value: Option<&Bytes>) -> Checked {
        let Some(id) = keys::parse_id(&key[1..]) else {
            return violation(invariant::ROWS, "an invocation row has no id");
        };
        let Some(value) = value else { return self.on_forgotten(id) };
        let record: InvocationRecord = match decode(key, value) {
            Ok(record) => record,
            Err(error) => return violation(invariant::ROWS, error.to_string()),
        };
        let lives = self.lives.entry(id).or_default();
        // An expired life and the next one can share a step, so that no deletion is seen.
        let again = lives.last().is_some_and(|life| {
            life.record.status() == Status::Completed && life.created_at != record.created_at
        });
        let known = self.rows[partition].contains_key(key) && !again;
        if !known {
            if let Some(life) = lives.last_mut() {
                life.forgotten = true;
            }
            if record.idempotency_key.is_none()
                && record.kind() != Kind::WorkflowRun
                && !lives.is_empty()
            {
                let text = format!("{id} was created a second time");
                return violation(invariant::FIRST_WINS, text);
            }
            let restarted = !record.restarted_from.is_empty();
            let copied = |count: u32| if restarted { count as usize } else { 0 };
            lives.push(Life {
                copied_entries: copied(record.journal_len),
                copied_commands: copied(record.commands_len),
                created_at: record.created_at,
                kind: record.kind(),
                record: InvocationRecord::default(),
                journal: Vec::new(),
                awakeables: BTreeMap::new(),
                outcome: None,
                forgotten: false,
            });
        }
        let Some(life) = lives.last_mut() else { return Ok(()) };
        if known {
            check_step(id, &life.record, &record)?;
        }
        self.units.on_change(Some(&life.record), Some(&record));
        life.record = record;
        self.statuses.insert(life.record.status());
        self.changed.extend(settle(id, life));
        self.follow_active(id);
        Ok(())
    }

    /// Keeps the set of exclusive invocations that are neither queued nor ended.
    fn follow_active(&mut self, id: InvocationId) {
        let Some(life) = self.lives.get(&id).and_then(|lives| lives.last()) else { return };
        if life.kind != Kind::Exclusive {
            return;
        }
        let active =
            life.is_open() && !matches!(life.record.status(), Status::Scheduled | Status::Queued);
        let instance = crate::model::instance(&life.record);
        let ids = self.active.entry(instance.clone()).or_default();
        if active {
            let this = (id, life.created_at);
            if ids.insert(id)
                && let Some(before) = self.last_active.insert(instance, this)
            {
                self.predecessors.insert(this, before);
            }
        } else {
            ids.remove(&id);
        }
    }

    fn on_forgotten(&mut self, id: InvocationId) -> Checked {
        if let Some(life) = self.lives.get_mut(&id).and_then(|lives| lives.last_mut()) {
            if !life.forgotten {
                self.units.on_change(Some(&life.record), None);
            }
            life.forgotten = true;
            if life.kind == Kind::WorkflowRun {
                self.changed.push(Change::Forgotten(id));
            }
        }
        self.follow_active(id);
        Ok(())
    }

    fn on_journal(&mut self, partition: usize, key: &Bytes, value: Option<&Bytes>) -> Checked {
        let (Some(id), Some(value)) = (keys::parse_id(&key[1..]), value) else { return Ok(()) };
        let index = number_at_end(key);
        let entry = match JournalEntry::decode(key, value) {
            Ok(entry) => entry,
            Err(error) => return violation(invariant::ROWS, error.to_string()),
        };
        let replaced = &self.replaced;
        let Some(life) = self.lives.get_mut(&id).and_then(|lives| lives.last_mut()) else {
            return violation(invariant::ROWS, format!("{id} has a journal but no record"));
        };
        let awakeable = awakeable_of(&entry.frame);
        let append = life.journal.len() == index as usize;
        if let Some(before) = self.rows[partition].get(key).filter(|_| !append) {
            if before == value {
                return Ok(());
            }
            let mended =
                awakeable.as_ref().is_some_and(|(index, _)| replaced.contains(&(id, *index)));
            if !mended {
                let text = format!("entry {index} of {id} was {before:?}, now it is {value:?}");
                return violation(invariant::REPLAY, text);
            }
            life.journal[index as usize] = entry.frame;
            life.awakeables.extend(awakeable);
            return Ok(());
        }
        if !append {
            let text = format!("entry {index} of {id} follows {} entries", life.journal.len());
            return violation(invariant::REPLAY, text);
        }
        life.journal.push(entry.frame.clone());
        if (index as usize) < life.copied_entries {
            life.awakeables.extend(awakeable);
            return self.check_copy(id, index as usize);
        }
        if is_early(&life.journal, &entry) {
            return violation(invariant::RULES, format!("{id} was woken before its time"));
        }
        if let Some((index, result)) = awakeable
            && life.awakeables.insert(index, result).is_some()
        {
            let text = format!("awakeable {index} of {id} was completed twice");
            return violation(invariant::FIRST_WINS, text);
        }
        self.changed.extend(settle(id, life));
        let commands = life.journal.iter().filter(|entry| entry.ty.is_command()).count();
        self.changed.push(Change::Appended(id, commands, entry.frame));
        Ok(())
    }

    fn check_copy(&self, id: InvocationId, index: usize) -> Checked {
        let Some(life) = self.last(id) else { return Ok(()) };
        let origin = keys::parse_id(&life.record.restarted_from);
        let old = origin.and_then(|origin| self.lives.get(&origin));
        life.check_copy(id, index, old.map(Vec::as_slice).unwrap_or_default())
    }

    fn on_decision(&mut self, partition: usize, key: &Bytes, value: Option<&Bytes>) -> Checked {
        let (Some(id), Some(value)) = (keys::parse_id(&key[1..]), value) else { return Ok(()) };
        let index = number_at_end(key);
        let before = self.rows[partition].get(key);
        if before.is_some_and(|before| before != value) && !self.replaced.contains(&(id, index)) {
            let text = format!("awakeable {index} of {id} was decided twice");
            return violation(invariant::FIRST_WINS, text);
        }
        Ok(())
    }

    fn on_lock(&mut self, partition: usize, key: &Bytes, value: Option<&Bytes>) -> Checked {
        let rows = &self.rows[partition];
        let holder = |row: &Bytes| {
            let lock: LockRecord = decode(key, row).ok()?;
            keys::parse_id(&lock.holder)
        };
        let before = rows.get(key).and_then(holder);
        let after = value.and_then(holder);
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        if before == after {
            return Ok(());
        }
        // The queue rows of an instance have its lock's key behind their own tag.
        let mut start = key.to_vec();
        start[0] = tag::QUEUE;
        let first = rows
            .range(Bytes::from(start.clone())..)
            .find(|(row, _)| row.starts_with(&start))
            .and_then(|(_, id)| keys::parse_id(id));
        if first != Some(after) {
            let text = format!("{after} got the lock, but {first:?} was first in the queue");
            return violation(invariant::LOCK, text);
        }
        Ok(())
    }

    fn on_outbox(&mut self, partition: usize, key: &Bytes, value: Option<&Bytes>) -> Checked {
        let (Some((to, seq)), Some(value)) = (keys::parse_outbox(key), value) else {
            return Ok(());
        };
        let from = u16::try_from(partition).unwrap_or(u16::MAX);
        match self.sent.insert((from, to, seq), value.clone()) {
            Some(before) if before != *value => {
                violation(invariant::NOT_LOST, format!("message {seq} from {from} to {to} changed"))
            }
            _ => Ok(()),
        }
    }
}

fn number_at_end(key: &[u8]) -> u32 {
    key.last_chunk::<4>().copied().map(u32::from_be_bytes).unwrap_or_default()
}
