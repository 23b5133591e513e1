//! What a partition has written but not yet committed, laid over the store.
//!
//! - Owns: read-your-writes over batches in flight, in order of keys.
//! - Does not own: which keys the state of an object has ([`super::known`]); recent rows, which the store
//!   has in memory.
//! - Invariant: an uncommitted row is here from the step that writes it until a batch with its latest
//!   value is durable, so reads never go back in time.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map::Entry};

use bytes::Bytes;
use reveille_engine::keys::tag;
use reveille_engine::tx::{View, ViewError};
use reveille_store::{PartitionId, Store, lay_over};

use super::known::Known;

#[derive(Debug)]
struct Row {
    batch: u64,
    value: Option<Bytes>,
}

/// Uncommitted rows by key, each with the batch that carries its latest value.
#[derive(Debug, Default)]
pub struct Overlay {
    rows: BTreeMap<Bytes, Row>,
    /// The keys of state that was read whole. Reads teach it, so it is in a cell.
    states: RefCell<Known>,
}

impl Overlay {
    /// Writes a row as part of a batch.
    pub fn write(&mut self, batch: u64, key: Bytes, value: Option<Bytes>) {
        if key.first() == Some(&tag::STATE) {
            self.states.get_mut().follow(&key, value.is_some());
        }
        self.rows.insert(key, Row { batch, value });
    }

    /// Notes that a batch is durable. Its rows need not be here any more: the store has them.
    pub fn committed<'a>(&mut self, batch: u64, keys: impl Iterator<Item = &'a Bytes>) {
        for key in keys {
            if let Entry::Occupied(row) = self.rows.entry(key.clone())
                && row.get().batch == batch
            {
                row.remove();
            }
        }
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(key).map(|row| &row.value)
    }

    /// Forgets everything: the batches in flight were refused.
    pub fn clear(&mut self) {
        *self = Overlay::default();
    }
}

/// What the engine reads: the overlay, then the store.
pub struct PartitionView<'a> {
    /// Uncommitted rows.
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
        Ok(lay_over(range().map(|(key, row)| (key.clone(), row.value.clone())), stored, limit))
    }
}
