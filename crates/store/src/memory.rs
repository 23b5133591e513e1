//! A store in memory, for tests and simulation, with faults on request.
//!
//! One [`MemoryControl`] stands for the disk and for fate: it outlives processes, opens new ones and
//! injects faults. A [`MemoryStore`] is a handle of one process on that disk; its clones belong to
//! the same process, [`MemoryControl::reopen`] starts another one.
//! - Owns: the rows, the undo log of what was acknowledged but is not durable.
//! - Does not own: randomness. The caller decides which fault comes when, so runs repeat exactly.
//! - Invariant: with the switches at their defaults nothing is acknowledged that a crash can lose.
//!   A batch is never torn; only a group of batches is.

mod control;
mod disk;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use crate::{Commit, Head, Lease, PARTITIONS_MAX, PartitionId, Snapshot, Store, StoreError};
pub use control::{Fault, MemoryControl};
use disk::Disk;

/// Keeps partitions in memory. Clones are handles of the same process.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    process: Arc<Process>,
    partition_count: u16,
}

/// One life of a server: dead once it crashed.
#[derive(Debug, Default)]
struct Process {
    dead: AtomicBool,
}

impl Process {
    fn check(&self) -> Result<(), StoreError> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }

    fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }
}

impl MemoryStore {
    /// Creates an empty store with `partitions` partitions, at most [`PARTITIONS_MAX`].
    ///
    /// More are cut to that bound, and zero is raised to one.
    pub fn new(partitions: u16) -> MemoryStore {
        let partition_count = partitions.clamp(1, PARTITIONS_MAX);
        MemoryStore::on(Arc::new(Mutex::new(Disk::default())), partition_count)
    }

    /// Returns the handle that injects faults, crashes and reopens.
    pub fn control(&self) -> MemoryControl {
        MemoryControl { disk: Arc::clone(&self.disk), partition_count: self.partition_count }
    }

    fn on(disk: Arc<Mutex<Disk>>, partition_count: u16) -> MemoryStore {
        let process = Arc::new(Process::default());
        lock(&disk).processes.push(Arc::downgrade(&process));
        MemoryStore { disk, process, partition_count }
    }

    /// Decides every commit of a call; the first `survivors_max` that are let in are written.
    fn decide(
        &self,
        disk: &mut Disk,
        commits: &[Commit<'_>],
        survivors_max: usize,
    ) -> Vec<Result<(), StoreError>> {
        // Heads move on for commits that do not survive as well: what follows them is let in too.
        let mut heads = BTreeMap::new();
        let mut survivors = 0;
        let mut answers = Vec::with_capacity(commits.len());
        for commit in commits {
            let head = heads.entry(commit.partition).or_insert_with(|| disk.head(commit.partition));
            let answer = self.admit(disk.fencing_off, head, commit);
            if answer.is_ok() && survivors < survivors_max {
                disk.write(commit.partition, *head, commit.batch);
                survivors += 1;
            }
            answers.push(answer);
        }
        answers
    }

    fn admit(
        &self,
        fencing_off: bool,
        head: &mut Head,
        commit: &Commit<'_>,
    ) -> Result<(), StoreError> {
        commit.partition.check(self.partition_count)?;
        let mut asked = *commit;
        if fencing_off {
            // A superseded owner counts on from its own last batch, so any number goes, too.
            asked.epoch = head.epoch;
            asked.seq = head.seq + 1;
        }
        head.admit(&asked)
    }
}

impl Store for MemoryStore {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        partition.check(self.partition_count)?;
        let mut disk = lock(&self.disk);
        self.process.check()?;
        if disk.full {
            return Err(StoreError::Full);
        }
        let lease = disk.take_over(partition);
        disk.flush();
        Ok(lease)
    }

    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        let mut disk = lock(&self.disk);
        let alive = self.process.check().is_ok();
        let fault = if !alive {
            Some(Fault::CrashBeforeDurable)
        } else if disk.full {
            Some(Fault::DiskFull)
        } else {
            disk.faults.pop_front()
        };
        disk.commit_calls += u64::from(alive);
        let Some(fault) = fault else {
            let answers = self.decide(&mut disk, commits, usize::MAX);
            disk.flush();
            return answers;
        };
        let survivors_max = match fault {
            Fault::DiskFull | Fault::CrashBeforeDurable => 0,
            Fault::TornGroup { survivors } => survivors,
            Fault::CrashAfterDurable => usize::MAX,
        };
        let answers = self.decide(&mut disk, commits, survivors_max);
        let failure = if matches!(fault, Fault::DiskFull) {
            StoreError::Full
        } else {
            if survivors_max > 0 {
                disk.flush();
            }
            self.process.kill();
            if alive {
                disk.roll_back();
            }
            StoreError::Poisoned
        };
        answers.into_iter().map(|answer| answer.and(Err(failure.clone()))).collect()
    }

    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        partition.check(self.partition_count)?;
        let disk = lock(&self.disk);
        self.process.check()?;
        Ok(disk.get(partition, key))
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        partition.check(self.partition_count)?;
        let disk = lock(&self.disk);
        self.process.check()?;
        Ok(disk.scan(partition, start, end, limit))
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let disk = lock(&self.disk);
        self.process.check()?;
        let partition_count = self.partition_count;
        Ok(Arc::new(MemorySnapshot { partitions: disk.rows(), partition_count }))
    }
}

/// A copy of every row: cheap enough for tests, where there are few.
struct MemorySnapshot {
    partitions: BTreeMap<PartitionId, BTreeMap<Bytes, Bytes>>,
    partition_count: u16,
}

impl Snapshot for MemorySnapshot {
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        partition.check(self.partition_count)?;
        Ok(self.partitions.get(&partition).and_then(|rows| rows.get(key).cloned()))
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        partition.check(self.partition_count)?;
        Ok(self
            .partitions
            .get(&partition)
            .map_or_else(Vec::new, |rows| disk::scan_rows(rows, start, end, limit)))
    }

    fn partition_count(&self) -> u16 {
        self.partition_count
    }
}

/// Locks the disk. A panic of another thread leaves no half-written state that matters to a test.
fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}
