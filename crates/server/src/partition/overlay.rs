//! What a partition has written but not yet committed, laid over the store.
//!
//! - Owns: read-your-writes over batches in flight.
//! - Invariant: a row is in the overlay from the step that writes it until a batch with its latest
//!   value is durable, so reads never go back in time.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_engine::tx::{View, ViewError};
use reveille_store::{PartitionId, Store};

#[derive(Debug)]
struct Row {
    batch: u64,
    value: Option<Bytes>,
}

/// Uncommitted rows by key, each with the batch that carries its latest value.
#[derive(Debug, Default)]
pub struct Overlay {
    rows: BTreeMap<Bytes, Row>,
}

impl Overlay {
    /// Writes a row as part of a batch.
    pub fn write(&mut self, batch: u64, key: Bytes, value: Option<Bytes>) {
        self.rows.insert(key, Row { batch, value });
    }

    /// Forgets the rows of a batch that is durable, unless a later batch wrote them again.
    pub fn forget<'a>(&mut self, batch: u64, keys: impl Iterator<Item = &'a Bytes>) {
        for key in keys {
            if self.rows.get(key).is_some_and(|row| row.batch == batch) {
                self.rows.remove(key);
            }
        }
    }

    /// Forgets everything: the batches in flight were refused.
    pub fn clear(&mut self) {
        self.rows.clear();
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
        match self.overlay.rows.get(key) {
            Some(row) => Ok(row.value.clone()),
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
