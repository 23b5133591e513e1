//! One step in the making: reads through to the view, writes kept aside, effects in order.
//!
//! - Owns: read-your-writes, typed access to records, sending messages to other invocations.
//! - Does not own: rules; those are the modules that take a [`Tx`].
//! - Invariant: nothing reaches the view. A step that fails half-way leaves no trace.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use bytes::Bytes;
use reveille_protocol::{id::InvocationId, text::hex};

use crate::Write;
use crate::command::{AttemptId, Millis, PartitionNumber};
use crate::effect::Effect;
use crate::identity::{SecretKey, partition_of};
use crate::keys;
use crate::message::Message;
use crate::record::{self, InvocationRecord, Kind, Status};
use crate::schema::Schema;

/// What the engine reads: committed rows plus the writes of earlier steps of the same partition.
pub trait View {
    /// Reads one row.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError>;
    /// Reads rows with `start <= key < end` in key order, at most `limit`.
    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ViewError>;
}

/// A view could not read. The step is dropped as if it had never begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read: {0}")]
pub struct ViewError(pub String);

/// Why a step failed. The partition must stop: its data needs an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A stored row cannot be understood.
    #[error("row {key} is corrupt: {detail}")]
    Corrupt {
        /// The key, in hex after its table tag.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// The view could not read.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl EngineError {
    /// Makes the error for a row that cannot be understood.
    pub fn corrupt(key: &[u8], detail: &str) -> EngineError {
        let mut text = String::with_capacity(key.len() * 2);
        if let Some((tag, rest)) = key.split_first() {
            text.push(char::from(*tag));
            text.push(':');
            text.push_str(&hex(rest));
        }
        EngineError::Corrupt { key: text, detail: detail.to_owned() }
    }
}

/// What does not change during a step.
pub struct Context<'a> {
    /// The time of the step.
    pub now: Millis,
    /// Everything registered.
    pub schema: &'a Schema,
    /// The partition that applies the step.
    pub partition: PartitionNumber,
    /// Number of partitions.
    pub partitions: u16,
    /// Key of awakeable secrets.
    pub secret_key: &'a SecretKey,
    /// Time that an attempt which awaits an answer likely to come soon keeps its stream.
    pub hold_ms: u64,
}

/// An invocation that a rule works on: its record is written back by [`Tx::put`].
#[derive(Debug)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// Its record.
    pub record: InvocationRecord,
}

impl Invocation {
    /// Its life-cycle state.
    pub fn status(&self) -> Status {
        self.record.status()
    }

    /// Kind of its handler.
    pub fn kind(&self) -> Kind {
        self.record.kind()
    }

    /// True while it exists and no attempt of it ever started.
    pub fn never_ran(&self) -> bool {
        self.record.attempt == 0 && self.status() != Status::Completed
    }

    /// Scope, service and key; plain services have the empty key.
    pub fn instance(&self) -> keys::Instance<'_> {
        keys::Instance {
            scope: self.record.scope.as_deref(),
            service: &self.record.service,
            key: self.record.key.as_deref().unwrap_or_default(),
        }
    }

    /// Its current or last attempt.
    pub fn attempt(&self) -> AttemptId {
        AttemptId { created_at: self.record.created_at, number: self.record.attempt }
    }

    /// When a completed invocation is forgotten.
    pub fn expires_at(&self) -> Millis {
        self.record.completed_at.saturating_add(self.record.completion_retention_ms)
    }
}

/// What a step makes of a row.
#[derive(Debug)]
struct Row {
    value: Option<Bytes>,
    /// It was not there when the step began.
    fresh: bool,
}

/// One step in the making.
pub struct Tx<'a> {
    /// What does not change.
    pub context: &'a Context<'a>,
    view: &'a dyn View,
    writes: BTreeMap<Bytes, Row>,
    effects: Vec<Effect>,
    local: VecDeque<Message>,
    /// Levels (keys of their rows) below which somebody may run now.
    admissions: BTreeSet<Bytes>,
}

impl<'a> Tx<'a> {
    /// Begins a step.
    pub fn new(view: &'a dyn View, context: &'a Context<'a>) -> Tx<'a> {
        Tx {
            context,
            view,
            writes: BTreeMap::new(),
            effects: Vec::new(),
            local: VecDeque::new(),
            admissions: BTreeSet::new(),
        }
    }

    /// Ends the step.
    pub fn finish(self) -> crate::Step {
        debug_assert!(self.local.is_empty(), "every local message is delivered within its step");
        // A row that came and went within the step never was.
        let left = self.writes.into_iter().filter(|(_, row)| row.value.is_some() || !row.fresh);
        let writes = left.map(|(key, Row { value, fresh })| Write { key, value, fresh });
        crate::Step { writes: writes.collect(), effects: self.effects }
    }

    /// The time of the step.
    pub fn now(&self) -> Millis {
        self.context.now
    }

    /// Adds an effect.
    pub fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Reads a row, own writes included.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        match self.writes.get(key) {
            Some(row) => Ok(row.value.clone()),
            None => Ok(self.view.get(key)?),
        }
    }

