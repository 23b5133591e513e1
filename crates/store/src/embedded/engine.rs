//! Translates partitions, heads and the commit number into rows of the engine.
//!
//! One keyspace holds everything; the number is big endian, so a partition's rows lie together:
//!
//! ```text
//! partition (2) ‖ key              -> value
//! 0xFFFE ‖ 'c'                     -> commit number (8), floor of the engine's seqno (8)
//! 0xFFFE ‖ 'h' ‖ partition (2)     -> epoch (8), sequence number (8)
//! ```
//!
//! - Owns: key layout, the engine's settings, the translation of its errors.
//! - Does not own: which commits are let in (`writer`).
//! - Invariant: every write holds the commit number and the heads of its partitions in the same
//!   atomic batch as the rows.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt, io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{
    EmbeddedOptions, JOURNAL_BYTES_MAX, OPEN_FILES_MAX, WORKER_THREADS,
    directory::{STORE, is_full},
};
use crate::{Batch, Epoch, Head, PartitionId, StoreError, Usage};

const KEYSPACE: &str = "rows";
const INTERNAL: u16 = 0xFFFE;
const KIND_COMMIT: u8 = b'c';
const KIND_HEAD: u8 = b'h';

/// The key of the row with the commit number.
pub(super) const COMMIT_KEY: [u8; 3] = [0xFF, 0xFE, KIND_COMMIT];

/// The open engine.
pub(super) struct Engine {
    pub(super) rows: Keyspace,
    pub(super) database: Database,
    /// Tells this opening of the engine from others.
    pub(super) opening: Arc<()>,
    pub(super) path: PathBuf,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a write adds: the last value of each row, and the new heads.
#[derive(Debug, Default)]
pub(super) struct Group {
    rows: BTreeMap<Vec<u8>, Option<Bytes>>,
    pub(super) heads: BTreeMap<PartitionId, Head>,
}

impl Group {
    /// Adds a batch; its writes win over what the group already has.
    pub(super) fn add(&mut self, partition: PartitionId, batch: &Batch) {
        for (key, value) in &batch.writes {
            self.rows.insert(row_key(partition, key), value.clone());
        }
    }
}

/// Why a write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteFailure {
    /// The disk was full; what of the write is in the journal is unknown.
    Full,
    /// The engine's threads failed earlier. Nothing of this write is in the journal.
    Stopped,
    /// Anything else; what of the write is on disk is unknown.
    Unknown,
}

impl Engine {
    /// Opens the engine of a store directory, or creates it if `create` is set.
    pub(super) fn open(
        directory: &Path,
        options: EmbeddedOptions,
        create: bool,
    ) -> Result<Engine, StoreError> {
        let path = directory.join(STORE);
        let opened = panic::catch_unwind(AssertUnwindSafe(|| {
            let database = Database::builder(&path)
                .cache_size(options.cache_bytes)
                .worker_threads(WORKER_THREADS)
                .max_journaling_size(JOURNAL_BYTES_MAX)
                .max_cached_files(Some(OPEN_FILES_MAX))
                .open()?;
            if !create && !database.keyspace_exists(KEYSPACE) {
                return Ok((database, None));
            }
            let rows = database.keyspace(KEYSPACE, || {
                KeyspaceCreateOptions::default().max_memtable_size(options.write_buffer_bytes_new)
            })?;
            Ok((database, Some(rows)))
        }));
        match opened {
            Ok(Ok((database, Some(rows)))) => {
                Ok(Engine { rows, database, opening: Arc::default(), path })
            }
            Ok(Ok((_, None))) => Err(damaged(&path, "its table of rows is missing")),
            Ok(Err(error)) => Err(translate(&path, "open", error)),
            Err(panic) => Err(damaged(&path, &panic_text(panic.as_ref()))),
        }
    }

    /// Returns the number of the last committed group; zero if there never was one.
    pub(super) fn commit_number(&self) -> Result<u64, StoreError> {
        let Some(value) = self.read(&COMMIT_KEY)? else {
            return Ok(0);
        };
        Ok(decode_pair(&value).ok_or_else(|| damaged(&self.path, "its commit number"))?.0)
    }

    /// Returns the heads of all partitions that ever had an owner.
    pub(super) fn heads(&self) -> Result<BTreeMap<PartitionId, Head>, StoreError> {
        let (start, end) = (internal_key(KIND_HEAD), internal_key(KIND_HEAD + 1));
        let mut heads = BTreeMap::new();
        for (key, value) in self.range(start, end, usize::MAX)? {
            let partition =
                key.first_chunk().map(|number| PartitionId(u16::from_be_bytes(*number)));
            let (Some(partition), Some((epoch, seq))) = (partition, decode_pair(&value)) else {
                return Err(damaged(&self.path, "the head of a partition"));
            };
            heads.insert(partition, Head { epoch: Epoch(epoch), seq });
        }
        Ok(heads)
    }

