//! Buffers over tables: what the store holds, newest rows first.
//!
//! ```text
//! the buffer that takes rows
//! sealed buffers, up to four
//! tables
//! ```
//! - Owns: the buffers, how reads go through all layers, and how a buffer gives way to its table.
//! - Does not own: when a buffer is sealed (`writer`) and written (`worker`).
//! - Invariant: a read sees each commit whole or not at all, and no row twice or in no layer, whatever
//!   moves down meanwhile: it looks at the buffers and pins the tables under one lock, and under that
//!   lock a buffer goes only when its table is seen.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use super::{
    buffer::{self, Buffer},
    log::{self, Malformed},
    rows::INTERNAL,
    tables::Tables,
    visible::Pin,
};
use crate::{PartitionId, StoreError, Write, lay_over};

/// The layers of an open store.
pub(super) struct Layers {
    pub(super) tables: Tables,
    /// Locked before what is visible in the tables.
    buffers: RwLock<Buffers>,
}

#[derive(Debug, Clone, Default)]
struct Buffers {
    active: Buffer,
    /// Oldest first.
    sealed: VecDeque<Arc<Buffer>>,
}

impl Buffers {
    fn newest_first(&self) -> impl Iterator<Item = &Buffer> {
        std::iter::once(&self.active).chain(self.sealed.iter().rev().map(Arc::as_ref))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl Layers {
    /// Starts with tables only.
    pub(super) fn new(tables: Tables) -> Layers {
        Layers { tables, buffers: RwLock::default() }
    }

    /// Takes the rows of a group of commits, and the heads that it leads to.
    pub(super) fn add<'a>(
        &self,
        number: u64,
        commits: impl Iterator<Item = (PartitionId, &'a [Write])>,
        heads: &[Write],
    ) {
        let mut buffers = self.buffers_mut();
        for (partition, writes) in commits {
            buffers.active.add(number, partition, writes);
        }
        buffers.active.add(number, INTERNAL, heads);
    }

    /// Takes the rows of a record of the log.
    pub(super) fn add_record(&self, number: u64, payload: &[u8]) -> Result<(), Malformed> {
        let mut buffers = self.buffers_mut();
        for row in log::rows(payload) {
            let (key, value) = row?;
            buffers.active.add_row(number, key, value).ok_or(Malformed)?;
        }
        Ok(())
    }

    /// The bytes of rows in the buffer that takes them.
    pub(super) fn active_bytes(&self) -> u64 {
        self.buffers().active.bytes() as u64
    }

    /// The bytes of rows in all buffers.
    pub(super) fn bytes(&self) -> u64 {
        self.buffers().newest_first().map(|buffer| buffer.bytes() as u64).sum()
    }

    /// Seals the buffer that takes rows; they go to a new one from then on.
    pub(super) fn seal(&self) -> Arc<Buffer> {
        let mut buffers = self.buffers_mut();
        let sealed = Arc::new(std::mem::take(&mut buffers.active));
        buffers.sealed.push_back(Arc::clone(&sealed));
        sealed
    }

    /// Writes the oldest sealed buffer as a table, which takes its place.
    pub(super) fn flush(&self, oldest: &Buffer) -> Result<(), StoreError> {
        self.tables.flush(oldest.table_rows())?;
        let mut buffers = self.buffers_mut();
        self.tables.visible.advance();
        let flushed = buffers.sealed.pop_front();
        drop(buffers);
        // The last reference, mostly: not under the lock.
        drop(flushed);
        Ok(())
    }

    /// Reads a row.
    pub(super) fn get(
        &self,
        partition: PartitionId,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.tables.check_open()?;
        let pin = {
            let buffers = self.buffers();
            if let Some(value) = buffer::get(buffers.newest_first(), partition, key) {
                return Ok(value.clone());
            }
            self.tables.visible.pin()
        };
        self.tables.get(&pin, partition, key)
    }

    /// Reads the rows with `start <= key < end` in key order, at most `limit` of them.
    pub(super) fn scan(
        &self,
        partition: PartitionId,
        range: (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let (buffered, pin) = {
            let buffers = self.buffers();
            let rows = buffer::scan(buffers.newest_first(), partition, range, limit);
            (rows, self.tables.visible.pin())
        };
        self.scan_below(buffered, &pin, partition, range, limit)
    }

    /// Keeps what reads see now.
    pub(super) fn snapshot(self: &Arc<Layers>) -> LayersSnapshot {
        let buffers = self.buffers();
        let (pin, buffers) = (self.tables.visible.pin(), buffers.clone());
        LayersSnapshot { buffers, pin, layers: Arc::clone(self) }
    }

    fn scan_below(
        &self,
        buffered: Vec<(Bytes, Option<Bytes>)>,
        pin: &Pin,
        partition: PartitionId,
        range: (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let hidden = buffered.iter().filter(|(_, value)| value.is_none()).count();
        let limit_below = limit.saturating_add(hidden);
        let below = self.tables.scan(pin, partition, range, limit_below)?;
        Ok(lay_over(buffered, below, limit))
    }

    fn buffers(&self) -> RwLockReadGuard<'_, Buffers> {
        self.buffers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffers_mut(&self) -> RwLockWriteGuard<'_, Buffers> {
        // A commit that panics stops the writer, and with it all reads.
        self.buffers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layers at one moment: a copy of the buffer that takes rows, and what is below it as it was.
pub(super) struct LayersSnapshot {
    buffers: Buffers,
    pin: Pin,
    layers: Arc<Layers>,
}

impl LayersSnapshot {
    /// Reads a row.
    pub(super) fn get(
        &self,
        partition: PartitionId,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.layers.tables.check_open()?;
        match buffer::get(self.buffers.newest_first(), partition, key) {
            Some(value) => Ok(value.clone()),
            None => self.layers.tables.get(&self.pin, partition, key),
        }
    }

    /// Reads rows like [`Layers::scan`].
    pub(super) fn scan(
        &self,
        partition: PartitionId,
        range: (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let buffered = buffer::scan(self.buffers.newest_first(), partition, range, limit);
        self.layers.scan_below(buffered, &self.pin, partition, range, limit)
    }
}
