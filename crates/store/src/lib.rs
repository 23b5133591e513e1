//! Durable key-value storage for partitions: the [`Store`] trait and its backends.
//!
//! A store holds, for every partition, ordered rows of bytes and one [`Head`]: the epoch of its
//! owner and the sequence number of its last committed batch.
//! - Owns: durability, atomicity of a batch, fencing of superseded owners.
//! - Does not own: what rows mean (crate `reveille-engine`), who becomes the owner of a partition,
//!   the caller's rows that are not committed yet.
//! - Invariant: a commit that was answered with `Ok` survives every crash, and no commit of a lease
//!   that is older than the partition's epoch ever changes a row.
//! - Start at [`Store`], then [`Head::admit`], the one rule that decides whether a commit is let in.
//!
//! Backends: [`memory::MemoryStore`] for tests and simulation, `embedded::EmbeddedStore` (feature
//! `embedded`) for one machine. `tests/conformance.rs` runs the same suite against each.

#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod head;
pub mod memory;
mod merge;

use std::{fmt, sync::Arc};

use bytes::Bytes;

pub use error::StoreError;
pub use head::Head;
pub use merge::lay_over;

/// The longest key in bytes that a batch may hold.
pub const KEY_BYTES_MAX: usize = 65_000;

/// The largest value in bytes that a batch may hold.
pub const VALUE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The most partitions a store can be created with.
pub const PARTITIONS_MAX: u16 = 4_096;

/// Holds the rows of partitions. Every method blocks; call them from a thread that may wait.
///
/// Reads see everything that was committed so far, by whichever handle, and nothing else.
/// Every method answers [`StoreError::NoSuchPartition`] for a partition outside
/// `0..partition_count()` that is not [`PartitionId::META`].
pub trait Store: Send + Sync + 'static {
    /// Takes over a partition: raises its epoch durably, so that every older lease is fenced.
    ///
    /// When it returns, nothing of an older lease can be committed any more, and
    /// [`Lease::last_seq`] is the last batch that was.
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError>;

    /// Commits several partitions' batches under one flush and returns when they are durable.
    ///
    /// The answer has one result per commit, in order. A commit is let in only if its epoch is
    /// current and its sequence number is the stored one plus one; several commits of one partition
    /// in one call follow each other. A commit that is refused does not hinder the others. Each
    /// batch is atomic; after a crash that left a call without an answer, a prefix of the call's
    /// commits may have survived.
    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>>;

    /// Returns the value of a key, or `None` if the partition has no such row.
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Returns the rows with `start <= key < end` in key order, at most `limit` of them.
    ///
    /// An `end` that is not above `start` gives no rows.
    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Returns the number of partitions without [`PartitionId::META`]: fixed at creation, recorded.
    fn partition_count(&self) -> u16;

    /// Returns a view of all partitions as they are now; later commits do not show in it.
    ///
    /// It hinders nobody. What it shows is kept on disk as long as it is, so drop it soon.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;

    /// Returns how much space the rows take, if the backend keeps count. Reads no rows.
    fn usage(&self) -> Option<Usage> {
        None
    }
}

/// The space that a store takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// On disk, the log included.
    pub disk_bytes: u64,
    /// The log on disk. It is allocated in pieces, so there is more than was written.
    pub journal_bytes: u64,
    /// Rows in memory that are on disk in the log only.
    pub write_buffer_bytes: u64,
}

/// Every partition at one moment; what [`Store::snapshot`] returns. Its methods block.
pub trait Snapshot: Send + Sync {
    /// Returns the value of a key, or `None` if the partition had no such row.
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Returns the rows with `start <= key < end` in key order, at most `limit` of them.
    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Returns the number of partitions without [`PartitionId::META`].
    fn partition_count(&self) -> u16;
}

/// Names a partition: `0..partition_count()`, or [`PartitionId::META`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The partition of the deployment registry. Every store has it; it is not counted.
    pub const META: PartitionId = PartitionId(0xFFFF);

    /// Checks that a store with `count` partitions has this one.
    fn check(self, count: u16) -> Result<(), StoreError> {
        if self == PartitionId::META || self.0 < count {
            return Ok(());
        }
        Err(StoreError::NoSuchPartition { partition: self, count })
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PartitionId::META => f.write_str("partition meta"),
            PartitionId(number) => write!(f, "partition {number}"),
        }
    }
}

/// Counts the owners of a partition. Zero means that it never had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}", self.0)
    }
}

/// Proves that a partition was taken over: what [`Store::acquire`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The partition that was taken over.
    pub partition: PartitionId,
    /// The epoch to commit with.
    pub epoch: Epoch,
    /// The sequence number of the last committed batch; zero if there never was one. The next
    /// commit carries this plus one.
    pub last_seq: u64,
}

/// One write of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its key.
    pub key: Bytes,
    /// Its new value; `None` deletes it.
    pub value: Option<Bytes>,
    /// True when the partition has no such row before this write. A backend may then forget the row
    /// without a trace when it is deleted soon: where this is wrong, an older value may come back.
    pub fresh: bool,
}

/// Lists the writes of one atomic step of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// In order: of two writes of one key the later one wins.
    pub writes: Vec<Write>,
}

impl Batch {
    /// Adds a write of a row.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.push(Write { key: key.into(), value: Some(value.into()), fresh: false });
    }

    /// Adds a write of a row that is not there ([`Write::fresh`]).
    pub fn create(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.push(Write { key: key.into(), value: Some(value.into()), fresh: true });
    }

    /// Adds a deletion of a row. Deleting a row that does not exist is no error.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.writes.push(Write { key: key.into(), value: None, fresh: false });
    }

    /// Checks the lengths of keys and values against [`KEY_BYTES_MAX`] and [`VALUE_BYTES_MAX`].
    fn check(&self) -> Result<(), StoreError> {
        for Write { key, value, .. } in &self.writes {
            if key.len() > KEY_BYTES_MAX {
                return Err(StoreError::TooLarge { length: key.len(), length_max: KEY_BYTES_MAX });
            }
            let length = value.as_ref().map_or(0, Bytes::len);
            if length > VALUE_BYTES_MAX {
                return Err(StoreError::TooLarge { length, length_max: VALUE_BYTES_MAX });
            }
        }
        Ok(())
    }
}

/// Asks for one batch to be committed under a lease.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The partition that the batch belongs to.
    pub partition: PartitionId,
    /// The epoch of the caller's lease.
    pub epoch: Epoch,
    /// The sequence number of the batch: one above the partition's last.
    pub seq: u64,
    /// The writes.
    pub batch: &'a Batch,
}