    /// Writes a group as commit `number` in one atomic batch, and returns when it is durable.
    pub(super) fn write(&self, group: Group, number: u64) -> Result<(), WriteFailure> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in group.rows {
            match value {
                Some(value) => batch.insert(&self.rows, key, &value[..]),
                None => batch.remove(&self.rows, key),
            }
        }
        for (partition, head) in group.heads {
            let mut key = internal_key(KIND_HEAD);
            key.extend(partition.0.to_be_bytes());
            batch.insert(&self.rows, key, encode_pair(head.epoch.0, head.seq));
        }
        let seqno_floor = self.database.seqno();
        batch.insert(&self.rows, COMMIT_KEY, encode_pair(number, seqno_floor));
        batch.commit().map_err(|error| match error {
            fjall::Error::Poisoned => WriteFailure::Stopped,
            error if is_full_engine(&error) => WriteFailure::Full,
            _ => WriteFailure::Unknown,
        })
    }

    /// Returns what the engine counts; `None` when it cannot tell.
    pub(super) fn usage(&self) -> Option<Usage> {
        Some(Usage {
            disk_bytes: self.database.disk_space().ok()?,
            journal_bytes: self.database.journal_disk_space().ok()?,
            write_buffer_bytes: self.database.write_buffer_size(),
        })
    }

    pub(super) fn get(
        &self,
        partition: PartitionId,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.read(&row_key(partition, key))
    }

    pub(super) fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        if start >= end {
            return Ok(Vec::new());
        }
        self.range(row_key(partition, start), row_key(partition, end), limit)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.rows.get(key).map_err(|error| translate(&self.path, "read", error))?;
        // Copied, because the engine's slice would keep its whole block in memory.
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Returns rows with the first two bytes (partition) or three bytes (internal) cut off the key.
    fn range(
        &self,
        start: Vec<u8>,
        end: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let prefix_length = if start.starts_with(&INTERNAL.to_be_bytes()) { 3 } else { 2 };
        self.collect(self.rows.range(start..end).take(limit), prefix_length)
    }

    /// Copies rows, with the first bytes cut off their keys.
    pub(super) fn collect(
        &self,
        rows: impl Iterator<Item = fjall::Guard>,
        prefix_length: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut found = Vec::new();
        for row in rows {
            let (key, value) =
                row.into_inner().map_err(|error| translate(&self.path, "read", error))?;
            let key = key.get(prefix_length..).unwrap_or_default();
            found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(&value)));
        }
        Ok(found)
    }
}

/// Reads the commit number and the seqno floor from the value of the row [`COMMIT_KEY`].
pub(super) fn decode_pair(value: &[u8]) -> Option<(u64, u64)> {
    let (first, rest) = value.split_first_chunk()?;
    let second: &[u8; 8] = rest.try_into().ok()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(*second)))
}

fn encode_pair(first: u64, second: u64) -> Vec<u8> {
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

pub(super) fn row_key(partition: PartitionId, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(2 + key.len());
    row.extend(partition.0.to_be_bytes());
    row.extend(key);
    row
}

fn internal_key(kind: u8) -> Vec<u8> {
    row_key(PartitionId(INTERNAL), &[kind])
}

fn is_full_engine(error: &fjall::Error) -> bool {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            is_full(error)
        }
        _ => false,
    }
}

/// Turns an error of the engine into ours. What is not an answer of the operating system about
/// access or space means that the files are not what the engine wrote.
pub(super) fn translate(path: &Path, action: &'static str, error: fjall::Error) -> StoreError {
    if is_full_engine(&error) {
        return StoreError::Full;
    }
    match error {
        fjall::Error::Poisoned => StoreError::Poisoned,
        fjall::Error::Locked => StoreError::Locked {
            path: path.to_owned(),
            owner: "a process that opened the engine's directory by itself".to_owned(),
        },
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error))
            if !is_content(&error) =>
        {
            StoreError::Io { action, path: path.to_owned(), source: Arc::new(error) }
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

fn damaged(path: &Path, what: &str) -> StoreError {
    let detail = format!(
        "the engine cannot read its files ({what}); check the disk, then restore the directory from \
         a backup"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
