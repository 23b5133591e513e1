//! What a partition has written but not yet committed, and has just committed, laid over the store.
//!
//! - Owns: read-your-writes over batches in flight, in order of keys; a bounded memory of recent rows.
//! - Does not own: which keys the state of an object has ([`super::known`]).
//! - Invariant: an uncommitted row is here from the step that writes it until a batch with its latest
//!   value is durable, so reads never go back in time. A recent row is as the store has it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, btree_map::Entry};
use std::mem;

use bytes::Bytes;
use reveille_engine::keys::tag;
use reveille_engine::tx::{View, ViewError};
use reveille_store::{PartitionId, Store};

use super::known::Known;
use crate::limits;

#[derive(Debug)]
struct Row {
    batch: u64,
    value: Option<Bytes>,
}

/// Uncommitted rows by key, each with the batch that carries its latest value, and the most recent
/// of those that are committed.
#[derive(Debug, Default)]
pub struct Overlay {
    rows: BTreeMap<Bytes, Row>,
    recent: Recent,
    /// The keys of state that was read whole. Reads teach it, so it is in a cell.
    states: RefCell<Known>,
}

/// Committed rows, to be found without asking the store. Scans do without them.
///
/// Two generations instead of one order of age: what is old goes all at once, and no row is touched again
/// for the sake of forgetting it.
#[derive(Debug, Default)]
struct Recent {
    young: HashMap<Bytes, Option<Bytes>>,
    /// Those before; of a row that is in both, the young value counts.
    old: HashMap<Bytes, Option<Bytes>>,
    young_bytes: usize,
}

/// What a row takes besides the bytes of its key and value.
const ROW_BYTES: usize = 128;

/// Tables whose rows are written once and read again, if ever, much later or by scans only.
const READ_LATER: [u8; 5] = [tag::TIMER, tag::IN_FLIGHT, tag::WAIT, tag::OUTBOX, tag::QUEUE];

impl Overlay {
    /// Writes a row as part of a batch.
    pub fn write(&mut self, batch: u64, key: Bytes, value: Option<Bytes>) {
        if key.first() == Some(&tag::STATE) {
            self.states.get_mut().follow(&key, value.is_some());
        }
        self.rows.insert(key, Row { batch, value });
    }

    /// Notes that a batch is durable. Its rows need not be here any more; those that are likely to be
    /// read soon stay for a while, so that the steps of one invocation seldom ask the store.
    pub fn committed<'a>(&mut self, batch: u64, keys: impl Iterator<Item = &'a Bytes>) {
        for key in keys {
            let Entry::Occupied(row) = self.rows.entry(key.clone()) else { continue };
            if row.get().batch != batch {
                continue;
            }
            let (key, row) = row.remove_entry();
            if key.first().is_some_and(|tag| !READ_LATER.contains(tag)) {
                self.recent.add(key, row.value);
            }
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(key).map(|row| &row.value).or_else(|| self.recent.get(key))
    }

    /// Number of rows in memory, uncommitted and recent.
    pub fn len(&self) -> usize {
        self.rows.len() + self.recent.young.len() + self.recent.old.len()
    }

    /// True when nothing is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything: the batches in flight were refused.
    pub fn clear(&mut self) {
        *self = Overlay::default();
    }
}

impl Recent {
    fn add(&mut self, key: Bytes, value: Option<Bytes>) {
        self.young_bytes += ROW_BYTES + key.len() + value.as_ref().map_or(0, Bytes::len);
        self.young.insert(key, value);
        if self.young_bytes > limits::RECENT_ROWS_BYTES / 2 {
            mem::swap(&mut self.young, &mut self.old);
            // Its room is used again.
            self.young.clear();
            self.young_bytes = 0;
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.young.get(key).or_else(|| self.old.get(key))
    }
}

/// What the engine reads: the overlay, then the store.
pub struct PartitionView<'a> {
    /// Uncommitted and recent rows.
    pub overlay: &'a Overlay,
    /// Committed rows.
    pub store: &'a dyn Store,
    /// The partition.
    pub partition: PartitionId,
}

impl View for PartitionView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        match self.overlay.get(key) {
            Some(value) => Ok(value.clone()),
            None => {
                self.store.get(self.partition, key).map_err(|error| ViewError(error.to_string()))
            }
        }
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ViewError> {
        if start >= end {
            return Ok(Vec::new());
        }
        if limit < usize::MAX || start.first() != Some(&tag::STATE) {
            return self.merge(start, end, limit);
        }
        if let Some(keys) = self.overlay.states.borrow().keys(start, end) {
            let row = |key: &Bytes| Ok(self.get(key)?.map(|value| (key.clone(), value)));
            return keys.iter().filter_map(|key| row(key).transpose()).collect();
        }
        let rows = self.merge(start, end, limit)?;
        let keys = rows.iter().map(|(key, _)| key.clone());
        self.overlay.states.borrow_mut().learn(start, end, keys);
        Ok(rows)
    }
}

impl PartitionView<'_> {
    /// Reads rows of overlay and store side by side.
    fn merge(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ViewError> {
        let range = || {
            let bounds = (std::ops::Bound::Included(start), std::ops::Bound::Excluded(end));
            self.overlay.rows.range::<[u8], _>(bounds)
        };
        // Rows deleted in the overlay may hide rows of the store, so that many more are read.
        let hidden = range().filter(|(_, row)| row.value.is_none()).count();
        let stored = self
            .store
            .scan(self.partition, start, end, limit.saturating_add(hidden))
            .map_err(|error| ViewError(error.to_string()))?;
        let mut over = range().peekable();
        if over.peek().is_none() {
            return Ok(stored);
        }
        let mut merged = Vec::with_capacity(stored.len());
        let mut stored = stored.into_iter().peekable();
        while merged.len() < limit {
            let from_overlay = match (stored.peek(), over.peek()) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((key, _)), Some((over_key, _))) => *over_key <= key,
            };
            if !from_overlay {
                merged.extend(stored.next());
                continue;
            }
            let Some((key, row)) = over.next() else { break };
            if stored.peek().is_some_and(|(stored_key, _)| stored_key == key) {
                stored.next();
            }
            if let Some(value) = &row.value {
                merged.push((key.clone(), value.clone()));
            }
        }
        Ok(merged)
    }
}
