//! A store in a directory of one machine: a log of its own, and tables of the crate `lsm-tree`.
//!
//! ```text
//! reveille.lock   held while open; names the process that has the directory
//! format          format version and number of partitions
//! acked           number of the last acknowledged group of commits
//! log/            the log: commits as they came, until the tables have them
//! tables/         sorted rows
//! ```
//!
//! - Owns: the directory, its lock, its threads (three, of which one only syncs `acked`).
//! - Does not own: the thread that waits for the disk. Every `commit` with something to write ends
//!   in one `fdatasync`, however many partitions it holds.
//! - Invariant: `open` either has every acknowledged row or fails; it never starts from less. Records
//!   of the log are checksummed and name the one before; the tables have checksums, and their list is
//!   checked before they are opened (`manifest_check`); what was found is compared with `acked`.
//! - Start at [`EmbeddedStore::open`] and at `writer::Writer::commit`.
//!
//! `open` reads as much of the log as there are rows in memory only: that takes the same time
//! however much there is in the tables.
//!
//! A full disk makes `commit` and `acquire` answer `Full`; nothing was written, reads go on, and the
//! store goes on by itself once there is space. After any other failed write the store answers
//! `Poisoned` for good: what the disk holds is unknown until it is read again, so drop the store
//! and open it anew (a new process is best: the page cache may show what the disk does not have).

mod acked;
mod buffer;
mod directory;
mod layers;
mod log;
mod manifest_check;
mod rows;
mod tables;
#[cfg(test)]
mod tests;
mod visible;
mod worker;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;

use crate::{Commit, Lease, PARTITIONS_MAX, PartitionId, Snapshot, Store, StoreError, Usage};
use layers::{Layers, LayersSnapshot};
use log::Segments;
use tables::Tables;
use worker::{Backlog, Workers};
use writer::Writer;

/// Sets up an embedded store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How many partitions a new store gets, `1..=PARTITIONS_MAX`; values outside are moved to the
    /// nearest bound. An existing store keeps its own number.
    pub partitions_new: u16,
    /// The bytes of table blocks that are kept in memory. They fill up as they are read.
    pub cache_bytes: u64,
    /// The bytes of rows that are gathered in memory before a table is written. Up to four times as
    /// much again may wait for the disk; the log is as long.
    pub write_buffer_bytes: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> EmbeddedOptions {
        EmbeddedOptions {
            partitions_new: 16,
            cache_bytes: 32 * 1024 * 1024,
            write_buffer_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Keeps partitions in a directory. One process at a time has it open.
///
/// Dropping the store ends its threads and releases the lock; [`EmbeddedStore::close`] also says
/// whether that went well.
pub struct EmbeddedStore {
    // Fields drop in this order: the lock goes last, when nothing writes to the directory any more.
    writer: Mutex<Writer>,
    _workers: Workers,
    layers: Arc<Layers>,
    segments: Arc<Segments>,
    partition_count: u16,
    _lock: directory::Lock,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("layers", &self.layers).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in a directory, or creates it there. Missing directories are created.
    ///
    /// Fails with `Locked` while another store has the directory open, with `Corrupt` if anything
    /// acknowledged is missing or unreadable (the directory is then left as it was found), with
    /// `Version` if another version wrote it, and with `Full` if there is no space to create it.
    pub fn open(
        path: impl AsRef<Path>,
        options: EmbeddedOptions,
    ) -> Result<EmbeddedStore, StoreError> {
        let path = path.as_ref();
        let partitions_new = options.partitions_new.clamp(1, PARTITIONS_MAX);
        let lock = directory::Lock::acquire(path)?;
        let format = directory::prepare(path, partitions_new)?;
        if format.ready {
            manifest_check::check(path)?;
        }
        let tables = Tables::open(path, options.cache_bytes, !format.ready)?;
        let layers = Arc::new(Layers::new(tables));
        let backlog = Arc::new(Backlog::default());
        let shared = (Arc::clone(&layers), Arc::clone(&backlog));
        let writer = Writer::open(path, options, format, shared)?;
        directory::finish(path, format)?;
        let segments = writer.segments();
        Ok(EmbeddedStore {
            writer: Mutex::new(writer),
            _workers: Workers::start(backlog, &layers, &segments)?,
            layers,
            segments,
            partition_count: format.partition_count,
            _lock: lock,
        })
    }

    /// Closes the store. Everything acknowledged is durable before, with or without this call.
    pub fn close(self) -> Result<(), StoreError> {
        self.writer().close()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // A panic inside a commit leaves it unknown what was written.
            let mut writer = poisoned.into_inner();
            writer.stop();
            writer
        })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // Snapshots may outlive the store, and the directory may be another's then.
        self.layers.tables.close();
    }
}

impl Store for EmbeddedStore {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        partition.check(self.partition_count)?;
        self.writer().acquire(partition)
    }

    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        self.writer().commit(commits)
    }

    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        partition.check(self.partition_count)?;
        self.layers.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        partition.check(self.partition_count)?;
        self.layers.scan(partition, (start, end), limit)
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }

    fn usage(&self) -> Option<Usage> {
        let journal_bytes = self.segments.disk_bytes()?;
        Some(Usage {
            disk_bytes: self.layers.tables.disk_bytes() + journal_bytes,
            journal_bytes,
            write_buffer_bytes: self.layers.bytes(),
        })
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let (layers, partition_count) = (self.layers.snapshot(), self.partition_count);
        Ok(Arc::new(EmbeddedSnapshot { layers, partition_count }))
    }
}

/// The store at one moment. It answers `Poisoned` once the store was dropped.
struct EmbeddedSnapshot {
    layers: LayersSnapshot,
    partition_count: u16,
}

impl Snapshot for EmbeddedSnapshot {
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        partition.check(self.partition_count)?;
        self.layers.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        partition.check(self.partition_count)?;
        self.layers.scan(partition, (start, end), limit)
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }
}
