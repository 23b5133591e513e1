//! The tables: sorted rows on disk, a tree of the crate `lsm-tree`. Its memtables stay empty.
//!
//! - Owns: the settings of the tree, the translation of its errors, writing and merging tables.
//! - Does not own: the log, newer rows (`layers`), when to write (`worker`), the layout of keys (`rows`).
//! - Invariant: rows of a commit have its number as sequence number, so the tables say themselves how
//!   far they reach. Numbers of commits and of versions of the tree come from one counter: a version is
//!   newer than every commit that was let in before, and older than those that come.
//!
//! Versions that reads may need are kept until the watermark has passed them; see `visible`.

mod leftovers;

use std::{
    any::Any,
    fmt, io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use lsm_tree::{
    AbstractTree, AnyTree, Cache, Config, DescriptorTable, Guard, InternalValue,
    SequenceNumberCounter, Tree,
    compaction::Leveled,
    config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, RestartIntervalPolicy},
};

use super::{
    directory::{TABLES, damaged, failed, is_full, sync_directory},
    rows::{INTERNAL, PREFIX_BYTES, row_key},
    visible::{Pin, Visible},
};
use crate::{PartitionId, StoreError};

/// The most table files that are kept open.
const OPEN_FILES_MAX: usize = 256;

/// How many runs are written before they are merged. A scan looks into each of them.
const RUNS_MERGED: u8 = 8;

/// The length of a table that merging writes.
const TABLE_BYTES: u64 = 8 * 1024 * 1024;

