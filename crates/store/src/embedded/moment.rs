//! Reads of the engine as it was at one moment.
//!
//! - Owns: what a snapshot shows.
//! - Invariant: a moment is read only through the opening of the engine it was taken of.

use std::sync::Arc;

use bytes::Bytes;
use fjall::Readable;

use super::engine::{Engine, row_key, translate};
use crate::{PartitionId, StoreError};

/// Length of the partition number in front of a key.
const PREFIX_LENGTH: usize = 2;

/// What the engine held at one moment. While it lives, the engine keeps replaced rows.
pub(super) struct Moment {
    snapshot: fjall::Snapshot,
    opening: Arc<()>,
}

impl Engine {
    /// Takes note of what the engine holds now.
    pub(super) fn moment(&self) -> Moment {
        Moment { snapshot: self.database.snapshot(), opening: Arc::clone(&self.opening) }
    }

    /// Reads a row as it was.
    pub(super) fn get_at(
        &self,
        moment: &Moment,
        partition: PartitionId,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.check(moment)?;
        let value = moment.snapshot.get(&self.rows, row_key(partition, key));
        let value = value.map_err(|error| translate(&self.path, "read", error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Reads rows as they were.
    pub(super) fn scan_at(
        &self,
        moment: &Moment,
        partition: PartitionId,
        (start, end): (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.check(moment)?;
        if start >= end {
            return Ok(Vec::new());
        }
        let range = row_key(partition, start)..row_key(partition, end);
        self.collect(moment.snapshot.range(&self.rows, range).take(limit), PREFIX_LENGTH)
    }

    /// The rows of an engine that was opened anew know nothing of an older moment.
    fn check(&self, moment: &Moment) -> Result<(), StoreError> {
        match Arc::ptr_eq(&self.opening, &moment.opening) {
            true => Ok(()),
            false => Err(StoreError::Poisoned),
        }
    }
}
