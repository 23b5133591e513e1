//! The hand of fate over a memory store: crashes, faults and switches.
//!
//! - Owns: nothing; it acts on the disk that all processes share.
//! - Invariant: faults hit `commit` calls in the order in which they were injected, one each.

use std::sync::{Arc, Mutex, Weak};

use super::{MemoryStore, disk::Disk, lock};

/// Injects faults into a memory store. It outlives every crash.
#[derive(Debug, Clone)]
pub struct MemoryControl {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) partition_count: u16,
}

/// What befalls one `commit` call.
///
/// Commits that the call refuses anyway (fenced, out of order) keep that answer; the others get the
/// answer of the fault. After a crash every further call of that process answers
/// `StoreError::Poisoned`, a superseded commit still `StoreError::Fenced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before anything of the call is durable: nothing of it survives. The answer
    /// is `Poisoned`.
    CrashBeforeDurable,
    /// The process dies with everything of the call durable, but unanswered. The answer is
    /// `Poisoned`.
    CrashAfterDurable,
    /// The process dies with the first `survivors` commits of the call durable, each with its whole
    /// batch. The answer is `Poisoned`.
    TornGroup {
        /// How many of the commits that are let in survive.
        survivors: usize,
    },
    /// Nothing is written, the answer is `Full`, and the process goes on.
    DiskFull,
}

impl MemoryControl {
    /// Lets a fault hit the next `commit` call that has none yet, of whichever process.
    pub fn inject(&self, fault: Fault) {
        lock(&self.disk).faults.push_back(fault);
    }

    /// Forgets the faults that have not hit yet.
    pub fn clear_faults(&self) {
        lock(&self.disk).faults.clear();
    }

    /// Kills every process and drops what is not durable. Open a new process with [`Self::reopen`].
    pub fn crash(&self) {
        let mut disk = lock(&self.disk);
        disk.roll_back();
        disk.processes.drain(..).filter_map(|process| Weak::upgrade(&process)).for_each(
            |process| {
                process.kill();
            },
        );
    }

    /// Opens the disk in a new process and returns its handle.
    ///
    /// Handles from before go on as another, possibly paused process (unless they crashed): their
    /// commits are fenced as soon as the new process has acquired the partition.
    pub fn reopen(&self) -> MemoryStore {
        MemoryStore::on(Arc::clone(&self.disk), self.partition_count)
    }

    /// Fills the disk, or frees it: while it is full, `acquire` and `commit` answer `Full`.
    pub fn set_disk_full(&self, full: bool) {
        lock(&self.disk).full = full;
    }

    /// Breaks durability on purpose: while on, `acquire` and `commit` acknowledge what a crash then
    /// takes back. The first honest flush makes durable what came before it.
    ///
    /// It exists so that a checker can prove that it would notice.
    pub fn set_durable_lie(&self, lying: bool) {
        lock(&self.disk).lying = lying;
    }

    /// Breaks fencing on purpose: while on, commits of any epoch with any sequence number are let in
    /// and count as the next one. Crashed processes stay dead.
    ///
    /// It exists so that a checker can prove that it would notice.
    pub fn set_no_fence(&self, fencing_off: bool) {
        lock(&self.disk).fencing_off = fencing_off;
    }

    /// Returns how many `commit` calls living processes have made: the number of flushes asked for.
    pub fn commit_calls(&self) -> u64 {
        lock(&self.disk).commit_calls
    }
}