    /// Reads rows in key order, own writes included, at most `limit`.
    pub fn scan(
        &self,
        start: &Bytes,
        end: &Bytes,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        if self.writes.range(start.clone()..end.clone()).next().is_none() {
            return Ok(self.view.scan(start, end, limit)?);
        }
        // Own deletes may hide rows of the view, so that many more are read.
        let hidden =
            self.writes.range(start.clone()..end.clone()).filter(|w| w.1.value.is_none()).count();
        let rows = self.view.scan(start, end, limit.saturating_add(hidden))?;
        let mut merged: BTreeMap<Bytes, Bytes> = rows.into_iter().collect();
        for (key, row) in self.writes.range(start.clone()..end.clone()) {
            match &row.value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    /// Writes a row.
    pub fn write(&mut self, key: Bytes, value: Bytes) {
        self.set(key, Some(value), false);
    }

    /// Writes a row that certainly is not there ([`Write::fresh`]).
    pub fn create(&mut self, key: Bytes, value: Bytes) {
        self.set(key, Some(value), true);
    }

    /// Notes that a row certainly is not there, for whoever writes it later in this step.
    pub fn note_absent(&mut self, key: Bytes) {
        self.writes.entry(key).or_insert(Row { value: None, fresh: true });
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: Bytes) {
        self.set(key, None, false);
    }

    /// Sets a row. What was known of it when the step began stays as it is.
    fn set(&mut self, key: Bytes, value: Option<Bytes>, fresh: bool) {
        match self.writes.entry(key) {
            Entry::Occupied(mut row) => row.get_mut().value = value,
            Entry::Vacant(vacant) => drop(vacant.insert(Row { value, fresh })),
        }
    }

    /// Deletes all rows of a range.
    pub fn delete_range(&mut self, range: &(Bytes, Bytes)) -> Result<(), EngineError> {
        for (key, _) in self.scan(&range.0, &range.1, usize::MAX)? {
            self.delete(key);
        }
        Ok(())
    }

    /// Reads a record of the table that `key` belongs to.
    pub fn read<M: prost::Message + Default>(&self, key: &[u8]) -> Result<Option<M>, EngineError> {
        self.get(key)?.map(|value| record::decode(key, &value)).transpose()
    }

    /// Loads an invocation. One whose retention is over is forgotten here and now, so that expiry is
    /// exact when read whatever the cleaner does.
    pub fn load(&mut self, id: InvocationId) -> Result<Option<Invocation>, EngineError> {
        let Some(record) = self.read::<InvocationRecord>(&keys::invocation(id))? else {
            return Ok(None);
        };
        let invocation = Invocation { id, record };
        if crate::retention::is_over(&invocation, self.now()) {
            crate::retention::purge(self, &invocation)?;
            return Ok(None);
        }
        Ok(Some(invocation))
    }

    /// Writes an invocation back.
    pub fn put(&mut self, invocation: &Invocation) {
        self.write(keys::invocation(invocation.id), record::encode(&invocation.record));
    }

    /// Sends a message to an invocation: within this step when it lives in this partition, through
    /// the outbox when it lives in another.
    pub fn send(&mut self, message: Message) -> Result<(), EngineError> {
        let to = partition_of(message.target(), self.context.partitions);
        if to == self.context.partition {
            self.local.push_back(message);
            return Ok(());
        }
        let key = keys::outbox_seq(to);
        let seq = self.read_seq(&key)? + 1;
        self.write(key, Bytes::copy_from_slice(&seq.to_be_bytes()));
        let encoded = message.encode();
        self.create(keys::outbox(to, seq), encoded.clone());
        self.emit(Effect::Send(to, seq, encoded));
        Ok(())
    }

    /// Takes the next message to an invocation of this partition.
    pub fn next_local(&mut self) -> Option<Message> {
        self.local.pop_front()
    }

    /// Remembers to look at the end of the step who may run below a level, named by its row.
    pub fn admit_below(&mut self, level: Bytes) {
        self.admissions.insert(level);
    }

    /// True when that is to be done for a level or one below it.
    pub fn admits_within(&self, level: &Bytes) -> bool {
        let next = self.admissions.range(level.clone()..).next();
        next.is_some_and(|next| next.starts_with(level))
    }

    /// Takes the next level below which somebody may run.
    pub fn next_admission(&mut self) -> Option<Bytes> {
        self.admissions.pop_first()
    }

    /// Reads a sequence number; 0 when there is none yet.
    pub fn read_seq(&self, key: &[u8]) -> Result<u64, EngineError> {
        let Some(value) = self.get(key)? else { return Ok(0) };
        let bytes = value.as_ref().try_into();
        let bytes = bytes.map_err(|_| EngineError::corrupt(key, "not a sequence number"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Reads one entry of a journal that is known to be that long.
    pub fn journal_entry(
        &self,
        id: InvocationId,
        index: u32,
    ) -> Result<record::JournalEntry, EngineError> {
        let key = keys::journal(id, index);
        match self.get(&key)? {
            Some(value) => record::JournalEntry::decode(&key, &value),
            None => Err(EngineError::corrupt(&key, "the journal entry is missing")),
        }
    }

    /// Reads the journal of an invocation from an index on.
    pub fn journal(
        &self,
        invocation: &Invocation,
        from: u32,
    ) -> Result<Vec<record::JournalEntry>, EngineError> {
        let len = invocation.record.journal_len;
        if len.saturating_sub(from) <= POINT_READS_MAX {
            return (from..len).map(|index| self.journal_entry(invocation.id, index)).collect();
        }
        let start = keys::journal(invocation.id, from);
        let end = keys::journal(invocation.id, len);
        let rows = self.scan(&start, &end, usize::MAX)?;
        if rows.len() != (len - from) as usize {
            let detail = format!("the journal has {} of {} entries", rows.len(), len - from);
            return Err(EngineError::corrupt(&start, &detail));
        }
        rows.iter().map(|(key, value)| record::JournalEntry::decode(key, value)).collect()
    }
}

/// Journals up to this length are read entry by entry: a scan has to look into every level of the
/// store before it finds the first row, a read of one row finds most of them in memory.
const POINT_READS_MAX: u32 = 16;

/// Decodes what the SDK sent, for rules that turn a decode error into a failed attempt.
pub fn decode_payload<M: prost::Message + Default>(
    payload: &Bytes,
) -> Result<M, prost::DecodeError> {
    M::decode(payload.clone())
}