/// The open tables.
pub(super) struct Tables {
    tree: Tree,
    path: PathBuf,
    pub(super) visible: Arc<Visible>,
    strategy: Arc<Leveled>,
    /// Held shared while tables are written, alone while leftovers are removed.
    writing: RwLock<()>,
    /// Reads are refused: a write failed, or the store was closed.
    closed: AtomicBool,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Tables {
    /// Opens the tables of a store directory, or creates them if `create` is set.
    pub(super) fn open(root: &Path, cache_bytes: u64, create: bool) -> Result<Tables, StoreError> {
        let path = root.join(TABLES);
        let visible = Arc::<Visible>::default();
        let config = configure(&path, cache_bytes, visible.numbers());
        let opened = panic::catch_unwind(AssertUnwindSafe(|| config.open()));
        let tree = match opened {
            Ok(Ok(AnyTree::Standard(tree))) => tree,
            Ok(Ok(AnyTree::Blob(_))) => return Err(damaged(&path, "its kind is another")),
            Ok(Err(error)) => return Err(translate(&path, "open", error)),
            Err(panic) => return Err(damaged(&path, &panic_text(panic.as_ref()))),
        };
        if create {
            sync_directory(root)?;
        }
        Ok(Tables {
            tree,
            path,
            visible,
            strategy: Arc::new(strategy()),
            writing: RwLock::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// Returns the number of the last commit whose rows are in tables on disk; zero if there is none.
    pub(super) fn persisted(&self) -> u64 {
        self.tree.get_highest_persisted_seqno().unwrap_or(0)
    }

    /// Returns how many sorted runs wait to be merged into the deeper levels.
    pub(super) fn waiting_runs(&self) -> usize {
        self.tree.l0_run_count()
    }

    /// Writes rows, in the order of their keys, as tables that are newer than all others.
    pub(super) fn flush(
        &self,
        rows: impl Iterator<Item = InternalValue>,
    ) -> Result<(), StoreError> {
        self.write(|| {
            if let Some((tables, _)) = self.tree.flush_to_tables(rows.map(Ok))? {
                let watermark = self.visible.watermark();
                self.tree.register_tables(&tables, None, None, &[], watermark)?;
            }
            Ok(())
        })
    }

    /// Merges tables where that is due; says whether anything was.
    pub(super) fn compact(&self) -> Result<bool, StoreError> {
        self.write(|| {
            let before = self.tree.current_version().id();
            self.tree.compact(Arc::clone(&self.strategy) as _, self.visible.watermark())?;
            Ok(self.tree.current_version().id() != before)
        })
    }

    /// Gives up the files and the memory of versions that no read needs any more.
    pub(super) fn release(&self) -> Result<(), StoreError> {
        self.visible.advance();
        let watermark = self.visible.watermark();
        let released = self.tree.get_version_history_lock().maintenance(&self.path, watermark);
        released.map_err(|error| translate(&self.path, "write", error))
    }

    /// Returns the bytes of the tables on disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.tree.disk_space()
    }

    /// Refuses reads from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Says whether reads are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Reads a row, newer ones aside.
    pub(super) fn get(
        &self,
        pin: &Pin,
        partition: PartitionId,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.check_open()?;
        let value = self.tree.get(row_key(partition, key), pin.at());
        let value = value.map_err(|error| translate(&self.path, "read", error))?;
        // Copied, because the slice would keep its whole block in memory.
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Reads the rows with `start <= key < end` in key order, at most `limit` of them, newer ones aside.
    pub(super) fn scan(
        &self,
        pin: &Pin,
        partition: PartitionId,
        (start, end): (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.check_open()?;
        let mut found = Vec::new();
        if start >= end {
            return Ok(found);
        }
        let range = row_key(partition, start)..row_key(partition, end);
        for row in self.tree.range(range, pin.at(), None).take(limit) {
            let row = row.into_inner();
            let (key, value) = row.map_err(|error| translate(&self.path, "read", error))?;
            let key = key.get(PREFIX_BYTES..).unwrap_or_default();
            found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(&value)));
        }
        Ok(found)
    }

    /// Describes a row of the store's own that is not as it was written.
    pub(super) fn damaged_row(&self, what: &str) -> StoreError {
        damaged(&self.path, &format!("{what} in {INTERNAL}"))
    }

    /// Fails if reads are refused.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        match self.is_closed() {
            true => Err(StoreError::Poisoned),
            false => Ok(()),
        }
    }

    /// Runs a step that writes tables, and removes what it leaves behind if the disk is full.
    fn write<T>(&self, step: impl FnOnce() -> lsm_tree::Result<T>) -> Result<T, StoreError> {
        let table_before = self.tree.next_table_id();
        let outcome = {
            let _shared = self.writing.read();
            step().map_err(|error| translate(&self.path, "write", error))
        };
        if let Err(StoreError::Full) = outcome {
            let _alone = self.writing.write();
            leftovers::remove(&self.tree, &self.path, table_before)?;
        }
        outcome
    }
}

/// Merging waits for some more runs than usual, into a first level that is about as large as these are
/// together: half of the bytes that are merged otherwise (measured: `docs/adr/0016-own-write-buffer.md`).
fn strategy() -> Leveled {
    Leveled::default().with_l0_threshold(RUNS_MERGED).with_table_target_size(TABLE_BYTES)
}

fn configure(path: &Path, cache_bytes: u64, numbers: SequenceNumberCounter) -> Config {
    // What versions make visible is of no interest: reads name their number.
    Config::new(path, numbers, SequenceNumberCounter::default())
        .use_cache(Arc::new(Cache::with_capacity_bytes(cache_bytes)))
        .use_descriptor_table(Some(Arc::new(DescriptorTable::new(OPEN_FILES_MAX))))
        .data_block_restart_interval_policy(RestartIntervalPolicy::new([10, 16]))
        .filter_policy(FilterPolicy::new([
            FilterPolicyEntry::Bloom(BloomConstructionPolicy::FalsePositiveRate(0.0001)),
            FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0)),
        ]))
}

/// Turns an error of the tree into ours. What is not an answer of the operating system about access
/// or space means that the files are not what was written.
fn translate(path: &Path, action: &'static str, error: lsm_tree::Error) -> StoreError {
    match error {
        lsm_tree::Error::Io(error) if is_full(&error) || !is_content(&error) => {
            failed(action, path)(error)
        }
        error => damaged(path, &error.to_string()),
    }
}

/// Says whether an error is about what a file holds: cut short, not there, not as it should be.
fn is_content(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};
    matches!(
        error.kind(),
        NotFound | UnexpectedEof | InvalidData | InvalidInput | AlreadyExists | Other
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
