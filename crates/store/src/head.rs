//! The head of a partition, and the rule by which commits are let in.
//!
//! - Owns: [`Head::admit`], which every backend calls inside its commit.
//! - Does not own: where a head is kept.
//! - Invariant: epoch and sequence number of a head never go down.

use crate::{Commit, Epoch, Lease, PartitionId, StoreError};

/// Says who owns a partition and how far its commits have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The epoch of the current owner.
    pub epoch: Epoch,
    /// The sequence number of the last committed batch.
    pub seq: u64,
}

impl Head {
    /// Decides whether a commit is let in, and if so moves the head on to its sequence number.
    ///
    /// Fencing is looked at first: a superseded owner must learn that it was superseded, not that
    /// its numbers are off.
    pub fn admit(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let Commit { partition, epoch: ours, seq: got, batch } = *commit;
        // Epoch zero means that nobody ever took the partition over, so it is no lease.
        if ours != self.epoch || ours == Epoch(0) {
            return Err(StoreError::Fenced { partition, ours, owner: self.epoch });
        }
        self.follow(partition, got)?;
        batch.check()?;
        self.seq = got;
        Ok(())
    }

    /// Raises the epoch for a new owner and returns its lease.
    pub fn take_over(&mut self, partition: PartitionId) -> Lease {
        self.epoch = Epoch(self.epoch.0 + 1);
        Lease { partition, epoch: self.epoch, last_seq: self.seq }
    }

    fn follow(&self, partition: PartitionId, got: u64) -> Result<(), StoreError> {
        let expected = self.seq + 1;
        if got == expected {
            return Ok(());
        }
        Err(StoreError::OutOfOrder { partition, expected, got })
    }
}
