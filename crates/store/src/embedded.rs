//! A store in a directory of one machine, on the log-structured engine fjall.
//!
//! ```text
//! reveille.lock   held while open; names the process that has the directory
//! format          format version and number of partitions
//! acked           number of the last acknowledged group of commits
//! reserve         space given back when the disk is full, so that the engine can be reopened
//! store/          the engine's journals and tables
//! ```
//!
//! - Owns: the directory, its lock, the engine and its threads (two).
//! - Does not own: the thread that waits for the disk. Every `commit` with something to write ends
//!   in one `fdatasync`, however many partitions it holds.
//! - Invariant: `open` either has every acknowledged row or fails; it never starts from less. The
//!   engine cuts a damaged journal short without a word and does not check its lists of tables, so
//!   both are checked before it sees them (`journal_check`, `manifest_check`), and what it
//!   recovered is compared with `acked`.
//! - Start at [`EmbeddedStore::open`] and at `writer::Writer::commit`.
//!
//! A full disk makes `commit` and `acquire` answer `Full`; nothing was written, reads go on, and the
//! store goes on by itself once there is space. After any other failed write the store answers
//! `Poisoned` for good: what the disk holds is unknown until it is read again, so drop the store
//! and open it anew (a new process is best: the page cache may show what the disk does not have).

mod acked;
mod directory;
mod engine;
mod journal_check;
mod manifest_check;
mod moment;
mod reserve;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;

use crate::{Commit, Lease, PARTITIONS_MAX, PartitionId, Snapshot, Store, StoreError, Usage};
use engine::Engine;
use moment::Moment;
use writer::Writer;

/// The most bytes of journals before the engine writes tables so that it can drop the oldest.
/// It bounds the time of `open`: about one second for each 100 MB.
const JOURNAL_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The engine's threads: one flushes while the other compacts.
const WORKER_THREADS: usize = 2;

/// The most table files that are kept open.
const OPEN_FILES_MAX: usize = 256;

/// Sets up an embedded store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How many partitions a new store gets, `1..=PARTITIONS_MAX`; values outside are moved to the
    /// nearest bound. An existing store keeps its own number.
    pub partitions_new: u16,
    /// The bytes of table blocks that are kept in memory. They fill up as they are read.
    pub cache_bytes: u64,
    /// The bytes of rows that are gathered in memory before a table is written. A store keeps the
    /// value it was created with.
    pub write_buffer_bytes_new: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> EmbeddedOptions {
        EmbeddedOptions {
            partitions_new: 16,
            cache_bytes: 32 * 1024 * 1024,
            write_buffer_bytes_new: 8 * 1024 * 1024,
        }
    }
}

/// Keeps partitions in a directory. One process at a time has it open.
///
/// Dropping the store closes the engine and releases the lock; [`EmbeddedStore::close`] also says
/// whether that went well.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Fields drop in this order: the lock goes last, when nothing touches the directory any more.
    writer: Mutex<Writer>,
    engine: Arc<RwLock<Option<Engine>>>,
    partition_count: u16,
    _lock: directory::Lock,
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
        let options = EmbeddedOptions {
            partitions_new: options.partitions_new.clamp(1, PARTITIONS_MAX),
            ..options
        };
        let lock = directory::Lock::acquire(path)?;
        let format = directory::prepare(path, options.partitions_new)?;
        let engine = Arc::new(RwLock::new(None));
        let writer = Writer::open(path, options, format, Arc::clone(&engine))?;
        directory::finish(path, format)?;
        Ok(EmbeddedStore {
            writer: Mutex::new(writer),
            engine,
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
            writer.fail();
            writer
        })
    }

    fn read<T>(
        &self,
        partition: PartitionId,
        reads: impl FnOnce(&Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        partition.check(self.partition_count)?;
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        reads(engine.as_ref().ok_or(StoreError::Poisoned)?)
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
        self.read(partition, |engine| engine.get(partition, key))
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.read(partition, |engine| engine.scan(partition, start, end, limit))
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }

    fn usage(&self) -> Option<Usage> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.as_ref()?.usage()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let moment = self.read(PartitionId::META, |engine| Ok(engine.moment()))?;
        let (engine, partition_count) = (Arc::clone(&self.engine), self.partition_count);
        Ok(Arc::new(EmbeddedSnapshot { moment, engine, partition_count }))
    }
}

/// A moment of the engine. It does not keep the engine open: after a full disk the engine is opened
/// anew, and what this shows is gone then.
struct EmbeddedSnapshot {
    moment: Moment,
    engine: Arc<RwLock<Option<Engine>>>,
    partition_count: u16,
}

impl EmbeddedSnapshot {
    fn read<T>(
        &self,
        partition: PartitionId,
        reads: impl FnOnce(&Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        partition.check(self.partition_count)?;
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        reads(engine.as_ref().ok_or(StoreError::Poisoned)?)
    }
}

impl Snapshot for EmbeddedSnapshot {
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read(partition, |engine| engine.get_at(&self.moment, partition, key))
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.read(partition, |engine| engine.scan_at(&self.moment, partition, (start, end), limit))
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }
}
